import { expect, test } from "vitest";
import { consume } from "#collect/jobs.ts";
import { routes as collectRoutes } from "#collect/routes.ts";
import { shop, type Shop } from "../../test/shop.ts";
import { consume as plan } from "./jobs.ts";
import { routes } from "./routes.ts";

const settle = async ({ house }: Shop) => {
  while ((await consume(house, [plan], "plan")) > 0);
};
let n = 0;
const event = (name: string, data: object) => ({
  key: String(++n),
  name,
  anonymous: `v${n % 7}`,
  at: "2026-02-01T10:00:00Z",
  data,
});
const send = async (here: Shop, events: object[], as: "server" | "page" = "page") => {
  const { body } = await here.ask("POST", "/v1/events", { headers: here.as[as], body: { events } });
  await settle(here);
  return (
    body["results"] as { verdict: string; reason: string | null; field: string | null }[]
  ).map(({ verdict, reason, field }) => [verdict, reason, field]);
};
type Listed = {
  name: string;
  status: string;
  total: number;
  drift: { kind: string; property: string | null }[];
  days: { events: number }[];
};
const listed = async (here: Shop) =>
  (await here.ask("GET", "/v1/tracking-plan", { headers: here.as.analyst })).body[
    "events"
  ] as Listed[];
const one = async (here: Shop, name: string) => {
  const query = `source=${here.page.id}&name=${encodeURIComponent(name)}`;
  return (await here.ask("GET", `/v1/tracking-plan/event?${query}`, { headers: here.as.analyst }))
    .body as Listed & {
    looked: number;
    properties: { property: string; types: string[]; share: number; odd: number; known: boolean }[];
  };
};

test("the plan knows what came in by name and type, and holds no value and nobody's name", async () => {
  await using here = await shop([...routes, ...collectRoutes]);
  await send(here, [
    event("Product Viewed", { sku: "CANARY-1", price: 5, tags: ["a"] }),
    event("Product Viewed", { sku: "CANARY-2", price: "cheap" }),
    event("Cart Viewed", { products: [{ sku: "CANARY-3", price: 1 }, { sku: "CANARY-4" }] }),
    event("Wheel Spun", { prize: { name_of: "x", canary_12345678: 1 } }),
  ]);
  const events = await listed(here);
  expect(events.map(({ name, status, total }) => [name, status, total]).toSorted()).toEqual([
    ["Cart Viewed", "known", 1],
    ["Product Viewed", "known", 2],
    ["Wheel Spun", "unknown", 1],
  ]);
  const viewed = await one(here, "Product Viewed");
  expect(
    viewed.properties.map(({ property, types, share, odd, known }) => [
      property,
      types,
      share,
      odd,
      known,
    ]),
  ).toEqual([
    ["price", ["text", "number"], 1, 1, true],
    ["sku", ["text"], 1, 0, true],
    ["tags", ["list"], 0.5, 0, false],
  ]);
  expect(viewed.drift).toMatchObject([{ kind: "odd", property: "price" }]);
  expect((await one(here, "Cart Viewed")).properties.map(({ property }) => property)).toEqual([
    "products",
    "products[].price",
    "products[].sku",
  ]);
  const kept = await here.sql<{ text: string }[]>`
    select p::text as text from plan_property p union all select d::text from plan_property_day d
    union all select e::text from plan_event e`;
  expect(kept.some(({ text }) => /canary/i.test(text))).toBe(false);
});

test("names have a limit: what is beyond it is counted with the others", async () => {
  await using here = await shop([...routes, ...collectRoutes]);
  const many = Array.from({ length: 320 }, (_, i) => event(`Spun ${i}`, { [`p${i}`]: 1 }));
  await send(here, many);
  const [count] = await here.sql`
    select count(*)::int as names, sum(total)::int as events,
      max(total) filter (where name = '')::int as others from plan_event`;
  expect(count).toEqual({ names: 301, events: 320, others: 20 });
  await send(here, [
    event("Wide", Object.fromEntries(Array.from({ length: 80 }, (_, i) => [`p${i}`, i]))),
  ]);
  const [wide] = await here.sql`select count(*)::int as n from plan_property where name = 'Wide'`;
  expect(wide).toEqual({ n: 0 }); // the others have no properties
});

test("an event can be planned, and kept out: it is refused by name, its neighbours are not", async () => {
  await using here = await shop([...routes, ...collectRoutes]);
  const put = (path: string, body: object) =>
    here.ask("POST", `/v1/tracking-plan/${path}`, { headers: here.as.owner, body });
  await send(
    here,
    Array.from({ length: 5 }, () => event("Wheel Spun", { prize: "tea" })),
  );
  const which = { source: here.page.id, name: "Wheel Spun" };
  const properties = {
    prize: { type: "number", required: true },
    level: { type: "number", required: true },
  };
  expect((await put("plan", { ...which, properties })).status).toBe(200);
  const planned = await one(here, "Wheel Spun");
  expect([
    planned.status,
    planned.drift.map(({ kind, property }) => `${kind} ${property}`),
  ]).toEqual(["planned", ["off_plan prize", "off_plan level"]]);
  expect((await put("plan", { ...which, properties: null })).status).toBe(200);
  expect((await one(here, "Wheel Spun")).status).toBe("unknown");

  expect((await put("block", { ...which, blocked: true })).status).toBe(200);
  expect(
    await send(here, [event("Wheel Spun", {}), event("Product Viewed", { sku: "a" })]),
  ).toEqual([
    ["refused", "not_planned", "events.0.name"],
    ["accepted", null, null],
  ]);
  const [rejected] = await here.sql`select reason, field from collect_rejected`;
  expect(rejected).toEqual({ reason: "not_planned", field: "name" });
  expect((await send(here, [event("Wheel Spun", {})], "server"))[0]![0]).toBe("accepted"); // another source's own
  await put("block", { ...which, blocked: false });
  expect((await send(here, [event("Wheel Spun", {})]))[0]![0]).toBe("accepted");
  expect(
    (await put("block", { ...which, source: crypto.randomUUID(), blocked: true })).body["code"],
  ).toBe("collect.source_unknown");
});

test("drift shows after days: a property gone, a type changed, an event that is new", async () => {
  await using here = await shop([...routes, ...collectRoutes]);
  const start = here.clock.machine.getTime();
  for (let day = 0; day < 14; day++) {
    here.clock.machine = new Date(start + day * 86_400_000);
    const late = day >= 11;
    await send(here, [
      ...Array.from({ length: 30 }, (_, i) =>
        event("Level Reached", {
          score: late ? "9" : 9,
          ...(late && i > 3 ? {} : { world: "sea" }),
        }),
      ),
      ...(late ? [event("Wheel Spun", {})] : []),
    ]);
  }
  const drifts = Object.fromEntries(
    (await listed(here)).map(({ name, drift }) => [
      name,
      drift.map(({ kind, property }) => `${kind} ${property}`),
    ]),
  );
  expect(drifts).toEqual({
    "Level Reached": ["type_changed score", "missing world"],
    "Wheel Spun": ["new_event null"],
  });
});
