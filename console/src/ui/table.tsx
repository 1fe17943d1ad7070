import { useMemo, useRef, type ReactNode } from "react";
import { createColumnHelper, tableFeatures, useTable } from "@tanstack/react-table";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { Wait } from "./page.tsx";

export type Column<R> = {
  id: string;
  header: ReactNode;
  cell: (row: R) => ReactNode;
  /** Figures stand right, under each other. */
  numeric?: boolean;
  /** The cell that names the row. */
  names?: boolean;
  /** Columns keep their widths while rows come and go: 112, 152, 208 or 360 px at least. */
  width?: "s" | "m" | "l" | "xl";
};
const features = tableFeatures({});
/** Longer lists keep only what is seen in the page. */
const wholeRows = 200;
export const rowHeight = 36;

/** A table that is as high while it loads as it will be: `expect` rows stand in for those to come. */
export function DataTable<R extends object>({
  caption,
  columns,
  rows,
  keyOf,
  total,
  expect = 10,
}: {
  caption: string;
  columns: readonly Column<R>[];
  rows: readonly R[] | undefined;
  keyOf: (row: R) => string;
  total?: number | undefined;
  expect?: number;
}) {
  const definitions = useMemo(() => {
    const helper = createColumnHelper<typeof features, R>();
    return columns.map((column) =>
      helper.display({
        id: column.id,
        header: () => column.header,
        cell: ({ row }) => column.cell(row.original),
      }),
    );
  }, [columns]);
  const byId = new Map(columns.map((column) => [column.id, column]));
  const data = useMemo(() => [...(rows ?? [])], [rows]);
  const table = useTable({ features, columns: definitions, data, getRowId: keyOf });
  const shown = table.getRowModel().rows;

  const body = useRef<HTMLTableSectionElement>(null);
  const isLong = shown.length > wholeRows;
  const virtual = useWindowVirtualizer({
    count: isLong ? shown.length : 0,
    estimateSize: () => rowHeight,
    overscan: 20,
    scrollMargin: body.current?.offsetTop ?? 0,
  });
  const items = virtual.getVirtualItems();
  const before = items[0] ? items[0].start - virtual.options.scrollMargin : 0;
  const after = items.length
    ? virtual.getTotalSize() - items.at(-1)!.end + virtual.options.scrollMargin
    : 0;
  const visible = isLong
    ? items.map(({ index }) => ({ index, row: shown[index]! }))
    : shown.map((row, index) => ({ row, index }));
  const look = (id: string) => {
    const column = byId.get(id);
    return (
      [column?.numeric && "numeric", column?.names && "names"].filter(Boolean).join(" ") ||
      undefined
    );
  };

  return (
    <div className="scroller" role="region" aria-label={caption} tabIndex={0}>
      <table aria-rowcount={total ?? (rows ? shown.length : -1)} aria-busy={!rows}>
        <caption className="unseen">{caption}</caption>
        <colgroup>
          {columns.map(({ id, width, numeric }) => (
            <col key={id} className={`col-${width ?? (numeric ? "s" : "m")}`} />
          ))}
        </colgroup>
        <thead>
          {table.getHeaderGroups().map((group) => (
            <tr key={group.id}>
              {group.headers.map((header) => (
                <th key={header.id} scope="col" className={look(header.column.id)}>
                  <table.FlexRender header={header} />
                </th>
              ))}
            </tr>
          ))}
        </thead>
        <tbody ref={body}>
          {before > 0 && <Gap height={before} span={columns.length} />}
          {visible.map(({ row, index }) => (
            <tr key={row.id} aria-rowindex={isLong ? index + 2 : undefined}>
              {row.getAllCells().map((cell) => (
                <td key={cell.id} className={look(cell.column.id)}>
                  <table.FlexRender cell={cell} />
                </td>
              ))}
            </tr>
          ))}
          {after > 0 && <Gap height={after} span={columns.length} />}
          {!rows && <Waiting columns={columns} rows={expect} />}
        </tbody>
      </table>
    </div>
  );
}

const Gap = ({ height, span }: { height: number; span: number }) => (
  <tr aria-hidden="true" style={{ height }}>
    <td colSpan={span} />
  </tr>
);
const Waiting = <R,>({ columns, rows }: { columns: readonly Column<R>[]; rows: number }) =>
  Array.from({ length: rows }, (_, row) => (
    <tr key={row} aria-hidden="true">
      {columns.map((column) => (
        <td key={column.id} className={column.numeric ? "numeric" : undefined}>
          <Wait width={column.numeric ? 3 : 8} />
        </td>
      ))}
    </tr>
  ));
