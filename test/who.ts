// Random words of who is who, as several clients of one shop put them, and all that stands of their people once everything
// is worked out: by what they are called and by instants, so that two installations that heard the same can be compared.
import { randomUUID } from "node:crypto";
import { doctor } from "../src/doctor.ts";
import type { House } from "../src/kernel/endpoint.ts";
import * as people from "../src/people/service.ts";
import { normalised } from "../src/privacy/rules.ts";
import * as privacy from "../src/privacy/service.ts";
import type { Ask } from "./authz.ts";

/** A small generator of numbers from a seed: mulberry32. */
export function numbers(seed: number) {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const below = (n: number) => Math.floor(next() * n);
  const pick = <T>(all: readonly T[]): T => all[below(all.length)]!;
  const shuffled = <T>(all: readonly T[]): T[] => {
    const mixed = [...all];
    for (let i = mixed.length - 1; i > 0; i--) {
      const j = below(i + 1);
      [mixed[i], mixed[j]] = [mixed[j]!, mixed[i]!];
    }
    return mixed;
  };
  return { next, below, pick, shuffled };
}
export type Chance = ReturnType<typeof numbers>;

// ── what is said ──

type Fields = Record<string, unknown>;
/** One word by one of the shop's sources. `at`: ms; no two words of one test have the same. */
export type Word = { n: number; at: number; via: Via; item: Fields; path?: string };
export const vias = ["segment", "posthog", "sensors", "rudderstack", "own", "page"] as const;
export type Via = (typeof vias)[number];

const cities = ["Wuhan", "Xi'an", "Beijing", "Suzhou"];
const iso = (at: number) => new Date(at).toISOString();

/** Names of one history's people; of two histories none are the same, but those that say nobody. */
function namesOf(h: string, chance: Chance) {
  const of = (kind: string, n: number) => `${kind}${chance.below(n)}-${h}`;
  const spelt = (n: number) => {
    const number = `138${h.padStart(4, "0").slice(-4)}${String(n).padStart(4, "0")}`;
    const parts = `${number.slice(0, 3)} ${number.slice(3, 7)} ${number.slice(7)}`;
    return chance.pick([
      number,
      `+86${number}`,
      `0086 ${parts}`,
      `+86 ${parts}`,
      parts.replaceAll(" ", "-"),
    ]);
  };
  return {
    user: () => (chance.next() < 0.04 ? chance.pick(["null", "unknown", "0"]) : of("u", 4)),
    anonymous: () => (chance.next() < 0.04 ? chance.pick(["anonymous", "-"]) : of("a", 5)),
    email: () => {
      const plain = of("e", 3);
      return chance.pick([`${plain}@x.com`, `${plain.toUpperCase()}@X.com`, ` ${plain}@X.COM`]);
    },
    phone: () => spelt(chance.below(3)),
    device: () => of("d", 2),
    openid: () => of("o", 3),
    unionid: () => of("w", 2),
  };
}

export function history(
  h: string,
  size: number,
  from: number,
  stepMs: number,
  chance: Chance,
): Word[] {
  const name = namesOf(h, chance);
  const words: Word[] = [];
  for (let i = 0; i < size; i++) {
    const at = from + i * stepMs + chance.below(stepMs / 2);
    const n = Number(h) * 1000 + i;
    const add = (via: Via, item: Fields, path?: string) =>
      words.push({ n, at, via, item, ...(path ? { path } : {}) });
    const traits = {
      city: chance.pick(cities),
      ...(chance.next() < 0.3 ? { email: name.email() } : {}),
      ...(chance.next() < 0.3 ? { phone: name.phone() } : {}),
    };
    const looked = {
      name: "Product Viewed",
      data: { category: chance.pick(["tea", "toys"]), price: chance.below(9) },
    };
    const sees = (user?: string, anonymous?: string, via = chance.pick(vias)) =>
      add(via, { kind: "track", ...looked, user, anonymous });
    switch (chance.below(12)) {
      case 0:
      case 1:
        sees(name.user(), undefined);
        break;
      case 2:
      case 3:
        sees(undefined, name.anonymous());
        break;
      case 4:
        sees(name.user(), name.anonymous());
        break;
      case 5:
      case 6:
        add(chance.pick(["segment", "posthog", "sensors", "own", "page"]), {
          ...{ kind: "identify", user: name.user(), traits },
          ...(chance.next() < 0.6 ? { anonymous: name.anonymous() } : {}),
        });
        break;
      case 7:
        add(chance.pick(["segment", "posthog", "sensors"]), {
          ...{ kind: "alias", user: name.user(), strongly: chance.next() < 0.3 },
          previous: chance.next() < 0.5 ? name.user() : name.anonymous(),
        });
        break;
      case 8:
        add(chance.pick(["segment", "own"]), {
          ...{ kind: "track", name: chance.pick(["bind", "unbind", "unbind"]), user: name.user() },
          anonymous: name.anonymous(),
        });
        break;
      case 9: {
        const unbinds = chance.next() < 0.4;
        const one = chance.pick([
          { $identity_mobile: name.phone() },
          { $identity_email: name.email() },
          { $identity_mp_wx1_openid: name.openid() },
          { $identity_mp_wx2_openid: name.openid() },
          { $identity_mp_unionid: name.unionid() },
          { $identity_idfv: name.device() },
        ]);
        const who = chance.next() < 0.6 ? { user: name.user() } : { anonymous: name.anonymous() };
        add("sensors", { kind: unbinds ? "unbind" : "bind", ...who, identities: one });
        break;
      }
      case 10: {
        const typed = () =>
          chance.pick([
            { type: "user_id", value: name.user() },
            { type: "anonymous_id", value: name.anonymous() },
            { type: "email", value: name.email().trim() },
          ]);
        const sure = { type: "user_id", value: name.user() };
        add("rudderstack", { mergeProperties: [sure, typed()] }, "/v1/merge");
        break;
      }
      default:
        add(chance.pick(["segment", "posthog"]), {
          ...{ kind: "track", name: "Order Completed" },
          ...(chance.next() < 0.5 ? { user: name.user() } : { anonymous: name.anonymous() }),
          data: {
            ...{ order_id: `o-${n}`, total: 10 + chance.below(90), currency: "CNY" },
            products: [{ product_id: "S1", price: 10, quantity: 1 }],
          },
        });
    }
  }
  return words;
}

/** What a client of that kind puts on the wire for these words. */
export function wires(via: Via, key: string, words: readonly Word[]) {
  const json = { "content-type": "application/json" };
  const plain = words.filter(({ path }) => path === undefined);
  const others = words.filter(({ path }) => path !== undefined);
  const segment = ({
    n,
    at,
    item: { kind, name, user, anonymous, previous, traits, data },
  }: Word) => ({
    ...{ type: kind, messageId: `m-${n}`, event: name, userId: user, anonymousId: anonymous },
    ...{ previousId: previous, traits, properties: data, timestamp: iso(at) },
  });
  const posthog = ({ n, at, item }: Word) => ({
    event: {
      ...{ track: item["name"], identify: "$identify" },
      alias: item["strongly"] ? "$merge_dangerously" : "$create_alias",
    }[String(item["kind"])],
    ...{ uuid: `m-${n}`, distinct_id: item["user"] ?? item["anonymous"], timestamp: iso(at) },
    properties: {
      ...(item["data"] as Fields),
      ...(item["anonymous"] === undefined
        ? {}
        : { $device_id: item["anonymous"], $anon_distinct_id: item["anonymous"] }),
      ...(item["traits"] ? { $set: item["traits"] } : {}),
      ...(item["previous"] === undefined ? {} : { alias: item["previous"] }),
    },
  });
  const sensors = ({ n, at, item }: Word) => ({
    type: {
      ...{ track: "track", identify: "profile_set", alias: "track_signup" },
      ...{ bind: "track_id_bind", unbind: "track_id_unbind" },
    }[String(item["kind"])],
    distinct_id: item["user"] ?? item["anonymous"],
    ...(item["anonymous"] === undefined ? {} : { anonymous_id: item["anonymous"] }),
    ...(item["user"] === undefined ? {} : { login_id: item["user"] }),
    ...(item["previous"] === undefined ? {} : { original_id: item["previous"] }),
    ...(item["identities"] === undefined ? {} : { identities: item["identities"] }),
    ...{ _track_id: n, time: at, event: item["name"] ?? "Said" },
    properties: { ...(item["data"] as Fields), ...(item["traits"] as Fields) },
  });
  const own = ({ n, at, item: { kind, name, user, anonymous, traits, data } }: Word) => ({
    ...{ key: `m-${n}`, name: name ?? kind, at: iso(at), user, anonymous },
    ...{ data: data ?? {}, traits: traits ?? {} },
  });
  const basic = { ...json, authorization: `Basic ${btoa(`${key}:`)}` };
  const requests: { path: string; headers: Record<string, string>; text: string }[] = others.map(
    ({ n, at, item, path }) => ({
      ...{ path: path!, headers: basic },
      text: JSON.stringify({ messageId: `m-${n}`, timestamp: iso(at), ...item }),
    }),
  );
  if (plain.length === 0) return requests;
  const text = JSON.stringify;
  switch (via) {
    case "posthog":
      requests.push({
        path: "/batch/",
        headers: json,
        text: text({ api_key: key, batch: plain.map(posthog) }),
      });
      break;
    case "sensors":
      requests.push({
        path: `/sa?project=${key}`,
        headers: { "content-type": "application/x-www-form-urlencoded" },
        text: `gzip=0&data_list=${encodeURIComponent(Buffer.from(text(plain.map(sensors))).toString("base64"))}`,
      });
      break;
    case "own":
      requests.push({
        ...{ path: "/v1/events", headers: { ...json, authorization: `Bearer ${key}` } },
        text: text({ events: plain.map(own) }),
      });
      break;
    default:
      requests.push({
        path: "/v1/batch",
        headers: basic,
        text: text({ batch: plain.map(segment) }),
      });
  }
  return requests;
}

// ── a shop that hears it ──

export type Here = { house: House; ask: Ask };
const protocolOf = { own: "liuke", page: "segment", rudderstack: "rudderstack" } as Record<
  string,
  string
>;
/** The shop's sources, which share its numbers of people, each with a key; the page's is one that anybody can read. */
export async function sources({ ask }: Here, owner: Record<string, string>) {
  const made: Partial<Record<Via, { id: string; key: string }>> = {};
  let first: string | null = null;
  for (const via of vias) {
    const kind = via === "page" ? "public" : "server";
    const body = { name: `${via} ${randomUUID()}`, kind, protocol: protocolOf[via] ?? via };
    const source = await ask("POST", "/v1/sources", { headers: owner, body });
    const id = String(source.body["id"]);
    if (first !== null)
      await ask("PATCH", `/v1/sources/${id}`, { headers: owner, body: { shares: first } });
    first ??= id;
    const key = await ask("POST", "/v1/keys", {
      headers: owner,
      body: { name: via, permissions: ["events:write"], source: id },
    });
    made[via] = { id, key: String(key.body["key"]) };
  }
  return made as Record<Via, { id: string; key: string }>;
}

const named = (name: string) => ({ zh: name, en: name });
/** The same trait, tag and segments in either shop. */
export async function rules({ ask }: Here, owner: Record<string, string>) {
  const made = async (path: string, body: object) => {
    const answer = await ask("POST", path, { headers: owner, body });
    if (answer.status !== 200) throw new Error(`${path} ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  await made("/v1/traits", {
    ...{ name: "views_week", label: named("views"), event: "Product Viewed" },
    ...{ fn: "count", hours: 168, where: [] },
  });
  const viewed = { kind: "events", event: "Product Viewed", is: "ge", count: 2 };
  const all = {
    looked: { ...viewed, window: { kind: "hours", hours: 72 } },
    local: { kind: "text", attribute: "city", in: ["Wuhan"] },
    weekly: { kind: "number", attribute: "views_week", is: "ge", value: 3 },
  };
  for (const [name, rule] of Object.entries(all))
    await made("/v1/segments", { name: named(name), rule, purpose: "analysis" });
}

type Row = Record<string, unknown>;
export type Known = { labels: string[] } & Row;
/** All that stands of everybody, each by their identifiers: "type:value". What differs from shop to shop is left out. */
export async function known({ sql, house }: Pick<Here, "house"> & { sql: House["sql"] }) {
  const nodes = await sql<
    {
      bucket: number;
      nodeId: string;
      type: string;
      sealed: Buffer;
      personId: string;
      split: boolean;
      homeId: string;
    }[]
  >`select bucket, node_id, type, sealed, person_id, split, home_id from people_node`;
  const keys = await privacy.nodeKeys(house, sql, [...nodes]);
  const label = new Map(
    nodes.map(({ nodeId, type, sealed }) => [
      nodeId,
      `${type}:${normalised(type, privacy.openSealed(keys.get(nodeId)!, "people_node|sealed", nodeId, sealed))}`,
    ]),
  );
  const home = new Map(nodes.map(({ homeId, nodeId }) => [homeId, label.get(nodeId)!]));
  const has = Map.groupBy(nodes, ({ personId }) => personId);
  const people_ = await sql<
    { bucket: number; personId: string }[]
  >`select bucket, person_id from people_person`;
  const spans = await sql<{ nodeId: string; personId: string; ms: number | null }[]>`
    select node_id, person_id, case when from_at > '-infinity' then extract(epoch from from_at)::float8 * 1000 end as ms
    from people_span order by node_id, from_at`;
  const events = new Map(
    (await sql<{ id: string; at: Date }[]>`select id, at from collect_event`).map(({ id, at }) => [
      id,
      at.toISOString(),
    ]),
  );
  /** Ids of events become their instants; ids of people, whoever they are while they are alone. */
  const plain = (value: unknown): unknown =>
    typeof value === "string"
      ? (events.get(value) ?? home.get(value) ?? value)
      : value instanceof Date
        ? value.toISOString()
        : typeof value === "bigint"
          ? String(value)
          : Array.isArray(value)
            ? value.map(plain)
            : value !== null && typeof value === "object"
              ? Object.fromEntries(
                  Object.entries(value)
                    .toSorted(([a], [b]) => (a < b ? -1 : 1))
                    .map(([k, v]) => [k, plain(v)]),
                )
              : value;
  const of = async (rows: Promise<readonly Row[]> | PromiseLike<readonly Row[]>) =>
    Map.groupBy(
      (await rows).map(({ personId, ...row }) => ({
        personId: String(personId),
        row: plain(row) as Row,
      })),
      ({ personId }) => personId,
    );
  const all = {
    profile: await of(
      sql`select person_id, a.key as name, a.value from people_profile cross join jsonb_each(attributes) a order by 2`,
    ),
    tags: await of(
      sql`select person_id, tag, value, kind, source, confidence, expires_at from people_tag order by tag`,
    ),
    likes: await of(
      sql`select person_id, category, round(score::numeric, 6)::text as score, times, bought, last_at from traits_preference order by category`,
    ),
    orders: await of(
      sql`select person_id, ref, kind, at, lines, items, amount_minor, currency from orders_order order by ref`,
    ),
    lines: await of(
      sql`select person_id, ref, sku, quantity, amount_minor, at from orders_line order by at, sku`,
    ),
    segments: await of(
      sql`select m.person_id, s.name_en from segments_member m join segments_segment s on s.id = m.segment_id order by 2`,
    ),
    coupons: await of(
      sql`select person_id, cause, state, order_ref from offers_coupon order by cause, issued_at`,
    ),
    counts: await of(sql`select person_id, coupons from offers_person order by 2`),
    consents: await of(sql`
      select distinct on (person_id, purpose, channel) person_id, purpose, channel, granted
      from messages_consent order by person_id, purpose, channel, seq desc`),
    messages: await of(
      sql`select person_id, cause, verdict, reason from messages_message order by cause`,
    ),
    enrolled: await of(sql`select person_id, arm, node from journeys_enrolment order by 2, 3`),
    arms: await of(sql`select person_id, arm, crossed from experiments_assignment order by 2, 3`),
    timers: await of(sql`
      select person_id, kind, count(*)::int as n from timer
      where kind not in ('segments.turn') group by 1, 2 order by 2`),
    refused: await of(sql`
      select n.person_id, r.node_id as said, r.other_node_id as other, r.at, r.reason
      from people_refusal r join people_node n using (bucket, node_id) order by r.at, r.reason`),
  };
  const fields = Map.groupBy(
    await people.everyField(house, sql, people_),
    ({ personId }) => personId,
  );
  const found = people_.map(({ personId }): Known => {
    const row: Row = {};
    for (const [name, rows] of Object.entries(all))
      row[name] = (rows.get(personId) ?? []).map((one) => one.row);
    row["refused"] = (row["refused"] as Row[]).map((one) => ({
      ...one,
      said: label.get(String(one["said"])),
      other: label.get(String(one["other"])),
    }));
    row["refused"] = (row["refused"] as Row[]).map((one) => JSON.stringify(one)).toSorted();
    return {
      labels: (has.get(personId) ?? []).map(({ nodeId }) => label.get(nodeId)!).toSorted(),
      ...row,
      fields: (fields.get(personId) ?? [])
        .map(({ field, value, at }) => `${field} ${value} ${at.toISOString()}`)
        .toSorted(),
      home: home.get(personId) ?? null,
      spans: spans
        .filter((one) => one.personId === personId)
        .map(({ nodeId, ms }) => `${label.get(nodeId)} ${ms}`)
        .toSorted(),
    };
  });
  return found.toSorted((a, b) => (a.labels.join() < b.labels.join() ? -1 : 1));
}
/** Whose each event is, as the columns have it: its instant, and whoever that is while they are alone. */
export async function columnOwners({ sql, house }: Pick<Here, "house"> & { sql: House["sql"] }) {
  const nodes = await sql<
    { bucket: number; nodeId: string; type: string; sealed: Buffer; homeId: string }[]
  >`
    select bucket, node_id, type, sealed, home_id from people_node`;
  const keys = await privacy.nodeKeys(house, sql, [...nodes]);
  const home = new Map(
    nodes.map(({ homeId, nodeId, type, sealed }) => [
      homeId,
      `${type}:${normalised(type, privacy.openSealed(keys.get(nodeId)!, "people_node|sealed", nodeId, sealed))}`,
    ]),
  );
  const rows = await house.columns.read<{ at: string; person: string }>(
    `select toString(e.at) as at, toString(if(empty(owner.spans), owner.person_id, owner.spans[greatest(1, arrayLastIndex(
       s -> (s.1, s.2) <= (e.at, toString(e.id)), owner.spans))].3)) as person
     from event as e join (select node_id, person_id, spans from person_node final) as owner on e.node_id = owner.node_id
     order by at`,
  );
  return rows.map(({ at, person }) => `${at} ${home.get(person) ?? person}`);
}
export const broken = async (sql: House["sql"]) =>
  (await doctor(sql, { sample: 1 }))
    .filter(({ rows }) => rows > 0)
    .map(({ id, rows, what }) => `${id} ${rows}: ${what.en}`);
