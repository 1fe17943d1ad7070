import { expect, test } from "vitest";
import { routes as catalogRoutes } from "#catalog/routes.ts";
import * as people from "#people/service.ts";
import { folded, shop, type Shop } from "../../test/shop.ts";
import { routes } from "./routes.ts";

const line = (key: string, more: object = {}) => ({
  key,
  order: "A1",
  sku: "S1",
  name: "Cup",
  quantity: 2,
  unitPrice: "3.50",
  at: "2026-02-01T10:00:00+08:00",
  customer: "u1",
  ...more,
});
const send = async (here: Shop, lines: unknown[]) => {
  const answer = await here.ask("POST", "/v1/orders/lines", {
    headers: here.as.server,
    body: { lines },
  });
  await folded(here.house);
  return answer.body as {
    accepted: number;
    results: { verdict: string; reason: string; field: string }[];
  };
};
const personOf = async ({ house, sql, server }: Shop, user: string) =>
  (await people.byIdentifier(house, sql, "user_id", user, server.id))!.personId;

test("order lines become a member's orders, each line once, what is wrong named by its place", async () => {
  await using here = await shop([...routes, ...catalogRoutes]);
  const { results } = await send(here, [
    line("1"),
    line("1"),
    line("2", { sku: "S2", unitPrice: "1,5" }),
    line("3", { unitPrice: 3.5 }),
    line("4", { quantity: 1.5 }),
    line("5", { at: "2026-02-01 10:00" }),
    line("6", { at: "2026-03-09T00:00:00Z" }),
    line("7", { discount: 1 }),
    line("8", { quantity: 1, refund: true, at: "2026-02-03T10:00:00Z" }),
    line("9", { order: "A2", at: "2026-02-04T10:00:00Z" }),
  ]);
  expect(results.map(({ verdict, reason, field }) => [verdict, reason, field])).toEqual([
    ["accepted", null, null],
    ["double", null, null],
    ["refused", "invalid", "lines.2.unitPrice"],
    ["refused", "invalid", "lines.3.unitPrice"],
    ["refused", "invalid", "lines.4.quantity"],
    ["refused", "invalid", "lines.5.at"],
    ["refused", "not_yet", "lines.6.at"],
    ["refused", "invalid", "lines.7.discount"],
    ["accepted", null, null],
    ["accepted", null, null],
  ]);
  const path = `/v1/members/${await personOf(here, "u1")}/orders`;
  const { body } = await here.ask("GET", path, { headers: here.as.analyst });
  expect(body).toMatchObject({
    total: 3,
    next: null,
    orders: [
      { ref: "A2", kind: "sale", amountMinor: "700", currency: "CNY", day: "2026-02-04" },
      { ref: "A1", kind: "refund", amountMinor: "-350", lines: [{ quantity: -1, kind: "refund" }] },
      {
        ref: "A1",
        kind: "sale",
        amountMinor: "700",
        at: "2026-02-01T02:00:00.000Z",
        lines: [{ sku: "S1", name: "Cup", quantity: 2, unitPrice: "3.5000", amountMinor: "700" }],
      },
    ],
  });
  const paged: string[] = [];
  for (let after: string | null = ""; after !== null;) {
    const query: string = `limit=1${after && `&after=${encodeURIComponent(after)}`}`;
    const page = (await here.ask("GET", `${path}?${query}`, { headers: here.as.analyst })).body;
    paged.push(
      ...(page["orders"] as { ref: string; kind: string }[]).map(
        ({ ref, kind }) => `${ref} ${kind}`,
      ),
    );
    after = page["next"] as string | null;
  }
  expect(paged).toEqual(["A2 sale", "A1 refund", "A1 sale"]);
  // Before it happened it is in nobody's list.
  here.clock.shop = new Date("2026-02-02T00:00:00Z");
  expect((await here.ask("GET", path, { headers: here.as.analyst })).body).toMatchObject({
    total: 1,
  });
});

test("the same line by two servers at once is one line", async () => {
  await using here = await shop(routes);
  const answers = await Promise.all(
    Array.from({ length: 6 }, () =>
      here.ask("POST", "/v1/orders/lines", {
        headers: here.as.server,
        body: { lines: [line("1"), line("2")] },
      }),
    ),
  );
  expect(answers.reduce((sum, { body }) => sum + Number(body["accepted"]), 0)).toBe(2);
  await folded(here.house);
  expect([...(await here.sql`select lines, amount_minor from orders_order`)]).toEqual([
    { lines: 2, amountMinor: 1400n },
  ]);
});

test("an order line's words are for the catalogue; its customer stands nowhere in clear", async () => {
  await using here = await shop(routes);
  await send(here, [line("1", { customer: "canary@example.com" })]);
  const rows = await here.owner<{ text: string }[]>`
    select to_jsonb(e)::text as text from collect_event e union all select to_jsonb(n)::text from people_node n
    union all select to_jsonb(o)::text from outbox o union all select to_jsonb(p)::text from people_profile p`;
  expect(rows.length).toBeGreaterThan(3);
  expect(rows.some(({ text }) => text.includes("canary"))).toBe(false);
});
