import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, call, type Answer } from "../ui/call.ts";
import { Choice, Field, Form } from "../ui/form.tsx";
import { At, Broken, Page, Part } from "../ui/page.tsx";
import { useCall, useMay } from "../ui/session.tsx";
import { DataTable } from "../ui/table.tsx";
import { useWords } from "../ui/words.tsx";

type Operator = Answer<typeof api.access.listOperators>["operators"][number];
type Role = Operator["role"];

export function Operators() {
  const { t } = useWords();
  const may = useMay();
  const list = useCall(api.access.listOperators, {});
  return (
    <Page title={t.nav.operators} says={t.operators.says}>
      {may("operators:write") && <Invite />}
      <Part title={t.operators.colleagues}>
        {list.error ? (
          <Broken error={list.error} again={list.refetch} />
        ) : (
          <DataTable<Operator>
            caption={t.operators.colleagues}
            rows={list.data?.operators}
            keyOf={({ id }) => id}
            expect={3}
            columns={[
              { id: "name", header: t.doors.name, cell: ({ name }) => name, names: true },
              { id: "email", width: "l", header: t.signIn.email, cell: ({ email }) => email },
              { id: "role", header: t.operators.role, cell: ({ role }) => t.roles[role] },
              {
                id: "signedIn",
                width: "l",
                header: t.operators.signedIn,
                cell: ({ signedInAt }) => (signedInAt ? <At at={signedInAt} /> : t.none),
              },
              {
                id: "state",
                header: t.state,
                cell: ({ disabledAt, resetAskedAt }) =>
                  disabledAt
                    ? t.operators.disabled
                    : resetAskedAt
                      ? t.operators.resetAsked
                      : t.operators.enabled,
              },
            ]}
          />
        )}
      </Part>
    </Page>
  );
}

const roles: readonly Role[] = ["operator", "analyst", "agent", "merchant", "auditor", "owner"];
function Invite() {
  const { t } = useWords();
  const queries = useQueryClient();
  const [link, setLink] = useState("");
  return (
    <Part title={t.operators.invite} says={t.operators.inviteSays}>
      <Form
        className="form row"
        button={t.operators.makeLink}
        act={async ({ email = "", role = "operator" }, key) => {
          const made = await call(api.access.invite, { email, role: role as Role }, { key });
          setLink(made.link);
          await queries.invalidateQueries();
        }}
      >
        <Field label={t.signIn.email} name="email" type="email" required />
        <Choice
          label={t.operators.role}
          name="role"
          value="operator"
          options={roles.map((role) => ({ value: role, label: t.roles[role] }))}
        />
      </Form>
      {link && (
        <p role="status" className="secret">
          {t.operators.linkSays} <code>{link}</code>
        </p>
      )}
    </Part>
  );
}
