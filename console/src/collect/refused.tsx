import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { lazy, Suspense, useMemo } from "react";
import { api, call, type Answer } from "../ui/call.ts";
import { Choice } from "../ui/form.tsx";
import { At, Broken, Empty, Page, Part } from "../ui/page.tsx";
import { useCall, useMay } from "../ui/session.tsx";
import { DataTable, type Column } from "../ui/table.tsx";
import { useFormat, useWords } from "../ui/words.tsx";

const MendMany = lazy(() =>
  import("./refused-many.tsx").then((part) => ({ default: part.MendMany })),
);
type List = Answer<typeof api.collect.rejected>;
type Refused = List["rejected"][number];
const filters = ["source", "reason", "name", "field", "run", "span"] as const;
export type Filter = Partial<Record<(typeof filters)[number], string>>;
const spans: Record<string, number> = { day: 1, week: 7 };
/** What is asked of the server at this moment: the last days end now. */
export function asked({ span, ...filter }: Filter): Omit<Filter, "span"> & { from?: string } {
  const days = span === undefined ? undefined : spans[span];
  if (days === undefined) return filter;
  return { ...filter, from: new Date(Date.now() - days * 86_400_000).toISOString() };
}

/** What could not be taken in, of all sources: why, how many, and the way to mend it. */
export function RefusedPage() {
  const { t } = useWords();
  const format = useFormat();
  const may = useMay();
  const go = useNavigate({ from: "/refused" });
  const search = useSearch({ from: "/inside/refused" });
  const filter = useMemo(
    () =>
      Object.fromEntries(
        filters.flatMap((name) => (search[name] ? [[name, search[name]]] : [])),
      ) as Filter,
    [search],
  );
  const sources = useCall(api.collect.sources, {}).data?.sources;
  const list = useInfiniteQuery({
    queryKey: [api.collect.rejected.path, filter],
    queryFn: ({ pageParam, signal }) =>
      call(
        api.collect.rejected,
        pageParam ? { ...asked(filter), after: pageParam } : asked(filter),
        { signal },
      ),
    initialPageParam: "",
    getNextPageParam: (last) => last.next,
  });
  const rows = useMemo(() => list.data?.pages.flatMap(({ rejected }) => rejected), [list.data]);
  const first = list.data?.pages[0];
  const set = (more: Filter) =>
    void go({ search: (had: Filter) => ({ ...had, ...more }), replace: true });
  const columns = useMemo<Column<Refused>[]>(
    () => [
      {
        id: "reason",
        header: t.sourcePage.reason,
        width: "l",
        names: true,
        cell: ({ id, reason }) =>
          may("imports:write") ? (
            <Link to="/refused/$item" params={{ item: id }} search={filter}>
              {t.rejections[reason] ?? t.rejectionUnknown}
            </Link>
          ) : (
            (t.rejections[reason] ?? t.rejectionUnknown)
          ),
      },
      {
        id: "field",
        header: t.sourcePage.field,
        cell: ({ field }) => (field ? <code>{field}</code> : t.refusedPage.whole),
      },
      { id: "name", header: t.refusedPage.event, cell: ({ name }) => name || t.none },
      { id: "source", header: t.sourcePage.name, cell: ({ sourceName }) => sourceName },
      {
        id: "line",
        header: t.sourcePage.line,
        numeric: true,
        cell: ({ line }) => (line === null ? t.none : format.number(line)),
      },
      { id: "at", header: t.refusedPage.came, cell: ({ at }) => <At at={at} /> },
    ],
    [t, format, may, filter],
  );
  const isFiltered = Object.keys(filter).length > 0;
  return (
    <Page title={t.nav.refused} says={t.refusedPage.says}>
      <div className="filters">
        <Choice
          label={t.sourcePage.name}
          value={filter.source ?? ""}
          options={[
            { value: "", label: t.planPage.allSources },
            ...(sources ?? []).map(({ id, name }) => ({ value: id, label: name })),
          ]}
          onChange={(source) => set({ source })}
        />
        <Counted
          label={t.sourcePage.reason}
          all={t.refusedPage.allReasons}
          value={filter.reason}
          options={first?.reasons.map(({ reason, count }) => ({
            value: reason,
            label: t.rejections[reason] ?? t.rejectionUnknown,
            count,
          }))}
          onChange={(reason) => set({ reason })}
        />
        <Counted
          label={t.refusedPage.event}
          all={t.refusedPage.allEvents}
          value={filter.name}
          options={first?.names
            .filter(({ name }) => name !== "")
            .map(({ name, count }) => ({ value: name, label: name, count }))}
          onChange={(name) => set({ name })}
        />
        <Choice
          label={t.refusedPage.came}
          value={filter.span ?? ""}
          options={[
            { value: "", label: t.refusedPage.month },
            { value: "week", label: t.refusedPage.week },
            { value: "day", label: t.refusedPage.day },
          ]}
          onChange={(span) => set({ span })}
        />
        {isFiltered && (
          <Link to="/refused" search={{}} className="button">
            {t.refusedPage.clear}
          </Link>
        )}
      </div>
      {filter.run && <p className="count">{t.refusedPage.ofRun}</p>}
      {filter.field && (
        <p className="count">
          {t.sourcePage.field} <code>{filter.field}</code>
        </p>
      )}
      {may("imports:write") && first && (
        <Suspense>
          <Part title={t.refusedPage.many} says={t.refusedPage.manySays}>
            <MendMany filter={filter} total={first.total} />
          </Part>
        </Suspense>
      )}
      {list.error ? (
        <Broken error={list.error} again={list.refetch} />
      ) : rows?.length === 0 ? (
        <Empty says={isFiltered ? t.refusedPage.noneHere : t.refusedPage.none}>
          <Link to="/sources" className="button">
            {t.nav.sources}
          </Link>
        </Empty>
      ) : (
        <>
          <p className="count" aria-live="polite">
            {rows && first
              ? t.list.shownOf(format.number(rows.length), format.number(first.total))
              : "\u00a0"}
            {first && first.beyond > 0 && (
              <strong> {t.refusedPage.beyond(format.number(first.beyond))}</strong>
            )}
          </p>
          <DataTable<Refused>
            caption={t.nav.refused}
            rows={rows}
            keyOf={({ id }) => id}
            total={first?.total}
            columns={columns}
          />
          {list.hasNextPage && (
            <button
              type="button"
              className="more"
              onClick={() => {
                if (!list.isFetchingNextPage) void list.fetchNextPage();
              }}
            >
              {list.isFetchingNextPage ? t.busy : t.list.more}
            </button>
          )}
        </>
      )}
    </Page>
  );
}

/** A choice whose options say how many there are of each. */
function Counted({
  label,
  all,
  value = "",
  options = [],
  onChange,
}: {
  label: string;
  all: string;
  value?: string | undefined;
  options?: readonly { value: string; label: string; count: number }[] | undefined;
  onChange: (value: string) => void;
}) {
  const { t } = useWords();
  const format = useFormat();
  const shown = options.map((one) => ({
    value: one.value,
    label: t.named(one.label, format.number(one.count)),
  }));
  if (value !== "" && !shown.some((one) => one.value === value))
    shown.unshift({ value, label: t.rejections[value] ?? value });
  return (
    <Choice
      label={label}
      value={value}
      options={[{ value: "", label: all }, ...shown]}
      onChange={onChange}
    />
  );
}
