import { Link } from "@tanstack/react-router";
import { useCallback, useMemo } from "react";
import { Chart } from "../charts/plot.tsx";
import { api, type Answer } from "../ui/call.ts";
import { At, Broken, Part, Wait } from "../ui/page.tsx";
import { useCall } from "../ui/session.tsx";
import { DataTable, type Column } from "../ui/table.tsx";
import { useFormat, useWords } from "../ui/words.tsx";

type Change = Answer<typeof api.segments.changes>["changes"][number];

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
      <Chart options={options} label={t.segments.size} height={2} />
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

/** Who came and who went, each with what brought it about. */
export function Changes({ segment }: { segment: string }) {
  const { t } = useWords();
  const { data, error, refetch } = useCall(api.segments.changes, { segment, limit: "10" });
  const columns = useMemo<Column<Change>[]>(
    () => [
      {
        id: "who",
        names: true,
        header: t.segments.who,
        cell: ({ personId, userId }) => (
          <Link to="/members/$person" params={{ person: personId }}>
            {userId ?? personId.slice(0, 8)}
          </Link>
        ),
      },
      { id: "change", header: t.segments.change, cell: ({ change }) => t.segments[change] },
      { id: "at", width: "l", header: t.segments.when, cell: ({ at }) => <At at={at} /> },
      {
        id: "cause",
        header: t.lifecycle.cause,
        cell: ({ cause, personId }) =>
          cause?.kind === "event" ? (
            <Link to="/trace" search={{ event: cause.id }}>
              {t.trace.walk}
            </Link>
          ) : cause ? (
            <Link to="/members/$person/trace" params={{ person: personId }}>
              {t.segments.byTag}
            </Link>
          ) : (
            t.segments.byTime
          ),
      },
    ],
    [t],
  );
  if (error) return <Broken error={error} again={refetch} />;
  return (
    <Part title={t.segments.changes} className="grows">
      {data?.changes.length === 0 ? (
        <p className="quiet">{t.segments.noChanges}</p>
      ) : (
        <DataTable
          caption={t.segments.changes}
          columns={columns}
          rows={data?.changes}
          keyOf={({ personId, at, change }) => `${personId} ${at} ${change}`}
          expect={5}
        />
      )}
    </Part>
  );
}
