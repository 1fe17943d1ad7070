import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { api, call } from "../ui/call.ts";
import { Field, Form } from "../ui/form.tsx";
import { Page, Part, Wait } from "../ui/page.tsx";
import { useSelf } from "../ui/session.tsx";
import { useWords } from "../ui/words.tsx";

export function Account() {
  const { t } = useWords();
  const self = useSelf();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [changed, setChanged] = useState(0);
  const leave = async () => {
    await call(api.access.signOut, {});
    queries.clear();
    await navigate({ to: "/sign-in" });
  };
  return (
    <Page
      title={t.nav.account}
      actions={
        <button type="button" onClick={() => void leave()}>
          {t.account.signOut}
        </button>
      }
    >
      <Part title={t.account.who}>
        <dl className="facts">
          <dt>{t.doors.name}</dt>
          <dd>{self?.name ?? <Wait />}</dd>
          <dt>{t.signIn.email}</dt>
          <dd>{self?.email ?? <Wait />}</dd>
          <dt>{t.operators.role}</dt>
          <dd>{self ? t.roles[self.role] : <Wait />}</dd>
        </dl>
      </Part>
      <Part title={t.account.password} says={t.account.passwordSays}>
        <Form
          key={changed}
          button={t.account.change}
          act={async ({ current = "", next = "" }, key) => {
            await call(api.access.changePassword, { current, next }, { key });
            setChanged(changed + 1);
          }}
        >
          <Field
            label={t.account.current}
            name="current"
            type="password"
            autoComplete="current-password"
            required
          />
          <Field
            label={t.doors.newPassword}
            hint={t.doors.passwordHint}
            name="next"
            type="password"
            autoComplete="new-password"
            required
            minLength={12}
            maxLength={200}
          />
        </Form>
        <p role="status">{changed > 0 ? t.account.changed : ""}</p>
      </Part>
    </Page>
  );
}
