import { Link } from "@tanstack/react-router";
import { useCallback, useMemo } from "react";
import { Chart } from "../charts/plot.tsx";
import { api, type Answer } from "../ui/call.ts";
import { Broken, Part, Wait } from "../ui/page.tsx";
import { useCall } from "../ui/session.tsx";
import { DataTable } from "../ui/table.tsx";
import { useFormat, useWords } from "../ui/words.tsx";
import { rowsOf, useChanges, useNaming } from "./columns.tsx";

type Answered = Answer<typeof api.segments.changes>;
type Change = ReturnType<
  typeof rowsOf<Answered["changes"][number], Answered["companies"][number]>
>[number];

/** How large a segment was at the end of each of thirty days. The table says in figures what the line shows. */
export function Growth({ segment }: { segment: string }) {
  const { t } = useWords();
  const format = useFormat();
  const { data, error, refetch } = useCall(api.segments.history, { segment, days: "30" });
  const options = useCallback(
    (plot: typeof import("@observablehq/plot")) => ({
      className: "plot",
      marginLeft: 56,
      marginBottom: 32,
      x: {
        label: null,
        type: "point" as const,
        tickFormat: (day: string) => (day.endsWith("1") || day.endsWith("6") ? day.slice(5) : ""),
      },
      y: { label: null, grid: true, ticks: 4, zero: true },
      marks: [
        plot.lineY(data?.days ?? [], {
          x: "day",
          y: "people",
          stroke: "currentColor",
          curve: "step-after",
        }),
      ],
    }),
    [data],
  );
  if (error) return <Broken error={error} again={refetch} />;
  const last = data?.days.at(-1);
  return (
    <Part title={t.segments.size}>
      <Chart options={options} label={t.segments.size} height={200} />
      <p className="quiet">
        {last ? (
          `${last.day} · ${t.segments.entered} ${format.number(last.entered)} · ${t.segments.left} ${format.number(last.left)}`
        ) : (
          <Wait width={16} />
        )}
      </p>
    </Part>
  );
}

/** Who came and who went last, each with what brought it about. */
export function Changes({
  segment,
  level,
}: {
  segment: string;
  level: "person" | "company" | undefined;
}) {
  const { t } = useWords();
  const { data, error, refetch } = useCall(api.segments.changes, { segment, limit: "10" });
  const naming = useNaming<Change>(level);
  const columns = useChanges<Change>();
  const all = useMemo(() => [naming, ...columns], [naming, columns]);
  const rows = useMemo(() => data && rowsOf(data.changes, data.companies), [data]);
  if (error) return <Broken error={error} again={refetch} />;
  return (
    <Part title={t.segments.changes} className="grows">
      {rows?.length === 0 ? (
        <p className="quiet">{t.segments.noChanges}</p>
      ) : (
        <DataTable
          caption={t.segments.changes}
          columns={all}
          rows={rows}
          keyOf={({ personId, at, change }) => `${personId} ${at} ${change}`}
          expect={5}
        />
      )}
      {data && <Nameless recounts={data.recounts.slice(0, 1)} />}
      {data?.next && (
        <p>
          <Link to="/segments/$segment/changes" params={{ segment }}>
            {t.segments.changesAll}
          </Link>
        </p>
      )}
    </Part>
  );
}
/** Where more changed at once than is looked into, that is said. */
export function Nameless({
  recounts,
}: {
  recounts: Answer<typeof api.segments.changes>["recounts"];
}) {
  const { t } = useWords();
  const format = useFormat();
  return recounts.map(({ at, entered, left, asked }) => (
    <p key={at} className="quiet">
      {t.segments.nameless(format.at(at), format.number(entered + left), format.number(asked))}
    </p>
  ));
}
