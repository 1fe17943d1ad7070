import { useQueryClient } from "@tanstack/react-query";
import { useNavigate, useRouter, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { api, call } from "../ui/call.ts";
import { Field, Form } from "../ui/form.tsx";
import { selfQuery, type Self } from "../ui/session.tsx";
import { useWords } from "../ui/words.tsx";
import { Door } from "./door.tsx";

/** Goes where one wanted to go, within this console only. */
export function useEnter() {
  const queries = useQueryClient();
  const router = useRouter();
  return async (self: Self, next?: string) => {
    queries.clear();
    queries.setQueryData(selfQuery.queryKey, self);
    await router.invalidate();
    if (next && /^\/(?![/\\])/.test(next)) router.history.push(next);
    else await router.navigate({ to: "/" });
  };
}

export function SignIn() {
  const { t } = useWords();
  const { next } = useSearch({ from: "/sign-in" });
  const enter = useEnter();
  const navigate = useNavigate();
  const [forgot, setForgot] = useState(false);
  const [asked, setAsked] = useState(false);
  if (asked)
    return (
      <Door title={t.signIn.forgotTitle} says={t.signIn.asked}>
        <button
          type="button"
          onClick={() => {
            setAsked(false);
            setForgot(false);
            void navigate({ to: "/sign-in" });
          }}
        >
          {t.signIn.back}
        </button>
      </Door>
    );
  if (forgot)
    return (
      <Door title={t.signIn.forgotTitle} says={t.signIn.forgotSays}>
        <Form
          button={t.signIn.ask}
          act={async ({ email = "" }, key) => {
            await call(api.access.requestReset, { email }, { key });
            setAsked(true);
          }}
        >
          <Field
            label={t.signIn.email}
            name="email"
            type="email"
            autoComplete="username"
            required
          />
        </Form>
        <button type="button" className="plain" onClick={() => setForgot(false)}>
          {t.signIn.back}
        </button>
      </Door>
    );
  return (
    <Door title={t.signIn.title}>
      <Form
        button={t.signIn.button}
        act={async ({ email = "", password = "" }, key) => {
          await enter(await call(api.access.signIn, { email, password }, { key }), next);
        }}
      >
        <Field label={t.signIn.email} name="email" type="email" autoComplete="username" required />
        <Field
          label={t.signIn.password}
          name="password"
          type="password"
          autoComplete="current-password"
          required
        />
      </Form>
      <button type="button" className="plain" onClick={() => setForgot(true)}>
        {t.signIn.forgot}
      </button>
    </Door>
  );
}
