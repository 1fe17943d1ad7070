import { expect, test } from "vitest";
import { addDays, instantOf } from "#kernel/clock.ts";
import { ok } from "#kernel/result.ts";
import type { Actor } from "#kernel/endpoint.ts";
import { server, type Failure } from "#kernel/http.ts";
import { newMetrics } from "#kernel/metrics.ts";
import { ringDue } from "#kernel/timers.ts";
import { failures } from "#lang/failures.ts";
import * as people from "#people/service.ts";
import { world, type World } from "../../test/database.ts";
import { know, timers } from "./jobs.ts";
import { routes } from "./routes.ts";

const zone = "Europe/London";
const today = "2011-09-09";
const sourceId = "01890000-0000-7000-8000-000000000001";
const operator: Actor = {
  id: "operator:1",
  permissions: new Set(["lifecycle:read"]),
  scope: { kind: "all" },
};
const web = (shop: World) => {
  const http = server({
    house: shop.house,
    authenticate: async () => ok(operator),
    routes,
    failures: failures as Record<string, Failure>,
    hosts: new Set(["localhost"]),
    proxies: new Set(),
    metrics: newMetrics(),
    metricsKey: null,
    ready: async () => true,
    version: "test",
  });
  return async <T>(path: string): Promise<T> => {
    const response = await http.request(`http://localhost${path}`, {
      headers: { host: "localhost" },
    });
    expect(response.status).toBe(200);
    return (await response.json()) as T;
  };
};
/** 150 customers, who buy every 10 to 29 days, the i-th for the last time i days ago. */
async function open() {
  const shop = await world({ timeZone: zone });
  shop.clock.shop = instantOf(`${today}T00:00`, zone);
  const senders = Array.from({ length: 150 }, (_, i) => ({
    type: "user_id" as const,
    value: `c${i}`,
    at: new Date(0),
  }));
  const nodes = await shop.sql.begin((tx) => people.nodesFor(shop.house, tx, sourceId, senders));
  const orders = senders.flatMap(({ value }, i) => {
    const { bucket, personId } = nodes.get(`user_id|${value}`)!;
    return Array.from({ length: 1 + (i % 6) }, (_, n) => {
      const day = addDays(today, -(i + 1) - n * (10 + ((i + n) % 20)));
      return {
        bucket,
        personId,
        sourceId,
        ref: `${i}-${n}`,
        kind: "sale",
        at: instantOf(`${day}T10:00`, zone),
        day,
        lines: 1,
        items: 1n,
        amountMinor: BigInt(1000 + 10 * i),
        currency: "GBP",
        eventId: shop.house.newId(),
      };
    });
  });
  await shop.sql`insert into orders_order ${shop.sql(orders)}`;
  return shop;
}

type Sentence = { zh: string; en: string };
type Board = {
  learned: { asOfDay: string };
  people: number;
  stages: { stage: string; people: number; shareBp: number }[];
  thresholds: {
    dormantAfterDays: number;
    closedGaps: number;
    openGaps: number;
    sentence: Sentence;
  };
  curve: { day: number; back: number; ofReturners: number }[];
  transitions: { moves: { from: string | null; to: string; people: number; byEvent: number }[] };
};
test("the board counts everybody once, says where its thresholds come from, and opens the people behind a change", async () => {
  await using shop = await open();
  const ask = web(shop);
  const empty = await ask<Board>("/v1/lifecycle");
  expect(empty).toMatchObject({ learned: null, people: 0, thresholds: null, curve: [] });

  await know(shop.house);
  const board = await ask<Board>("/v1/lifecycle");
  expect(board).toMatchObject({ learned: { asOfDay: today }, people: 150 });
  expect(board.stages.map(({ stage }) => stage)).toEqual(["new", "active", "dormant", "lost"]);
  expect(board.stages.reduce((sum, { people: n }) => sum + n, 0)).toBe(150);
  const { thresholds, curve } = board;
  expect(thresholds.openGaps).toBe(150);
  for (const text of Object.values(thresholds.sentence)) {
    expect(text).toContain(String(thresholds.dormantAfterDays));
    expect(text).toContain(String(thresholds.closedGaps));
  }
  for (const [i, point] of curve.entries())
    expect(point.back).toBeGreaterThanOrEqual(curve[i - 1]?.back ?? 0);
  expect(curve.at(-1)!.ofReturners).toBe(1);

  // Ten days later, by time alone, some have fallen silent; nobody ordered.
  shop.clock.shop = instantOf(`${addDays(today, 10)}T00:00`, zone);
  while ((await ringDue(shop.house, timers.slice(0, 1))) > 0);
  const { moves } = (await ask<Board>("/v1/lifecycle")).transitions;
  const fell = moves.find(({ from, to }) => from === "active" && to === "dormant")!;
  expect(fell.people).toBeGreaterThan(0);
  expect(moves.every(({ byEvent }) => byEvent === 0)).toBe(true);

  type Page = {
    transitions: { userId: string; from: string; to: string; sentence: Sentence }[];
    next: string | null;
  };
  const seen = new Set<string>();
  let after = "";
  do {
    const page: Page = await ask(
      `/v1/lifecycle/transitions?from=active&to=dormant&limit=2&after=${after}`,
    );
    for (const { userId, from, to, sentence } of page.transitions) {
      expect([from, to]).toEqual(["active", "dormant"]);
      expect(sentence.zh).toMatch(/^由活跃转为沉睡：已 \d+ 天没有购买，超过了 \d+ 天。$/);
      seen.add(userId);
    }
    after = page.next ?? "";
  } while (after !== "");
  expect(seen.size).toBe(fell.people);
  const first = await ask<Page>("/v1/lifecycle/transitions?from=none&limit=200");
  expect(first.transitions.length).toBe(150);
});

type Rfm = {
  people: number;
  meaning: Record<string, { score: number; least: unknown; most: unknown }[]>;
  cells: { r: number; f: number; people: number; byM: { people: number }[]; sentence: Sentence }[];
  segments: { segment: string; people: number; name: Sentence }[];
};
test("every customer stands in one square of the matrix and in one named segment", async () => {
  await using shop = await open();
  await know(shop.house);
  const rfm = await web(shop)<Rfm>("/v1/rfm");
  const sum = (list: { people: number }[]) => list.reduce((n, one) => n + one.people, 0);
  expect(rfm.cells.map(({ r, f }) => `${r}${f}`)).toEqual(
    [5, 4, 3, 2, 1].flatMap((r) => [5, 4, 3, 2, 1].map((f) => `${r}${f}`)),
  );
  expect([rfm.people, sum(rfm.cells), sum(rfm.segments)]).toEqual([150, 150, 150]);
  const tags = await shop.sql<{ cell: string; people: number }[]>`
    select left(value, 3) as cell, count(*)::int as people from people_tag
    where tag = 'rfm' group by 1`;
  for (const { r, f, people: n, byM, sentence } of rfm.cells) {
    expect(tags.find(({ cell }) => cell === `${r}-${f}`)?.people ?? 0).toBe(n);
    expect(sum(byM)).toBe(n);
    expect(sentence.zh).toContain(`${n} 人`);
  }
  // Scores meet without a gap: where one ends, the next begins. Fewer days are the better score, more of the rest.
  const { recencyDays, ...rest } = rfm.meaning;
  for (const list of [recencyDays!, ...Object.values(rest).map((one) => one.toReversed())]) {
    expect([list[0]!.least, list.at(-1)!.most]).toEqual([null, null]);
    for (const [i, { least }] of list.slice(1).entries())
      expect(Number(least)).toBe(Number(list[i]!.most) + 1);
  }
});

type Outlook = {
  model: string;
  shown: string[];
  sentence: Sentence;
  evidence: object | null;
  chances: { people: number }[];
  expectedOrders: number | null;
};
test("which model the orders bear is said in data and in words, and what is shown follows from it", async () => {
  await using shop = await open();
  const ask = web(shop);
  expect(await ask<Outlook>("/v1/outlook")).toMatchObject({
    model: "none",
    shown: [],
    expectedOrders: null,
  });
  const { learned } = await know(shop.house);
  const outlook = await ask<Outlook>("/v1/outlook");
  expect(outlook.model).toBe(learned.buying.model);
  expect(outlook.shown.includes("p_alive")).toBe(learned.buying.model === "bgnbd");
  expect(outlook.evidence).toMatchObject({ people: 150 });
  expect(outlook.chances.reduce((n, { people: here }) => n + here, 0)).toBe(150);
  expect(outlook.expectedOrders).toBeGreaterThan(0);
});
