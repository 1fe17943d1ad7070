import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useMemo } from "react";
import { api, call, type Answer } from "../ui/call.ts";
import { At, Broken, Empty, Page } from "../ui/page.tsx";
import { useCall, useMay } from "../ui/session.tsx";
import { DataTable, type Column } from "../ui/table.tsx";
import { useFormat, useWords } from "../ui/words.tsx";
import { SourceSettings } from "./source-settings.tsx";

type Rejected = Answer<typeof api.collect.rejected>["rejected"][number];

/** What one source sent that could not be taken in: where it stood, why not, and which field. */
export function RejectedOf() {
  const { t } = useWords();
  const format = useFormat();
  const reads = useMay()("house:write");
  const { source } = useParams({ from: "/inside/sources/$source" });
  const known = useCall(api.collect.sources, {}).data?.sources.find(({ id }) => id === source);
  const list = useInfiniteQuery({
    queryKey: [api.collect.rejected.path, source],
    queryFn: ({ pageParam, signal }) =>
      call(api.collect.rejected, pageParam ? { source, after: pageParam } : { source }, { signal }),
    initialPageParam: "",
    getNextPageParam: (last) => last.next,
  });
  const rows = useMemo(() => list.data?.pages.flatMap(({ rejected }) => rejected), [list.data]);
  const columns = useMemo<Column<Rejected>[]>(
    () => [
      {
        id: "line",
        header: t.sourcePage.line,
        width: "s",
        names: true,
        cell: ({ line }) => (line === null ? t.none : format.number(line)),
      },
      {
        id: "reason",
        width: "l",
        header: t.sourcePage.reason,
        cell: ({ reason }) => t.rejections[reason] ?? t.rejectionUnknown,
      },
      {
        id: "field",
        header: t.sourcePage.field,
        cell: ({ field }) => (field ? <code>{field}</code> : t.none),
      },
      { id: "at", header: t.when, cell: ({ at }) => <At at={at} /> },
      ...(reads
        ? [
            {
              id: "text",
              width: "l" as const,
              header: t.sourcePage.text,
              cell: ({ payload }: Rejected) =>
                payload && (
                  <details>
                    <summary>{t.sourcePage.show}</summary>
                    <pre>{payload}</pre>
                  </details>
                ),
            },
          ]
        : []),
    ],
    [t, format, reads],
  );
  const total = list.data?.pages[0]?.total;
  return (
    <Page
      title={known ? t.sourcePage.title(known.name) : t.sourcePage.titleAny}
      says={<Link to="/sources">{t.sourcePage.back}</Link>}
    >
      <SourceSettings source={source} />
      {list.error ? (
        <Broken error={list.error} again={list.refetch} />
      ) : rows?.length === 0 ? (
        <Empty says={t.sourcePage.none}>
          <Link to="/sources" className="button">
            {t.sourcePage.back}
          </Link>
        </Empty>
      ) : (
        <>
          <p className="count" aria-live="polite">
            {rows && total !== undefined
              ? t.list.shownOf(format.number(rows.length), format.number(total))
              : "\u00a0"}
          </p>
          <p className="count">{t.sourcePage.listSays}</p>
          <DataTable
            caption={t.sourcePage.titleAny}
            rows={rows}
            keyOf={({ id }) => id}
            total={total}
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
