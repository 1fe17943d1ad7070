import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo, type ReactNode } from "react";
import { call, type Call } from "./call.ts";
import { Broken, Empty } from "./page.tsx";
import { DataTable, type Column } from "./table.tsx";
import { useMay } from "./session.tsx";
import { useFormat, useWords } from "./words.tsx";

type Known = { personId: string; userId?: string | null };
/** A person by the shop's own number of them, leading to their page. */
export function Person({ personId, userId }: Known) {
  const may = useMay();
  const name = userId ?? personId.slice(0, 8);
  if (!may("members:read")) return <>{name}</>;
  return (
    <Link to="/members/$person" params={{ person: personId }}>
      {name}
    </Link>
  );
}

/**
 * The people behind a number, a page at a time. `rowsOf` finds them in the answer; `total`, where the answer says it,
 * is the number that was clicked.
 */
export function PeopleList<
  I extends object,
  O extends { next: string | null; total?: number },
  R extends Known,
>({
  to,
  input,
  rowsOf,
  keyOf = ({ personId }) => personId,
  columns,
  naming,
  caption,
  empty,
}: {
  to: Call<I, O>;
  input: I;
  rowsOf: (answer: O) => readonly R[];
  keyOf?: (row: R) => string;
  columns: readonly Column<R>[];
  /** The cell that names the row, where it is no person. */
  naming?: Column<R>;
  caption: string;
  empty: { says: string; action?: ReactNode };
}) {
  const { t } = useWords();
  const format = useFormat();
  const list = useInfiniteQuery({
    queryKey: [to.path, "list", input],
    queryFn: ({ pageParam, signal }) =>
      call(to, pageParam ? { ...input, after: pageParam } : input, { signal }),
    initialPageParam: "",
    getNextPageParam: (last) => last.next,
  });
  const rows = useMemo(
    () => list.data?.pages.flatMap((page) => [...rowsOf(page)]),
    [list.data, rowsOf],
  );
  const all = useMemo<Column<R>[]>(
    () => [
      naming ?? {
        ...{ id: "person", header: t.member.number, names: true },
        cell: (row) => <Person {...row} />,
      },
      ...columns,
    ],
    [columns, naming, t],
  );
  if (list.error) return <Broken error={list.error} again={list.refetch} />;
  if (rows?.length === 0) return <Empty says={empty.says}>{empty.action}</Empty>;
  const total = list.data?.pages[0]?.total;
  return (
    <>
      <p className="count" aria-live="polite">
        {rows
          ? total === undefined
            ? t.list.shown(format.number(rows.length))
            : t.list.shownOf(format.number(rows.length), format.number(total))
          : "\u00a0"}
      </p>
      <DataTable
        caption={caption}
        columns={all}
        rows={rows}
        keyOf={keyOf}
        total={total}
        expect={12}
      />
      {list.hasNextPage && (
        <button
          type="button"
          className="more"
          aria-disabled={list.isFetchingNextPage}
          onClick={() => {
            if (!list.isFetchingNextPage) void list.fetchNextPage();
          }}
        >
          {list.isFetchingNextPage ? t.busy : t.list.more}
        </button>
      )}
    </>
  );
}
