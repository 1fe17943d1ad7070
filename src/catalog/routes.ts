import { answer, type Scope } from "#kernel/endpoint.ts";
import { unitPriceText } from "#kernel/money.ts";
import { fail, ok } from "#kernel/result.ts";
import * as api from "./api.ts";
import * as views from "./views.ts";

function afterOf(cursor: string | undefined): { sku: string; sourceId: string } | null {
  const [, sku, sourceId] =
    /^(.+)_([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/s.exec(cursor ?? "") ?? [];
  return sku && sourceId ? { sku, sourceId } : null;
}
/** A merchant sees their own goods; whoever is narrowed to anything else sees none. */
const merchantsOf = (scope: Scope) =>
  scope.kind === "all" ? null : scope.kind === "merchants" ? scope.merchants : [];
const list = answer(api.list, async ({ house, scope }, { query = "", after, limit }) => {
  const merchants = merchantsOf(scope);
  const asked = { query, merchants };
  const [total, rows] = await Promise.all([
    views.total(house.sql, asked),
    views.page(house.sql, asked, afterOf(after), limit + 1),
  ]);
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return ok({
    total,
    products: page.map(
      ({ sourceId, merchantId, unitPrice, stock, seenAt, firstAt, ...product }) => ({
        ...product,
        stock: stock === null ? null : Number(stock),
        source: sourceId,
        merchant: merchantId,
        unitPrice: unitPriceText(Number(unitPrice)),
        seenAt: seenAt.toISOString(),
        firstAt: firstAt.toISOString(),
      }),
    ),
    next: rows.length > limit && last ? `${last.sku}_${last.sourceId}` : null,
  });
});

const historyLimit = 200;
const history = answer(api.history, async ({ house, scope }, which) => {
  const name = await views.nameOf(house.sql, which, merchantsOf(scope));
  if (name === null) return fail("catalog.unknown");
  const [prices, stocks] = await Promise.all([
    views.prices(house.sql, which, historyLimit),
    views.stocks(house.sql, which, historyLimit),
  ]);
  return ok({
    name,
    prices: prices.map(({ at, eventId, unitPrice, currency }) => ({
      ...{ at: at.toISOString(), event: eventId, currency },
      unitPrice: unitPriceText(Number(unitPrice)),
    })),
    stocks: stocks.map(({ at, eventId, stock }) => ({
      at: at.toISOString(),
      event: eventId,
      stock: Number(stock),
    })),
  });
});

export const routes = [list, history];
