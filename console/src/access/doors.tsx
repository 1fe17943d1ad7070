// The three pages that one comes to by a link with a secret after "#": the first owner's, an invitation's, a reset's.
// The secret never reaches a server's log; it is taken out of the address before anything else is done.
import { Link } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { api, call, Problem, type Answer } from "../ui/call.ts";
import { Field, Form } from "../ui/form.tsx";
import { Broken, Wait } from "../ui/page.tsx";
import { useWords } from "../ui/words.tsx";
import { Door } from "./door.tsx";
import { useEnter } from "./sign-in.tsx";

/** Takes the secret out of the address, once; "" where there is none. */
function useSecret(): string {
  const [secret] = useState(() => location.hash.slice(1));
  useEffect(() => {
    if (location.hash) history.replaceState(history.state, "", location.pathname + location.search);
  }, []);
  return secret;
}

/** Runs once for a page, also where React mounts twice to look for mistakes. */
function useOnce<T>(run: () => Promise<T>): { value?: T; error?: unknown } {
  const [state, setState] = useState<{ value?: T; error?: unknown }>({});
  const begun = useRef(false);
  useEffect(() => {
    if (begun.current) return;
    begun.current = true;
    run().then(
      (value) => setState({ value }),
      (error: unknown) => setState({ error }),
    );
  });
  return state;
}
const noLink = () => Promise.reject(new Problem(0, "access.link_dead", ""));

function PasswordField({ name = "password" }: { name?: string }) {
  const { t } = useWords();
  return (
    <Field
      label={t.doors.newPassword}
      hint={t.doors.passwordHint}
      name={name}
      type="password"
      autoComplete="new-password"
      required
      minLength={12}
      maxLength={200}
    />
  );
}

export function Setup() {
  const { t, language } = useWords();
  const secret = useSecret();
  const enter = useEnter();
  const begun = useOnce(() =>
    secret ? call(api.access.exchangeSetup, { token: secret }).then(() => true) : noLink(),
  );
  if (begun.error)
    return (
      <Door title={t.doors.setupTitle} says={t.doors.setupDead}>
        {begun.error instanceof Problem && begun.error.message && <Broken error={begun.error} />}
        <p>
          <code>npm run liuke owner-link</code>
        </p>
      </Door>
    );
  return (
    <Door title={t.doors.setupTitle} says={t.doors.setupSays}>
      <Form
        button={t.doors.setupButton}
        act={async ({ name = "", email = "", password = "" }, key) => {
          const owner = { name, email, password, language };
          await enter(await call(api.access.completeSetup, owner, { key }), "/");
        }}
      >
        <Field label={t.doors.name} name="name" autoComplete="name" required maxLength={100} />
        <Field label={t.signIn.email} name="email" type="email" autoComplete="username" required />
        <PasswordField />
      </Form>
    </Door>
  );
}

export function Invitation() {
  const { t, language } = useWords();
  const secret = useSecret();
  const enter = useEnter();
  const read = useOnce<Answer<typeof api.access.readInvitation>>(() =>
    secret ? call(api.access.readInvitation, { token: secret }) : noLink(),
  );
  if (read.error) return <DeadLink title={t.doors.invitationTitle} />;
  return (
    <Door
      title={t.doors.invitationTitle}
      says={
        read.value ? (
          t.doors.invitationSays(read.value.email, t.roles[read.value.role])
        ) : (
          <Wait width={32} />
        )
      }
    >
      <Form
        button={t.doors.invitationButton}
        act={async ({ name = "", password = "" }, key) => {
          const token = { token: secret, name, password, language };
          await enter(await call(api.access.acceptInvitation, token, { key }), "/");
        }}
      >
        <Field label={t.doors.name} name="name" autoComplete="name" required maxLength={100} />
        <PasswordField />
      </Form>
    </Door>
  );
}

export function Reset() {
  const { t } = useWords();
  const secret = useSecret();
  const [done, setDone] = useState(false);
  if (!secret) return <DeadLink title={t.doors.resetTitle} />;
  if (done)
    return (
      <Door title={t.doors.resetTitle} says={t.doors.resetDone}>
        <Link to="/sign-in" className="button">
          {t.signIn.title}
        </Link>
      </Door>
    );
  return (
    <Door title={t.doors.resetTitle} says={t.doors.resetSays}>
      <Form
        button={t.doors.resetButton}
        act={async ({ password = "" }, key) => {
          await call(api.access.completeReset, { token: secret, password }, { key });
          setDone(true);
        }}
      >
        <PasswordField />
      </Form>
    </Door>
  );
}

function DeadLink({ title }: { title: string }) {
  const { t } = useWords();
  return (
    <Door title={title} says={t.doors.dead}>
      <Link to="/sign-in" className="button">
        {t.signIn.title}
      </Link>
    </Door>
  );
}
