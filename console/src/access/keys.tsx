import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, call, type Answer } from "../ui/call.ts";
import { Field, Form } from "../ui/form.tsx";
import { At, Broken, Empty, Page, Part } from "../ui/page.tsx";
import { useCall, useMay, useSelf } from "../ui/session.tsx";
import { DataTable } from "../ui/table.tsx";
import { useWords } from "../ui/words.tsx";

type Key = Answer<typeof api.access.listKeys>["keys"][number];

export function ApiKeys() {
  const { t } = useWords();
  const may = useMay();
  const list = useCall(api.access.listKeys, {});
  return (
    <Page title={t.nav.keys} says={t.keys.says}>
      {may("keys:write") && <Make />}
      <Part title={t.keys.all}>
        {list.error ? (
          <Broken error={list.error} again={list.refetch} />
        ) : list.data?.keys.length === 0 ? (
          <Empty says={t.keys.empty} />
        ) : (
          <DataTable<Key>
            caption={t.keys.all}
            rows={list.data?.keys}
            keyOf={({ id }) => id}
            expect={3}
            columns={[
              { id: "name", header: t.keys.name, cell: ({ name }) => name, names: true },
              { id: "prefix", header: t.keys.prefix, cell: ({ prefix }) => <code>{prefix}…</code> },
              {
                id: "can",
                width: "xl",
                header: t.keys.can,
                cell: ({ permissions }) => permissions.join(" · "),
              },
              {
                id: "used",
                width: "l",
                header: t.keys.used,
                cell: ({ usedAt }) => (usedAt ? <At at={usedAt} /> : t.keys.never),
              },
              {
                id: "state",
                header: t.state,
                cell: (key) => (key.revokedAt ? t.keys.revoked : <Revoke of={key} />),
              },
            ]}
          />
        )}
      </Part>
    </Page>
  );
}

/** A key that is taken back stays dead, so it asks once more, in place. */
function Revoke({ of }: { of: Key }) {
  const { t } = useWords();
  const may = useMay();
  const queries = useQueryClient();
  const [sure, setSure] = useState(false);
  if (!may("keys:write")) return t.keys.works;
  if (!sure)
    return (
      <button type="button" className="small" onClick={() => setSure(true)}>
        {t.keys.revoke}
      </button>
    );
  return (
    <button
      type="button"
      className="small danger"
      onBlur={() => setSure(false)}
      // oxlint-disable-next-line jsx-a11y/no-autofocus -- it stands where the focus was
      autoFocus
      onClick={() => {
        void call(api.access.revokeKey, { key: of.id }).then(() => queries.invalidateQueries());
      }}
    >
      {t.keys.revokeSure(of.name)}
    </button>
  );
}

function Make() {
  const { t } = useWords();
  const self = useSelf();
  const queries = useQueryClient();
  const [made, setMade] = useState("");
  // What a shop's connection needs most often; whoever makes a key can give no more than they have.
  const offered = (self?.permissions ?? []).filter((one) => one !== "session:own").toSorted();
  return (
    <Part title={t.keys.make} says={t.keys.makeSays}>
      <Form
        button={t.keys.makeButton}
        act={async ({ name = "", ...rest }, key) => {
          const permissions = Object.keys(rest);
          const answer = await call(api.access.createKey, { name, permissions }, { key });
          setMade(answer.key);
          await queries.invalidateQueries();
        }}
      >
        <Field label={t.keys.name} name="name" required maxLength={100} />
        <fieldset className="checks">
          <legend>{t.keys.can}</legend>
          {offered.map((permission) => (
            <label key={permission}>
              <input type="checkbox" name={permission} /> <code>{permission}</code>
            </label>
          ))}
        </fieldset>
      </Form>
      {made && (
        <p role="status" className="secret">
          {t.keys.once} <code>{made}</code>
        </p>
      )}
    </Part>
  );
}
