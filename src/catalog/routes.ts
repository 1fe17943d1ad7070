import { answer } from "#kernel/endpoint.ts";
import { unitPriceText } from "#kernel/money.ts";
import { ok } from "#kernel/result.ts";
import * as api from "./api.ts";
import * as views from "./views.ts";

function afterOf(cursor: string | undefined): { sku: string; sourceId: string } | null {
  const [, sku, sourceId] =
    /^(.+)_([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/s.exec(cursor ?? "") ?? [];
  return sku && sourceId ? { sku, sourceId } : null;
}
const list = answer(api.list, async ({ house, scope }, { query = "", after, limit }) => {
  // A merchant sees their own goods; whoever is narrowed to anything else sees none.
  const merchants = scope.kind === "all" ? null : scope.kind === "merchants" ? scope.merchants : [];
  const asked = { query, merchants };
  const [total, rows] = await Promise.all([
    views.total(house.sql, asked),
    views.page(house.sql, asked, afterOf(after), limit + 1),
  ]);
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return ok({
    total,
    products: page.map(({ sourceId, merchantId, unitPrice, seenAt, firstAt, ...product }) => ({
      ...product,
      source: sourceId,
      merchant: merchantId,
      unitPrice: unitPriceText(Number(unitPrice)),
      seenAt: seenAt.toISOString(),
      firstAt: firstAt.toISOString(),
    })),
    next: rows.length > limit && last ? `${last.sku}_${last.sourceId}` : null,
  });
});

export const routes = [list];
