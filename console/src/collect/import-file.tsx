import { useQueryClient } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useEffect, useMemo, useState } from "react";
import { api, call, Problem, type Answer } from "../ui/call.ts";
import { Choice, Field } from "../ui/form.tsx";
import { Broken, Page, Part, Wait } from "../ui/page.tsx";
import { useCall, useSelf } from "../ui/session.tsx";
import { DataTable } from "../ui/table.tsx";
import { useFormat, useWords } from "../ui/words.tsx";
import { progressOf } from "./imports.tsx";
import { kinds } from "../../../src/exchange/model/kinds.ts";

type Shown = Answer<typeof api.exchange.file>;
type Looked = Answer<typeof api.exchange.lookAtFile>;
type Mapping = NonNullable<Shown["mapping"]>;
type Kind = (typeof kinds)[number];

/** One file: what its columns mean, what would become of it, and how far it has come. */
export function ImportFile() {
  const { t } = useWords();
  const { file } = useParams({ from: "/inside/imports/$file" });
  const { data, error, refetch } = useCall(api.exchange.file, { file }, { refetchMs: 1500 });
  return (
    <Page title={data?.name ?? t.nav.imports} says={<Link to="/imports">{t.importPage.back}</Link>}>
      {error ? (
        <Broken error={error} again={refetch} />
      ) : data ? (
        <>
          <Standing of={data} />
          {["received", "tried", "failed", "trying"].includes(data.stage) && (
            <Map of={data} key={data.id} />
          )}
        </>
      ) : (
        <p>
          <Wait width={32} />
        </p>
      )}
    </Page>
  );
}

/** Where the file stands, and what can be done with it now. */
function Standing({ of }: { of: Shown }) {
  const { t } = useWords();
  const format = useFormat();
  const queries = useQueryClient();
  const [wrong, setWrong] = useState<unknown>(null);
  const w = t.importPage;
  const part = progressOf(of);
  const move = async (to: "running" | "paused" | "cancelled") => {
    setWrong(null);
    try {
      await call(api.exchange.moveFile, { file: of.id, to });
    } catch (thrown) {
      setWrong(thrown);
    }
    await queries.invalidateQueries();
  };
  const { counts, tried } = of;
  return (
    <Part title={w.stages[of.stage]}>
      {part !== null && (
        <p>
          <progress max={1} value={part} aria-label={w.stages[of.stage]} /> {format.part(part)}
        </p>
      )}
      {of.stage === "receiving" && <p>{w.goOnSending}</p>}
      {of.fault && (
        <p className="wrong">{w.faults[of.fault as keyof typeof w.faults] ?? w.faults.gone}</p>
      )}
      {(of.stage === "tried" || of.stage === "trying") && (
        <>
          <p>
            {w.triedSays(
              format.number(tried.lines),
              format.number(tried.fit),
              format.number(tried.lines - tried.fit),
            )}
          </p>
          {tried.reasons.length > 0 && (
            <ul className="reasons">
              {tried.reasons.slice(0, 10).map(({ reason, field, count }) => (
                <li key={`${reason} ${field}`}>
                  {t.named(t.rejections[reason] ?? t.rejectionUnknown, format.number(count))}{" "}
                  {field && (w.fields[field as keyof typeof w.fields] ?? <code>{field}</code>)}{" "}
                  <small>
                    {w.atLines(
                      w.join(
                        tried.refused
                          .filter((one) => one.reason === reason && one.field === field)
                          .slice(0, 5)
                          .map(({ line }) => format.number(line)),
                      ),
                    )}
                  </small>
                </li>
              ))}
            </ul>
          )}
        </>
      )}
      {counts && (
        <dl className="facts">
          {(["lines", "accepted", "doubles", "rejected"] as const).map((name) => (
            <div key={name}>
              <dt>{name === "rejected" ? t.sourcePage.refused : w[name]}</dt>
              <dd>
                {name === "rejected" && of.run && counts.rejected > 0 ? (
                  <Link to="/refused" search={{ run: of.run }}>
                    {format.number(counts.rejected)}
                  </Link>
                ) : (
                  format.number(counts[name])
                )}
              </dd>
            </div>
          ))}
        </dl>
      )}
      {counts && counts.beyond > 0 && <p>{t.refusedPage.beyond(format.number(counts.beyond))}</p>}
      {of.stage === "done" && counts && counts.lines > 0 && counts.doubles === counts.lines && (
        <p>{w.allDouble}</p>
      )}
      {wrong !== null && (
        <p role="alert" className="refusal">
          {wrong instanceof Problem && wrong.message ? wrong.message : t.broken.away}
        </p>
      )}
      <div className="actions">
        {(of.stage === "running" || of.stage === "trying") && (
          <button type="button" onClick={() => void move("paused")}>
            {of.stage === "trying" ? w.stopTrying : w.pause}
          </button>
        )}
        {of.stage === "paused" && (
          <button type="button" className="primary" onClick={() => void move("running")}>
            {w.goOn}
          </button>
        )}
        {of.stage !== "done" && of.stage !== "cancelled" && (
          <button
            type="button"
            className="danger"
            onClick={() => {
              if (window.confirm(w.cancelSure(format.number(counts?.accepted ?? 0))))
                void move("cancelled");
            }}
          >
            {w.cancel}
          </button>
        )}
      </div>
    </Part>
  );
}

const leaveOut = "";
function Map({ of }: { of: Shown }) {
  const { t } = useWords();
  const format = useFormat();
  const queries = useQueryClient();
  const self = useSelf();
  const w = t.importPage;
  const [kind, setKind] = useState<Kind | "">(of.kind ?? "");
  const [mapping, setMapping] = useState<Mapping | null>(of.mapping);
  const [source, setSource] = useState(of.source ?? "import");
  const [looked, setLooked] = useState<Looked | null>(null);
  const [wrong, setWrong] = useState<unknown>(null);
  const own = useMemo(() => (mapping ? { mapping } : {}), [mapping]);
  useEffect(() => {
    if (kind === "" || !self) return;
    let left = false;
    const timer = setTimeout(() => {
      call(api.exchange.lookAtFile, { file: of.id, kind, ...own, source })
        .then((seen) => {
          if (left) return;
          setWrong(null);
          setLooked(seen);
          // At first the columns are taken for what they are called.
          if (!own.mapping)
            setMapping({ columns: seen.guess, encoding: seen.encoding, quoted: true });
        })
        .catch((thrown: unknown) => {
          if (!left) setWrong(thrown);
        });
    }, 250);
    return () => {
      left = true;
      clearTimeout(timer);
    };
  }, [of.id, kind, own, source, self]);
  const columns = mapping?.columns ?? {};
  const set = (field: string, column: string) => {
    const { [field]: _gone, ...rest } = columns;
    setMapping({ ...mapping, columns: column === leaveOut ? rest : { ...rest, [field]: column } });
  };
  const go = async (to: "trying" | "running") => {
    if (kind === "" || !mapping) return;
    setWrong(null);
    try {
      await call(api.exchange.moveFile, { file: of.id, to, kind, mapping, source });
    } catch (thrown) {
      setWrong(thrown);
    }
    await queries.invalidateQueries();
  };
  const lacking = (looked?.needed ?? []).filter(
    (field) => !columns[field] && !mapping?.fixed?.[field],
  );
  const shown = looked?.fields.filter((field) => columns[field]) ?? [];
  const nameOf = (field: string) => w.fields[field as keyof typeof w.fields] ?? field;
  return (
    <>
      <Part title={w.map} says={w.mapSays}>
        <div className="filters">
          <Choice
            label={w.kind}
            value={kind}
            options={[
              ...(kind === "" ? [{ value: "", label: w.chooseKind }] : []),
              ...kinds.map((value) => ({ value, label: w.kinds[value] })),
            ]}
            onChange={(to) => {
              setKind(to as Kind);
              setMapping(null);
              setLooked(null);
            }}
          />
          {mapping && (
            <Choice
              label={w.encoding}
              value={mapping.encoding ?? "utf-8"}
              options={(["utf-8", "gb18030", "utf-16le"] as const).map((value) => ({
                value,
                label: w.encodings[value],
              }))}
              onChange={(encoding) => setMapping({ ...mapping, encoding: encoding as "utf-8" })}
            />
          )}
          <SourceName value={source} onChange={setSource} />
        </div>
        {looked && mapping && (
          <div className="mapping">
            {looked.fields
              // What only a file of ours carries along is shown where the file has it.
              .filter((field) => field in w.fields || columns[field] !== undefined)
              .map((field) => (
                <Choice
                  key={field}
                  label={looked.needed.includes(field) ? w.needed(nameOf(field)) : nameOf(field)}
                  value={columns[field] ?? leaveOut}
                  options={[
                    { value: leaveOut, label: w.leaveOut },
                    ...looked.columns.map((value) => ({ value, label: value })),
                  ]}
                  onChange={(column) => set(field, column)}
                />
              ))}
          </div>
        )}
        {looked && looked.separator !== "" && (
          <p>{w.parted(w.separators[looked.separator] ?? looked.separator)}</p>
        )}
        {looked && looked.twice.length > 0 && (
          <p className="wrong">{w.twice(w.join(looked.twice))}</p>
        )}
        {looked && looked.lines === 0 && <p className="wrong">{w.headingOnly}</p>}
        {looked && lacking.length > 0 && (
          <p className="wrong">{w.lacks(w.join(lacking.map(nameOf)))}</p>
        )}
        {wrong !== null && (
          <p role="alert" className="refusal">
            {wrong instanceof Problem && wrong.message ? wrong.message : t.broken.away}
          </p>
        )}
        {kind !== "" && (
          <div className="actions">
            <button type="button" onClick={() => void go("trying")}>
              {w.try}
            </button>
            <button
              type="button"
              className="primary"
              aria-disabled={lacking.length > 0}
              onClick={() => {
                if (lacking.length === 0) void go("running");
              }}
            >
              {w.start}
            </button>
          </div>
        )}
      </Part>
      {looked && looked.preview.length > 0 && (
        <Part
          title={w.preview}
          says={w.previewSays(
            format.number(looked.lines),
            format.number(looked.lines - looked.fit),
          )}
        >
          <DataTable<Looked["preview"][number]>
            caption={w.preview}
            rows={looked.preview}
            keyOf={({ line }) => String(line)}
            columns={[
              {
                id: "line",
                width: "s",
                header: t.sourcePage.line,
                names: true,
                cell: ({ line }) => format.number(line),
              },
              {
                id: "wrong",
                width: "l",
                header: w.verdict,
                cell: ({ reason, field }) =>
                  reason === "" ? (
                    w.good
                  ) : (
                    <span className="wrong">
                      {t.rejections[reason] ?? t.rejectionUnknown} {field && nameOf(field)}
                    </span>
                  ),
              },
              ...shown.map((field) => ({
                id: field,
                header: nameOf(field),
                cell: ({ values, field: bad }: Looked["preview"][number]) =>
                  bad === field ? (
                    <span className="wrong">{values[field] ?? w.emptyCell}</span>
                  ) : (
                    (values[field] ?? "")
                  ),
              })),
            ]}
          />
        </Part>
      )}
    </>
  );
}
function SourceName({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const { t } = useWords();
  const sources = useCall(api.collect.sources, {}).data?.sources ?? [];
  const names = sources.flatMap(({ kind, name }) => (kind === "import" ? [name] : []));
  const [isNew, setNew] = useState(false);
  const w = t.importPage;
  return (
    <>
      <Choice
        label={t.sourcePage.name}
        value={isNew ? "\n" : value}
        options={[
          ...[...new Set([value, "import", ...names])].map((name) => ({
            value: name,
            label: name,
          })),
          { value: "\n", label: w.newSource },
        ]}
        onChange={(to) => {
          setNew(to === "\n");
          if (to !== "\n") onChange(to);
        }}
      />
      {isNew && (
        <span
          onBlur={(event) => {
            const said = (event.target as HTMLInputElement).value.trim();
            if (said) onChange(said);
          }}
        >
          <Field label={w.newSourceName} name="source" maxLength={100} />
        </span>
      )}
    </>
  );
}
