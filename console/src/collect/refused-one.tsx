import { useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useEffect, useId, useMemo, useState } from "react";
import { api, call, type Answer } from "../ui/call.ts";
import { Form } from "../ui/form.tsx";
import { At, Broken, Page, Part, Wait } from "../ui/page.tsx";
import { useCall } from "../ui/session.tsx";
import { DataTable } from "../ui/table.tsx";
import { useFormat, useWords } from "../ui/words.tsx";
import type { Filter } from "./refused.tsx";

type Opened = Answer<typeof api.exchange.openRefused>;
type Result = Answer<typeof api.exchange.mend>["results"][number];
type Change = { do: "set"; field: string; value: string | number | boolean | null };

/** One refused item: why, the field in question, and all that it says. */
export function RefusedItem() {
  const { t } = useWords();
  const { item } = useParams({ from: "/inside/refused/$item" });
  const filter = useSearch({ from: "/inside/refused/$item" });
  const { data, error, refetch } = useCall(api.exchange.openRefused, { rejected: item });
  return (
    <Page
      title={data ? (t.rejections[data.reason] ?? t.rejectionUnknown) : t.nav.refused}
      says={
        <Link to="/refused" search={filter}>
          {t.refusedPage.back}
        </Link>
      }
    >
      {error ? (
        <Broken error={error} again={refetch} />
      ) : data ? (
        <Known of={data} key={data.id} filter={filter} />
      ) : (
        <p>
          <Wait width={32} />
        </p>
      )}
    </Page>
  );
}

/** A value as it is typed: what was a number, true or nothing stays of its kind where it still looks like it. */
export function typed(
  text: string,
  kind: Opened["leaves"][number]["kind"] | undefined,
): Change["value"] {
  if (kind === "text") return text;
  const said = text.trim();
  if (said !== "" && Number.isFinite(Number(said))) return Number(said);
  if (said === "true" || said === "false") return said === "true";
  return said === "null" ? null : text;
}

function Known({ of, filter }: { of: Opened; filter: Filter }) {
  const { t } = useWords();
  const format = useFormat();
  const go = useNavigate();
  const queries = useQueryClient();
  const w = t.refusedPage;
  const source = useCall(api.collect.sources, {}).data?.sources.find(({ id }) => id === of.source);
  const [values, setValues] = useState<Record<string, string>>({});
  const [whole, setWhole] = useState<string | null>(of.leaves.length === 0 ? of.text : null);
  const [asked, setAsked] = useState<string[]>(of.place === "" ? [] : [of.place]);
  const kinds = useMemo(() => new Map(of.leaves.map(({ path, kind }) => [path, kind])), [of]);
  const changes = useMemo(
    () =>
      Object.entries(values).map(([field, text]): Change => ({
        do: "set",
        field,
        value: typed(text, kinds.get(field)),
      })),
    [values, kinds],
  );
  const body = useMemo(
    () => ({
      ids: [of.id],
      changes: whole === null ? changes : [],
      ...(whole === null ? {} : { texts: { [of.id]: whole } }),
    }),
    [of.id, changes, whole],
  );
  const verdict = useTry(body, whole !== null ? whole !== of.text : changes.length > 0);
  // What it would be refused for next is asked for too.
  useEffect(() => {
    const place = verdict?.outcome === "refused" ? verdict.place : null;
    if (place) setAsked((had) => (had.includes(place) ? had : [...had, place]));
  }, [verdict]);
  const valueOf = (path: string) =>
    values[path] ?? of.leaves.find((l) => l.path === path)?.value ?? "";
  const set = (path: string, value: string) => setValues((had) => ({ ...had, [path]: value }));
  const wrongAt =
    verdict === null ? of.place : verdict.outcome === "refused" ? verdict.place : null;
  const reason = verdict?.outcome === "refused" ? verdict.reason : of.reason;
  const saysWhy = (reason && t.rejections[reason]) ?? t.rejectionUnknown;
  return (
    <>
      <Part title={w.mend} says={w.mendSays}>
        <dl className="facts">
          <div>
            <dt>{t.sourcePage.name}</dt>
            <dd>{source?.name ?? t.none}</dd>
          </div>
          <div>
            <dt>{w.event}</dt>
            <dd>{of.name || t.none}</dd>
          </div>
          {of.line !== null && (
            <div>
              <dt>{t.sourcePage.line}</dt>
              <dd>{format.number(of.line)}</dd>
            </div>
          )}
          <div>
            <dt>{w.came}</dt>
            <dd>
              <At at={of.at} />
            </dd>
          </div>
        </dl>
        <Form
          className="form wide"
          button={w.send}
          act={async (_, key) => {
            const [done] = (await call(api.exchange.mend, body, { key })).results;
            await queries.invalidateQueries({ queryKey: [api.collect.rejected.path] });
            if (done?.outcome !== "refused") await go({ to: "/refused", search: filter });
            else await queries.invalidateQueries({ queryKey: [api.exchange.openRefused.path] });
          }}
        >
          {whole === null ? (
            asked.map((path) => (
              <Leaf
                key={path}
                path={path}
                value={valueOf(path)}
                hidden={
                  of.leaves.some((l) => l.path === path && l.hidden) && values[path] === undefined
                }
                wrong={wrongAt === path ? saysWhy : undefined}
                onChange={(value) => set(path, value)}
              />
            ))
          ) : (
            <Whole value={whole} onChange={setWhole} />
          )}
          <p className="count" role="status">
            {verdict === null
              ? w.notTried
              : verdict.outcome === "accepted"
                ? w.fits
                : verdict.outcome === "double"
                  ? w.isDouble
                  : verdict.outcome === "gone"
                    ? w.isGone
                    : verdict.field
                      ? w.refusedFor(saysWhy, verdict.place || verdict.field)
                      : w.refusedWhole(saysWhy)}
          </p>
          {of.text !== null && of.leaves.length > 0 && (
            <button
              type="button"
              className="plain"
              onClick={() => setWhole(whole === null ? of.text : null)}
            >
              {whole === null ? w.asText : w.asFields}
            </button>
          )}
        </Form>
      </Part>
      {of.leaves.length > 0 && (
        <Part title={w.all} says={of.leaves.some(({ hidden }) => hidden) ? w.hidden : undefined}>
          <DataTable<Opened["leaves"][number]>
            caption={w.all}
            rows={of.leaves}
            keyOf={({ path }) => path}
            columns={[
              {
                id: "path",
                header: t.sourcePage.field,
                width: "l",
                names: true,
                cell: ({ path }) => <code>{path}</code>,
              },
              {
                id: "value",
                header: w.value,
                width: "xl",
                cell: ({ value, hidden }) =>
                  hidden ? <span className="quiet">{w.isHidden}</span> : value,
              },
              {
                id: "change",
                header: w.change,
                width: "s",
                cell: ({ path }) =>
                  asked.includes(path) ? (
                    t.none
                  ) : (
                    <button
                      type="button"
                      className="small"
                      aria-label={w.changeThis(path)}
                      onClick={() => {
                        setWhole(null);
                        setAsked((had) => [...had, path]);
                      }}
                    >
                      {w.change}
                    </button>
                  ),
              },
            ]}
          />
          {of.more && <p className="quiet">{w.more}</p>}
        </Part>
      )}
    </>
  );
}

/** What would become of it, a moment after the last key: by the server's own rules, and nothing is written. */
function useTry(
  body: { ids: string[]; changes: Change[]; texts?: Record<string, string> },
  is: boolean,
): Result | null {
  const [verdict, setVerdict] = useState<Result | null>(null);
  useEffect(() => {
    if (!is) {
      setVerdict(null);
      return;
    }
    const leaving = new AbortController();
    const timer = setTimeout(() => {
      call(api.exchange.mend, body, { dry: true, signal: leaving.signal })
        .then(({ results: [first] }) => setVerdict(first ?? null))
        .catch(() => undefined); // sending says what is wrong
    }, 300);
    return () => {
      clearTimeout(timer);
      leaving.abort();
    };
  }, [body, is]);
  return verdict;
}

function Leaf({
  path,
  value,
  hidden,
  wrong,
  onChange,
}: {
  path: string;
  value: string;
  hidden: boolean;
  wrong: string | undefined;
  onChange: (value: string) => void;
}) {
  const { t } = useWords();
  const id = useId();
  const says = wrong ?? (hidden ? t.refusedPage.hiddenHere : undefined);
  return (
    <div className="field">
      <label htmlFor={id}>
        <code>{path}</code>
      </label>
      <input
        id={id}
        value={value}
        autoComplete="off"
        aria-invalid={wrong ? true : undefined}
        aria-describedby={says ? `${id}-says` : undefined}
        onChange={(event) => onChange(event.target.value)}
      />
      {says && (
        <p id={`${id}-says`} className={wrong ? "wrong" : "hint"}>
          {says}
        </p>
      )}
    </div>
  );
}
function Whole({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const { t } = useWords();
  const id = useId();
  return (
    <div className="field whole">
      <label htmlFor={id}>{t.sourcePage.text}</label>
      <textarea
        id={id}
        rows={12}
        spellCheck={false}
        value={value}
        onChange={(event) => onChange(event.target.value)}
      />
    </div>
  );
}
