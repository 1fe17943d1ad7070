import { useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useRef, useState } from "react";
import { api, call, Problem, type Answer } from "../ui/call.ts";
import { At, Broken, Empty, Page, Part } from "../ui/page.tsx";
import { useCall, useMay } from "../ui/session.tsx";
import { DataTable } from "../ui/table.tsx";
import { useFormat, useWords } from "../ui/words.tsx";
import { markOf, sendFile } from "./send-file.ts";

type Import = Answer<typeof api.exchange.imports>["imports"][number];

/** Files that came in, how far each is, and the way to hand in one more. */
export function ImportsPage() {
  const { t } = useWords();
  const may = useMay();
  const list = useCall(api.exchange.imports, {}, { refetchMs: 2000 });
  const w = t.importPage;
  return (
    <Page title={t.nav.imports} says={w.says}>
      {may("imports:write") && <HandIn list={list.data?.imports} />}
      <Part title={w.all} says={w.allSays}>
        {list.error ? (
          <Broken error={list.error} again={list.refetch} />
        ) : list.data?.imports.length === 0 ? (
          <Empty says={w.empty} />
        ) : (
          <Files rows={list.data?.imports} />
        )}
      </Part>
    </Page>
  );
}

/** How much of a file is done, of 1; null where nothing is under way. */
export const progressOf = ({
  stage,
  bytes,
  received,
  readBytes,
}: Pick<Import, "stage" | "bytes" | "received" | "readBytes">): number | null =>
  bytes === 0
    ? null
    : stage === "receiving"
      ? received / bytes
      : stage === "running" || stage === "trying" || stage === "paused"
        ? readBytes / bytes
        : null;

function Files({ rows }: { rows: Import[] | undefined }) {
  const { t } = useWords();
  const format = useFormat();
  const may = useMay();
  const w = t.importPage;
  return (
    <DataTable<Import>
      caption={w.all}
      rows={rows}
      keyOf={({ file, run }) => file ?? run ?? ""}
      expect={3}
      columns={[
        {
          id: "name",
          header: w.file,
          width: "l",
          names: true,
          cell: ({ file, name }) =>
            file && may("imports:write") ? (
              <Link to="/imports/$file" params={{ file }}>
                {name}
              </Link>
            ) : (
              name || w.terminal
            ),
        },
        {
          id: "kind",
          header: w.kind,
          width: "s",
          cell: ({ kind }) => (kind ? (w.kinds[kind as keyof typeof w.kinds] ?? kind) : t.none),
        },
        {
          id: "state",
          header: t.state,
          cell: (one) => {
            const part = progressOf(one);
            return (
              <>
                {w.stages[one.stage]}
                {part !== null && ` ${format.part(part)}`}
              </>
            );
          },
        },
        { id: "lines", header: w.lines, numeric: true, cell: ({ lines }) => format.number(lines) },
        {
          id: "accepted",
          header: w.accepted,
          numeric: true,
          cell: ({ accepted }) => format.number(accepted),
        },
        {
          id: "doubles",
          header: w.doubles,
          numeric: true,
          cell: ({ doubles }) => format.number(doubles),
        },
        {
          id: "rejected",
          header: t.sourcePage.refused,
          numeric: true,
          cell: ({ run, rejected }) =>
            run && rejected > 0 ? (
              <Link to="/refused" search={{ run }}>
                {format.number(rejected)}
              </Link>
            ) : (
              format.number(rejected)
            ),
        },
        { id: "source", header: t.sourcePage.name, cell: ({ sourceName }) => sourceName || t.none },
        { id: "at", header: w.started, cell: ({ startedAt }) => <At at={startedAt} /> },
      ]}
    />
  );
}

function HandIn({ list }: { list: Import[] | undefined }) {
  const { t } = useWords();
  const format = useFormat();
  const go = useNavigate();
  const queries = useQueryClient();
  const picked = useRef<HTMLInputElement>(null);
  const [part, setPart] = useState<number | null>(null);
  const [wrong, setWrong] = useState<unknown>(null);
  const w = t.importPage;
  const hand = async (file: File) => {
    setWrong(null);
    setPart(0);
    try {
      // The same file as one that was cut off goes on where that one stopped.
      const mark = markOf(file);
      const had = list?.find((one) => one.stage === "receiving" && one.mark === mark);
      const made =
        had?.file ??
        (await call(api.exchange.beginFile, { name: file.name, bytes: file.size, mark })).id;
      await sendFile(file, made, setPart);
      await queries.invalidateQueries({ queryKey: [api.exchange.imports.path] });
      await go({ to: "/imports/$file", params: { file: made } });
    } catch (thrown) {
      setWrong(thrown);
    } finally {
      setPart(null);
      if (picked.current) picked.current.value = "";
    }
  };
  return (
    <Part title={w.hand} says={w.handSays}>
      <div className="form">
        <label className="button primary pick" aria-disabled={part !== null}>
          {w.choose}
          <input
            ref={picked}
            className="unseen"
            type="file"
            accept=".csv,.txt,.jsonl,.ndjson,.gz"
            disabled={part !== null}
            onChange={(event) => {
              const [file] = event.target.files ?? [];
              if (file) void hand(file);
            }}
          />
        </label>
        {part !== null && (
          <p role="status">
            <progress max={1} value={part} aria-label={w.sending} /> {w.sending} {format.part(part)}
          </p>
        )}
        {wrong !== null && (
          <p role="alert" className="refusal">
            {wrong instanceof Problem && wrong.message ? wrong.message : w.cutOff}
          </p>
        )}
      </div>
    </Part>
  );
}
