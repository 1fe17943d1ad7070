// Who somebody is comes out after what they did: a visitor looks around for days, then signs in; more of what they did
// comes in late; two people use one device. All of it over HTTP by the Segment client's own path, with the program's
// own work behind it. Everything ends with whom it belongs to: profile, figures, segments, orders.
import { expect, test } from "vitest";
import { pumps } from "../../src/app.ts";
import { sourceOf, stage, type Stage } from "../clients/harness.ts";
import { settled } from "../settled.ts";

const day = 86_400_000;
type Said = Record<string, unknown> & { at: number };
/** What a client of Segment's puts on the wire. */
const sender = (at: Stage, key: string) => {
  let n = 0;
  return async (...all: Said[]) => {
    const batch = all.map(({ at: when, ...one }) => ({
      ...{ messageId: `m${n++}`, type: "track", timestamp: new Date(when).toISOString() },
      ...one,
    }));
    const answer = await fetch(`${at.url}/v1/batch`, {
      method: "POST",
      headers: { authorization: `Basic ${btoa(`${key}:`)}`, "content-type": "application/json" },
      body: JSON.stringify({ batch, sentAt: new Date().toISOString() }),
    });
    expect([answer.status, await answer.json()]).toEqual([200, { success: true }]);
  };
};
const viewed = (sku: string, price: number) => ({
  event: "Product Viewed",
  properties: { product_id: sku, price, category: "shoes" },
});
const bought = (ref: string, total: number) => ({
  event: "Order Completed",
  properties: {
    ...{ order_id: ref, total, currency: "CNY" },
    products: [{ product_id: "S1", price: total, quantity: 1 }],
  },
});

async function ready(at: Stage) {
  const source = await sourceOf(at, "segment");
  const { owner } = source;
  const made = async (path: string, body: unknown) => {
    const answer = await at.ask("POST", path, { headers: owner, body });
    if (answer.status >= 300) throw new Error(JSON.stringify(answer.body));
    return answer.body;
  };
  await made("/v1/traits", {
    ...{ name: "looks", label: { zh: "浏览次数", en: "Looks" }, fn: "count" },
    ...{ event: "Product Viewed", hours: 30 * 24 },
  });
  const segment = async (en: string, rule: unknown) =>
    String((await made("/v1/segments", { name: { zh: en, en }, rule, purpose: "analysis" }))["id"]);
  const keen = await segment("Keen", {
    ...{ kind: "events", event: "Product Viewed", is: "ge", count: 3 },
    window: { kind: "days", days: 30 },
  });
  const buyers = await segment("Buyers", {
    ...{ kind: "number", attribute: "orders", is: "ge", value: 1 },
  });
  const work = pumps(at.house, null);
  await settled(work);
  /** What an operator sees of whoever has this number. */
  const member = async (user: string) => {
    const found = await at.ask("POST", "/v1/members/find", {
      headers: owner,
      body: { userId: user, source: source.id },
    });
    const id = String(found.body["personId"]);
    const { body } = await at.ask("GET", `/v1/members/${id}`, { headers: owner });
    const attributes = Object.fromEntries(
      (body["attributes"] as { name: string; value: unknown }[]).map(({ name, value }) => [
        name,
        value,
      ]),
    );
    const segments = await at.sql<{ segmentId: string }[]>`
      select segment_id from segments_member where person_id = ${id}`;
    const named = new Map([
      [keen, "keen"],
      [buyers, "buyers"],
    ]);
    const orders = await at.sql<{ ref: string }[]>`
      select ref from orders_order where person_id = ${id} order by ref`;
    return {
      id,
      attributes,
      segments: segments.map(({ segmentId }) => named.get(segmentId)!).toSorted(),
      orders: orders.map(({ ref }) => ref),
    };
  };
  return { source, work, member, keen, buyers };
}

test("what a visitor did for days is theirs once they sign in, and what comes in late as well", async () => {
  await using at = await stage();
  const { source, work, member, keen } = await ready(at);
  const send = sender(at, source.key);
  const now = Date.now();
  const visitor = "visitor-1";
  await send({ ...viewed("S1", 80), anonymousId: visitor, at: now - 9 * day });
  await settled(work);
  await send({ ...viewed("S2", 90), anonymousId: visitor, at: now - 5 * day });
  await send({ ...bought("A1", 80), anonymousId: visitor, at: now - 4 * day });
  await settled(work);
  // Known elsewhere before, with a look and an order of their own.
  await send(
    { ...viewed("S3", 70), userId: "u1", at: now - 20 * day },
    { ...bought("A2", 70), userId: "u1", at: now - 19 * day },
  );
  await settled(work);
  expect(await member("u1")).toMatchObject({
    attributes: { orders: 1, looks: 1 },
    segments: ["buyers"],
    orders: ["A2"],
  });

  await send({
    ...{ type: "identify", userId: "u1", anonymousId: visitor, traits: { city: "Wuhan" } },
    at: now - 3 * day,
  });
  await settled(work);
  const known = await member("u1");
  expect(known).toMatchObject({
    attributes: { orders: 2, spent_minor: 15_000, looks: 3, city: "Wuhan" },
    segments: ["buyers", "keen"],
    orders: ["A1", "A2"],
  });
  // It is the sign-in that let them in.
  const [entered] = await at.sql<{ name: string }[]>`
    select e.name from segments_log l join collect_event e on e.id = l.cause
    where l.segment_id = ${keen} and l.person_id = ${known.id} and l.change = 'entered'`;
  expect(entered).toEqual({ name: "identify" });
  // Nobody else is left behind with any of it.
  expect([
    ...(await at.sql`select count(*)::int as n from segments_member where segment_id = ${keen}`),
  ]).toEqual([{ n: 1 }]);
  expect([...(await at.sql`select count(*)::int as n from people_person`)]).toEqual([{ n: 1 }]);

  // Out of a phone that was offline: dated before the sign-in, and in a batch with what came after.
  await send(
    { ...viewed("S4", 60), anonymousId: visitor, at: now - 8 * day },
    { ...bought("A3", 60), anonymousId: visitor, at: now - 7 * day },
    { ...viewed("S5", 50), userId: "u1", at: now - day },
  );
  await settled(work);
  expect(await member("u1")).toMatchObject({
    attributes: { orders: 3, looks: 5 },
    orders: ["A1", "A2", "A3"],
  });
}, 60_000);

test("on a device that two people use, each event is whose it was at its time", async () => {
  await using at = await stage();
  const { source, work, member } = await ready(at);
  const send = sender(at, source.key);
  const now = Date.now();
  const anonymousId = "shared-1";
  await send(
    { ...viewed("S1", 80), anonymousId, at: now - 20 * day },
    { ...viewed("S2", 80), anonymousId, at: now - 19 * day },
    { type: "identify", userId: "ann", anonymousId, traits: {}, at: now - 18 * day },
    { ...viewed("S3", 80), anonymousId, at: now - 17 * day },
  );
  await settled(work);
  expect(await member("ann")).toMatchObject({ attributes: { looks: 3 }, segments: ["keen"] });
  await send(
    { type: "identify", userId: "ben", anonymousId, traits: {}, at: now - 10 * day },
    { ...viewed("S4", 80), anonymousId, at: now - 9 * day },
    { ...bought("B1", 80), anonymousId, at: now - 8 * day },
  );
  await settled(work);
  expect(await member("ann")).toMatchObject({ attributes: { looks: 3 }, segments: ["keen"] });
  expect(await member("ben")).toMatchObject({
    attributes: { looks: 1, orders: 1 },
    segments: ["buyers"],
    orders: ["B1"],
  });
  // Late: of Ann's time, then of Ben's.
  await send({ ...bought("A1", 80), anonymousId, at: now - 15 * day });
  await send(
    { ...viewed("S5", 80), anonymousId, at: now - 7 * day },
    { ...viewed("S6", 80), anonymousId, at: now - 6 * day },
  );
  await settled(work);
  expect(await member("ann")).toMatchObject({
    attributes: { looks: 3, orders: 1 },
    segments: ["buyers", "keen"],
    orders: ["A1"],
  });
  expect(await member("ben")).toMatchObject({
    attributes: { looks: 3, orders: 1 },
    segments: ["buyers", "keen"],
    orders: ["B1"],
  });
  // A sign-in of Ben's that comes in late, before everything of his: what he did in between was no longer Ann's.
  await send({ type: "identify", userId: "ben", anonymousId, traits: {}, at: now - 17.5 * day });
  await settled(work);
  expect(await member("ann")).toMatchObject({ attributes: { looks: 2 }, orders: [] });
  expect(await member("ben")).toMatchObject({
    attributes: { looks: 4, orders: 2 },
    orders: ["A1", "B1"],
  });
}, 60_000);
