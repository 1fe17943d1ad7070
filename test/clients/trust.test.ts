// Whoever reads a page's key can say anything with it. By whatever client's body it is said: a forged identify, order,
// price, company or friendship, and another's token, move nothing and show nothing; and no token is kept anywhere.
import { afterAll, beforeAll, expect, test } from "vitest";
import { pumps } from "../../src/app.ts";
import type { PersonKey } from "../../src/kernel/sql.ts";
import * as people from "../../src/people/service.ts";
import { rejectedOf, shoppersOf, sourceOf, stage, stored, type Stage } from "./harness.ts";
import { protocolOf, speak, speakers, type Fact, type Speaker } from "./speaking.ts";

let at: Stage;
beforeAll(async () => {
  at = await stage();
});
afterAll(() => at[Symbol.asyncDispose]());

async function work() {
  const { consume, plan, merge, relay } = pumps(at.house, null);
  for (let busy = 1; busy > 0;)
    busy = (await consume()) + (await plan()) + (await merge()) + (await relay());
}
async function say(speaker: Speaker, key: string, facts: readonly Fact[]) {
  const answers: { status: number; body: string }[] = [];
  for (const { path, headers, body } of speak(speaker, key, facts)) {
    const answer = await fetch(`${at.url}${path}`, { method: "POST", headers, body });
    answers.push({ status: answer.status, body: await answer.text() });
  }
  return answers;
}
type Row = { table: string; row: Record<string, unknown> };
async function everything(): Promise<Row[]> {
  const tables = await at.owner<{ name: string }[]>`
    select table_name as name from information_schema.tables
    where table_schema = 'public' and table_type = 'BASE TABLE' order by 1`;
  const all: Row[] = [];
  for (const { name } of tables)
    for (const { row } of await at.owner<{ row: Record<string, unknown> }[]>`
      select to_jsonb(t) as row from ${at.owner(name)} t`)
      all.push({ table: name, row });
  return all;
}
/** All that is known of somebody, and of what the shop sells, in whatever table it stands; a page's claims apart. */
async function standing(ids: readonly string[]) {
  const shops = /^(catalog|orders|companies|relations|offers|traits)_/;
  return (await everything())
    .filter(({ table, row }) => !(table === "orders_told" && row["claim"] === true))
    .map(({ table, row }) => ({ table, text: JSON.stringify(row) }))
    .filter(({ table, text }) => shops.test(table) || ids.some((id) => text.includes(id)))
    .map(({ table, text }) => `${table} ${text}`)
    .toSorted();
}
/** What somebody sees who shows this token. */
async function shown(token: string) {
  const headers = { authorization: `Bearer ${token}` };
  const paths = ["/v1/me/profile", "/v1/me/relations", "/v1/me/coupons", "/v1/me/inbox"];
  const seen = await Promise.all(paths.map((path) => at.ask("GET", path, { headers })));
  return JSON.stringify(seen.map(({ body }) => body));
}

/** What a page claims with somebody else's number; `mine` is the attacker's own token. */
function forgeries(victim: string, email: string, sku: string, order: string, mine: string) {
  const evil = { anonymous: `evil-${victim}` };
  const traits = { email, city: "Nowhere", birthday: "2000-01-01" };
  const goods = [{ product_id: sku, sku, name: "Forged", price: 0.01, quantity: 9 }];
  const sale = { order_id: order, total: 0.01, revenue: 0.01, currency: "CNY", products: goods };
  const track = (name: string, data: Record<string, unknown>) => ({
    ...{ kind: "track" as const, name, data, user: victim },
  });
  const claims: Omit<Fact, "id">[] = [
    { kind: "identify", user: victim, traits },
    { kind: "alias", user: victim, previous: "somebody" },
    { kind: "alias", user: "somebody", previous: victim },
    { kind: "group", user: victim, group: "rich", traits: { name: "Forged", role: "owner" } },
    track("Order Completed", sale),
    track("Order Updated", sale),
    track("Order Refunded", sale),
    track("Order Cancelled", sale),
    track("order_completed", { ...sale, order_id: `${order}-new` }),
    track("Product Updated", { product_id: sku, sku, name: "Forged", price: 0.01, stock: 0 }),
    track("Order Line", { order, sku, quantity: 9, unitPrice: 1 }),
    track("User Followed", { other: "friend" }),
    track("User Blocked", { other: "friend" }),
    track("unbind", { user: victim }),
    track("Consent Given", { purpose: "marketing", email }),
  ];
  return [{}, evil, { token: mine }, { ...evil, token: mine }].flatMap((more, i) =>
    claims.map((claim, j) => ({ ...claim, ...more, id: `f-${i}-${j}` })),
  );
}

test.each<Speaker>([...speakers, "jitsuOld"])(
  "%s: what a page claims of somebody moves nothing and shows nothing",
  async (speaker) => {
    const protocol = protocolOf(speaker);
    const server = await sourceOf(at, "liuke");
    const page = await sourceOf(at, protocol, "public", {}, server.id);
    const tokenFor = await shoppersOf(at, server.id);
    const [victim, attacker] = [`victim-${speaker}`, `attacker-${speaker}`];
    const email = `${victim}@example.com`;
    const [sku, order] = [`SKU-${speaker}`, `O-${speaker}`];
    const goods = [{ product_id: sku, name: "Tea", price: 50, quantity: 2 }];
    const truth: Fact[] = [
      { kind: "identify", id: "1", user: victim, traits: { email, city: "Paris" } },
      { kind: "identify", id: "2", user: attacker, traits: { city: "Rome" } },
      { kind: "identify", id: "3", user: "friend", traits: { city: "Bonn" } },
      {
        ...{ kind: "track", id: "4", user: victim, name: "Order Completed" },
        data: { order_id: order, total: 100, currency: "CNY", products: goods },
      },
      {
        ...{ kind: "track", id: "5", name: "Product Updated" },
        data: { product_id: sku, name: "Tea", price: 50, stock: 7 },
      },
    ];
    for (const { status } of await say("own", server.key, truth)) expect(status).toBe(200);
    await work();
    const find = (user: string) =>
      people.byIdentifier(at.house, at.sql, "user_id", user, server.id) as Promise<PersonKey>;
    const [person, other] = [await find(victim), await find("friend")];
    const nodes = [
      ...(await people.nodesOf(at.sql, person)),
      ...(await people.nodesOf(at.sql, other)),
    ];
    const ids = [person.personId, other.personId, ...nodes.map(({ nodeId }) => nodeId)];
    const before = await standing(ids);
    expect(before.filter((row) => /^(orders|catalog)_/.test(row) && row.includes(sku))).not.toEqual(
      [],
    );
    const mine = await tokenFor(attacker);
    const shownBefore = await shown(mine);

    const answers = await say(speaker, page.key, forgeries(victim, email, sku, order, mine));
    // Nobody hears from the answer whether there is such a person, order or product.
    const nobody = forgeries(`nobody-${speaker}`, "nobody@example.com", "NO-SKU", "NO-ORDER", mine);
    const unknown = await say(
      speaker,
      page.key,
      nobody.map((one) => ({ ...one, id: `${one.id}-n` })),
    );
    const plain = (all: typeof answers) =>
      all.map(({ status, body }) => ({ status, body: body.replaceAll(/"id":"[^"]*"/g, "") }));
    expect(plain(answers)).toEqual(plain(unknown));
    await work();

    expect(await standing(ids)).toEqual(before);
    const rows = await stored(at, page.id);
    expect(rows.length).toBeGreaterThan(10);
    for (const row of rows) {
      expect([row.name, row.sender?.includes(`user_id:${victim}`)]).toEqual([row.name, false]);
      expect(row.links.filter((link) => /^(user_id|email|phone):/.test(link))).toEqual([]);
    }
    // The attacker sees what is theirs, as before, and nothing of anybody else.
    const seen = await shown(mine);
    for (const word of [email, "Paris", victim, person.personId]) expect(seen).not.toContain(word);
    expect(seen).toContain("Rome");
    expect(shownBefore).toContain("Rome");
  },
);

test("no token is kept, of an event that was taken, refused or could not be read, by any client", async () => {
  const server = await sourceOf(at, "liuke");
  const tokenFor = await shoppersOf(at, server.id);
  const secrets: string[] = [];
  const sources: { id: string; owner: Record<string, string> }[] = [];
  for (const speaker of [...speakers.filter((one) => one !== "own"), "jitsuOld" as const])
    for (const kind of ["server", "public"] as const) {
      const source = await sourceOf(at, protocolOf(speaker), kind, {}, server.id);
      sources.push(source);
      const user = `shopper-${speaker}-${kind}`;
      const token = await tokenFor(user);
      const stale = await tokenFor(user, "-1h");
      secrets.push(token, stale);
      const common = { user, anonymous: `a-${user}`, kind: "track" as const };
      const facts: Fact[] = [
        { ...common, id: "1", name: "Shelf Seen", token, data: { n: 1 } },
        { ...common, id: "2", kind: "identify", traits: { city: "Rome" }, token },
        { ...common, id: "3", name: "Shelf Seen", token: stale, data: { n: 2 } },
        { ...common, id: "4", name: "x".repeat(300), token }, // too long a name
        { ...common, id: "5", name: "Shelf Seen", at: Date.UTC(1970, 1, 1), token: stale }, // too old
      ];
      await say(speaker, source.key, facts);
      // A body that breaks off, with the token in it.
      for (const { path, headers, body } of speak(speaker, source.key, facts))
        if (speaker !== "sensors")
          await fetch(`${at.url}${path}`, {
            method: "POST",
            headers: { ...headers, "x-write-key": source.key },
            body: body.slice(0, -1),
          });
      const rows = await stored(at, source.id);
      const linked = rows.filter(
        ({ sender, links }) => sender === `user_id:${user}` && links.length,
      );
      // The token, not the page's word, is what made the link.
      expect([speaker, kind, linked.length > 0]).toEqual([speaker, kind, true]);
      for (const row of rows)
        for (const secret of [token, stale, token.slice(-40), stale.slice(-40)])
          expect([speaker, JSON.stringify(row).includes(secret)]).toEqual([speaker, false]);
    }
  await work();
  const { ship } = pumps(at.house, null);
  while ((await ship()) > 0);
  const everywhere = [
    ...(await everything()).map(({ table, row }) => ({ place: table, text: JSON.stringify(row) })),
    { place: "columns", text: JSON.stringify(await at.columns.read("select * from event")) },
  ];
  for (const source of sources) {
    const rejected = await rejectedOf(at, source);
    expect(rejected.length).toBeGreaterThan(1);
    everywhere.push({ place: `rejected ${source.id}`, text: JSON.stringify(rejected) });
  }
  const holding = everywhere.flatMap(({ place, text }) => {
    // As it is, and in what was coded once more.
    const coded = [...text.matchAll(/[\w+/-]{60,}={0,2}/g)].map(([one]) =>
      Buffer.from(one, "base64").toString(),
    );
    return secrets.some((one) => [text, ...coded].some((t) => t.includes(one.slice(-40))))
      ? [place]
      : [];
  });
  expect([...new Set(holding)]).toEqual([]);
}, 120_000);
