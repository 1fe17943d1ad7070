import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { api, call, type Answer } from "../ui/call.ts";
import { Copy } from "../ui/copy.tsx";
import { Choice, Field, Form } from "../ui/form.tsx";
import { wordFor } from "../ui/marks.tsx";
import { At, Broken, Empty, Page, Part } from "../ui/page.tsx";
import { houseQuery, useCall, useMay, useSelf } from "../ui/session.tsx";
import { DataTable } from "../ui/table.tsx";
import { useWords } from "../ui/words.tsx";
import { firstCall, offered } from "./grants.ts";

type Key = Answer<typeof api.access.listKeys>["keys"][number];
type Source = Answer<typeof api.collect.sources>["sources"][number];

export function ApiKeys() {
  const { t } = useWords();
  const may = useMay();
  const list = useCall(api.access.listKeys, {});
  const sources = useSources();
  const sourceName = (id: string | null) =>
    id === null ? t.none : (sources?.find((one) => one.id === id)?.name ?? t.none);
  return (
    <Page title={t.nav.keys} says={t.keys.says}>
      {may("keys:write") && <Make sources={sources} />}
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
                cell: ({ permissions }) =>
                  permissions.map((one) => wordFor(t.permissions, one)).join(" · "),
              },
              { id: "source", header: t.source, cell: ({ source }) => sourceName(source) },
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

/** Undefined while they are not known, or may not be. */
function useSources(): readonly Source[] | undefined {
  const may = useMay();
  return useCall(api.collect.sources, may("house:read") ? {} : undefined).data?.sources;
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

const sends = "events:write";
const anew = "new";
type Made = { key: string; kind: "server" | "public" | null };

function Make({ sources }: { sources: readonly Source[] | undefined }) {
  const { t } = useWords();
  const self = useSelf();
  const queries = useQueryClient();
  const house = useQuery(houseQuery).data;
  const [made, setMade] = useState<Made | null>(null);
  const [sending, setSending] = useState(false);
  // A source made on the way to a key that was then refused is there: the next try takes it.
  const lately = useRef({ name: "", kind: "", id: "" });

  const sourceOf = async (values: Record<string, string>, key: string) => {
    const { source = "", sourceName = "", sourceKind = "" } = values;
    const known = sources?.find(({ id }) => id === source);
    if (known)
      return { id: known.id, kind: known.kind === "public" ? "public" : "server" } as const;
    const kind = sourceKind === "public" ? "public" : "server";
    const name = sourceName.trim();
    if (lately.current.name !== name || lately.current.kind !== kind) {
      const { id } = await call(api.collect.makeSource, { name, kind }, { key });
      lately.current = { name, kind, id };
    }
    return { id: lately.current.id, kind } as const;
  };
  const rooms = offered(self?.permissions ?? []);
  return (
    <Part title={t.keys.make} says={t.keys.makeSays}>
      <Form
        className="form wide"
        button={t.keys.makeButton}
        act={async (values, key) => {
          const permissions = rooms.flatMap((room) =>
            room.permissions.filter((one) => values[one] !== undefined),
          );
          const source = permissions.includes(sends) ? await sourceOf(values, key) : null;
          const answer = await call(
            api.access.createKey,
            { name: values["name"] ?? "", permissions, source: source?.id ?? null },
            { key },
          );
          setMade({ key: answer.key, kind: source?.kind ?? null });
          await queries.invalidateQueries();
        }}
      >
        <Field label={t.keys.name} name="name" required maxLength={100} />
        {rooms.map(({ room, permissions }) => (
          <fieldset key={room} className="checks">
            <legend>{room === "send" ? t.keys.send : t.groups[room]}</legend>
            {permissions.map((permission) => (
              <label key={permission}>
                <input
                  type="checkbox"
                  name={permission}
                  {...(permission === sends
                    ? { onChange: (event) => setSending(event.target.checked) }
                    : {})}
                />
                <span>
                  {wordFor(t.permissions, permission)} <code>{permission}</code>
                </span>
              </label>
            ))}
            {room === "send" && sending && <ChooseSource sources={sources} />}
          </fieldset>
        ))}
      </Form>
      {made && (
        <div className="secret">
          <p role="status">{t.keys.once}</p>
          <Copy text={made.key} />
          {made.kind && house && (
            <>
              <p>{t.keys.tryIt[made.kind]}</p>
              <Copy lines text={firstCall(location.origin, made.key, made.kind, house.clock.now)} />
            </>
          )}
        </div>
      )}
    </Part>
  );
}

/** What is sent belongs to a source: one there is, or a new one. Files have a source of their own, and no key. */
function ChooseSource({ sources = [] }: { sources?: readonly Source[] | undefined }) {
  const { t } = useWords();
  const may = useMay();
  const fit = sources.filter(({ kind }) => kind !== "import");
  const [chosen, setChosen] = useState(fit[0]?.id ?? anew);
  const options = [
    ...fit.map(({ id, name, kind }) => ({ value: id, label: t.named(name, t.sourceKinds[kind]) })),
    ...(may("house:write") ? [{ value: anew, label: t.keys.newSource }] : []),
  ];
  return (
    <div className="within">
      <Choice
        label={t.source}
        name="source"
        value={chosen}
        options={options}
        onChange={setChosen}
      />
      {chosen === anew && (
        <>
          <Field label={t.keys.sourceName} name="sourceName" required maxLength={100} />
          <Choice
            label={t.keys.sourceKind}
            name="sourceKind"
            value="server"
            options={(["server", "public"] as const).map((kind) => ({
              value: kind,
              label: t.sourceKinds[kind],
            }))}
          />
        </>
      )}
      <p className="hint">{t.keys.sourceSays}</p>
    </div>
  );
}
