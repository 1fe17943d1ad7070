import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { api, type Answer } from "../ui/call.ts";
import { Choice } from "../ui/form.tsx";
import { Broken, Empty, Page, Part, Wait } from "../ui/page.tsx";
import { useCall } from "../ui/session.tsx";
import { DataTable, type Column } from "../ui/table.tsx";
import { useFormat, useSaid, useWords } from "../ui/words.tsx";

type Compared = Answer<typeof api.segments.compare>;
type Row = { part: keyof Compared } & Compared["both"];
type Listed = Answer<typeof api.segments.list>["segments"][number];
/** So many segments stand in the matrix at most. */
const matrixLimit = 10;

/** Two segments side by side, and how many people each two share. */
export function CompareSegments() {
  const { t } = useWords();
  const said = useSaid();
  const navigate = useNavigate();
  const search = useSearch({ from: "/inside/segments/compare" });
  const { data, error, refetch } = useCall(api.segments.list, {});
  // Lists that were kept of one segment stand beside the segments of its level.
  const lists = useCall(
    api.segments.snapshots,
    search.of ? { segment: search.of } : undefined,
  ).data;
  const level = data?.segments.find(({ id }) => id === search.of)?.level ?? "person";
  const all = (data?.segments ?? []).filter((one) => one.level === level);
  const options = [
    ...all.map((one) => ({ value: `segment:${one.id}`, label: said(one.name) })),
    ...(lists?.snapshots ?? []).map(({ id, name }) => ({
      value: `snapshot:${id}`,
      label: t.segments.lists.at(name),
    })),
  ];
  const a = search.a ?? options[0]?.value;
  const b = search.b ?? options[1]?.value ?? options[0]?.value;
  const compared = useCall(api.segments.compare, a && b ? { a, b } : undefined);
  // What was compared before stands until the next answer is there: nothing below it comes and goes.
  const [last, setLast] = useState<Compared>();
  if (compared.data && compared.data !== last) setLast(compared.data);
  const go = (next: { a?: string; b?: string }) =>
    void navigate({
      to: "/segments/compare",
      search: { a: next.a ?? a!, b: next.b ?? b!, ...(search.of ? { of: search.of } : {}) },
    });
  return (
    <Page title={t.segments.compare.title} says={<Link to="/segments">{t.segments.back}</Link>}>
      {error && <Broken error={error} again={refetch} />}
      {data && all.length === 0 && <Empty says={t.segments.empty} />}
      {a && b && (
        <>
          <div className="filters wide">
            <Choice
              label={t.segments.compare.a}
              value={a}
              options={options}
              onChange={(value) => go({ a: value })}
            />
            <Choice
              label={t.segments.compare.b}
              value={b}
              options={options}
              onChange={(value) => go({ b: value })}
            />
          </div>
          {compared.error ? (
            <Broken error={compared.error} again={compared.refetch} />
          ) : (
            <Sides of={last} />
          )}
          {last && <Overlap segments={all.slice(0, matrixLimit)} />}
        </>
      )}
    </Page>
  );
}

function Sides({ of: data }: { of: Compared | undefined }) {
  const { t } = useWords();
  const format = useFormat();
  const columns = useMemo<Column<Row>[]>(
    () => [
      {
        id: "part",
        names: true,
        header: t.segments.compare.part,
        cell: ({ part }) => t.segments.compare[part],
      },
      {
        id: "people",
        numeric: true,
        header: t.segments.compare.people,
        cell: ({ people }) => format.number(people),
      },
      {
        id: "stages",
        width: "xl",
        header: t.member.stage,
        cell: ({ stages }) =>
          Object.entries(stages)
            .map(
              ([stage, people]) =>
                `${(t.stages as Record<string, string>)[stage] ?? (stage || t.none)} ${format.number(people)}`,
            )
            .join(" · "),
      },
    ],
    [t, format],
  );
  const rows = data
    ? (["onlyA", "both", "onlyB"] as const).map((part): Row => ({ part, ...data[part] }))
    : undefined;
  return (
    <Part title={t.segments.compare.sides}>
      <DataTable
        caption={t.segments.compare.sides}
        columns={columns}
        rows={rows}
        keyOf={({ part }) => part}
        expect={3}
      />
    </Part>
  );
}

function Overlap({ segments }: { segments: readonly Listed[] }) {
  const { t } = useWords();
  const said = useSaid();
  const format = useFormat();
  const { data, error, refetch } = useCall(
    api.segments.overlap,
    segments.length > 0 ? { segments: segments.map(({ id }) => id).join(",") } : undefined,
  );
  if (error) return <Broken error={error} again={refetch} />;
  const shared = new Map(
    data?.pairs.flatMap(({ a, b, people }) => [
      [`${a} ${b}`, people] as const,
      [`${b} ${a}`, people] as const,
    ]),
  );
  return (
    <Part title={t.segments.compare.overlap}>
      {data ? (
        <div
          className="scroller"
          tabIndex={0}
          role="region"
          aria-label={t.segments.compare.overlap}
        >
          <table className="matrix named">
            <thead>
              <tr>
                <td />
                {segments.map(({ id, name }) => (
                  <th key={id} scope="col">
                    {said(name)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {segments.map((row) => (
                <tr key={row.id}>
                  <th scope="row">{said(row.name)}</th>
                  {segments.map((column) => (
                    <td key={column.id} className="num">
                      {format.number(shared.get(`${row.id} ${column.id}`) ?? 0)}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : (
        <Wait width={32} />
      )}
    </Part>
  );
}
