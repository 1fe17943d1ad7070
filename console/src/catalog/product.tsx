import { Link, useSearch } from "@tanstack/react-router";
import { api, type Answer } from "../ui/call.ts";
import { At, Broken, Page, Part } from "../ui/page.tsx";
import { useCall } from "../ui/session.tsx";
import { DataTable } from "../ui/table.tsx";
import { useFormat, useWords } from "../ui/words.tsx";
import { price } from "./price.ts";

type History = Answer<typeof api.catalog.history>;
type Price = History["prices"][number];
type Stock = History["stocks"][number];

/** How a product's price and stock changed. */
export function ProductHistory() {
  const { t } = useWords();
  const { source = "", sku = "" } = useSearch({ from: "/inside/products/history" });
  const { data, error, refetch } = useCall(api.catalog.history, { source, sku });
  return (
    <Page
      title={data ? data.name || t.productPage.unnamed : sku}
      says={<code>{sku}</code>}
      actions={
        <Link to="/products" className="button">
          {t.nav.products}
        </Link>
      }
    >
      {error ? (
        <Broken error={error} again={refetch} />
      ) : (
        <div className="pair">
          <Prices rows={data?.prices} />
          <Stocks rows={data?.stocks} />
        </div>
      )}
    </Page>
  );
}

/** A row with what stood before it: the list begins with the newest. */
const withBefore = <R extends object>(rows: readonly R[] | undefined) =>
  rows?.map((row, i) => ({ ...row, before: rows[i + 1] ?? null }));

function Prices({ rows }: { rows: readonly Price[] | undefined }) {
  const { t } = useWords();
  const format = useFormat();
  const change = (now: Price, before: Price | null): string => {
    if (before === null) return t.productPage.first;
    const [from, to] = [Number(before.unitPrice), Number(now.unitPrice)];
    if (before.currency !== now.currency || from === 0 || from === to) return t.none;
    const by = format.share((Math.abs(to - from) / from) * 10_000);
    return to < from ? t.productPage.down(by) : t.productPage.up(by);
  };
  return (
    <Part title={t.productPage.prices}>
      {rows?.length === 0 ? (
        <p className="quiet">{t.productPage.noPrices}</p>
      ) : (
        <DataTable<Price & { before: Price | null }>
          caption={t.productPage.prices}
          rows={withBefore(rows)}
          keyOf={({ event }) => event}
          expect={3}
          columns={[
            { id: "at", header: t.when, names: true, cell: ({ at }) => <At at={at} /> },
            {
              id: "price",
              header: t.productPage.price,
              numeric: true,
              cell: ({ unitPrice, currency }) => price(unitPrice, currency, format.language),
            },
            {
              id: "change",
              header: t.productPage.was,
              cell: ({ before, ...now }) => change(now, before),
            },
          ]}
        />
      )}
    </Part>
  );
}

function Stocks({ rows }: { rows: readonly Stock[] | undefined }) {
  const { t } = useWords();
  const format = useFormat();
  const change = ({ stock }: Stock, before: Stock | null): string =>
    before === null
      ? t.productPage.first
      : stock <= 0
        ? t.productPage.out
        : before.stock <= 0
          ? t.productPage.back
          : `${stock > before.stock ? "+" : "−"}${format.number(Math.abs(stock - before.stock))}`;
  return (
    <Part title={t.productPage.stocks}>
      {rows?.length === 0 ? (
        <p className="quiet">{t.productPage.noStocks}</p>
      ) : (
        <DataTable<Stock & { before: Stock | null }>
          caption={t.productPage.stocks}
          rows={withBefore(rows)}
          keyOf={({ event }) => event}
          expect={3}
          columns={[
            { id: "at", header: t.when, names: true, cell: ({ at }) => <At at={at} /> },
            {
              id: "stock",
              header: t.productPage.stock,
              numeric: true,
              cell: ({ stock }) => format.number(stock),
            },
            {
              id: "change",
              header: t.productPage.was,
              cell: ({ before, ...now }) => change(now, before),
            },
          ]}
        />
      )}
    </Part>
  );
}
