import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo } from "react";
import { api, call, type Answer } from "../ui/call.ts";
import { Field } from "../ui/form.tsx";
import { At, Broken, Empty, Page, Part } from "../ui/page.tsx";
import { DataTable, type Column } from "../ui/table.tsx";
import { useFormat, useWords } from "../ui/words.tsx";
import { price } from "./price.ts";

type Product = Answer<typeof api.catalog.list>["products"][number];

/** What the shop sells, as its server or a file told it. */
export function Products() {
  const { t } = useWords();
  const format = useFormat();
  const go = useNavigate({ from: "/products" });
  const { query = "" } = useSearch({ from: "/inside/products" });
  const list = useInfiniteQuery({
    queryKey: [api.catalog.list.path, query],
    queryFn: ({ pageParam, signal }) =>
      call(
        api.catalog.list,
        { ...(query ? { query } : {}), ...(pageParam ? { after: pageParam } : {}) },
        { signal },
      ),
    initialPageParam: "",
    getNextPageParam: (last) => last.next,
  });
  const rows = useMemo(() => list.data?.pages.flatMap(({ products }) => products), [list.data]);
  const columns = useMemo<Column<Product>[]>(
    () => [
      {
        id: "name",
        header: t.productPage.name,
        width: "l",
        names: true,
        cell: ({ source, sku, name }) => (
          <Link to="/products/history" search={{ source, sku }}>
            {name || t.productPage.unnamed}
          </Link>
        ),
      },
      { id: "sku", header: t.productPage.sku, cell: ({ sku }) => <code>{sku}</code> },
      {
        id: "category",
        header: t.productPage.category,
        cell: ({ category }) => category ?? t.none,
      },
      { id: "brand", header: t.productPage.brand, cell: ({ brand }) => brand ?? t.none },
      {
        id: "price",
        header: t.productPage.price,
        numeric: true,
        cell: ({ unitPrice, currency }) => price(unitPrice, currency, format.language),
      },
      {
        id: "stock",
        header: t.productPage.stock,
        numeric: true,
        cell: ({ stock }) =>
          stock === null ? t.none : stock <= 0 ? t.productPage.out : format.number(stock),
      },
      { id: "seen", header: t.productPage.seen, cell: ({ seenAt }) => <At at={seenAt} /> },
    ],
    [t, format],
  );
  const total = list.data?.pages[0]?.total;
  return (
    <Page title={t.nav.products} says={t.productPage.says}>
      <Part title={t.productPage.all}>
        <form
          className="filters"
          role="search"
          onSubmit={(event) => {
            event.preventDefault();
            const asked = String(new FormData(event.currentTarget).get("query") ?? "").trim();
            void go({ search: { query: asked }, replace: true });
          }}
        >
          <Field
            key={query}
            label={t.productPage.search}
            name="query"
            type="search"
            defaultValue={query}
            maxLength={100}
          />
        </form>
        {list.error ? (
          <Broken error={list.error} again={list.refetch} />
        ) : rows?.length === 0 ? (
          query ? (
            <p className="quiet">{t.productPage.none}</p>
          ) : (
            <Empty says={t.productPage.empty} />
          )
        ) : (
          <>
            <DataTable<Product>
              caption={t.productPage.all}
              rows={rows}
              total={total}
              keyOf={({ source, sku }) => `${source} ${sku}`}
              columns={columns}
            />
            {list.hasNextPage && (
              <button
                type="button"
                disabled={list.isFetchingNextPage}
                onClick={() => void list.fetchNextPage()}
              >
                {t.productPage.more}
              </button>
            )}
          </>
        )}
      </Part>
    </Page>
  );
}
