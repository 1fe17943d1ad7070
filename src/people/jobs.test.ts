import fc from "fast-check";
import { expect, test } from "vitest";
import { accept } from "#collect/service.ts";
import { nodeKeys, openSealed } from "#privacy/service.ts";
import type { Identifier } from "./rules.ts";
import { routes as collectRoutes } from "#collect/routes.ts";
import { folded, shop, type Shop } from "../../test/shop.ts";
import * as service from "./service.ts";

let n = 0;
const identify = (user: string, traits: Record<string, unknown>, at = "2026-02-01T00:00:00Z") => ({
  key: String(n++),
  name: "identify",
  user,
  at,
  traits,
});
const send = async (here: Shop, events: object[], as: keyof Shop["as"] = "server") => {
  const { body } = await here.ask("POST", "/v1/events", { headers: here.as[as], body: { events } });
  await folded(here.house);
  return body;
};
const personOf = async ({ house, sql, server }: Shop, user: string) =>
  (await service.byIdentifier(house, sql, "user_id", user, server.id))!;
const profile = async ({ sql }: Shop, personId: string) => {
  const [row] = await sql<{ attributes: Record<string, { v: unknown; c: number; at: string }> }[]>`
    select attributes from people_profile where person_id = ${personId}`;
  return row?.attributes ?? {};
};

test("identify: names are sealed, addresses find the person, the rest is an attribute with its source", async () => {
  await using here = await shop(collectRoutes);
  const told = await send(here, [
    identify("u1", {
      email: "Ann@Example.com",
      phone: "+86 138 0013 8000",
      firstName: "Ann",
      city: "Wuhan",
      birth_month: 5,
      nickname: "Annie",
    }),
  ]);
  const ann = await personOf(here, "u1");
  expect(Object.fromEntries(await service.allFields(here.house, here.sql, ann))).toEqual({
    email: "Ann@Example.com",
    phone: "+86 138 0013 8000",
    first_name: "Ann",
  });
  const [{ id } = { id: "" }] = told["results"] as { id: string }[];
  expect(await profile(here, ann.personId)).toEqual({
    city: { v: "Wuhan", s: "identify", at: "2026-02-01T00:00:00.000Z", c: 1, id },
    birth_month: { v: 5, s: "identify", at: "2026-02-01T00:00:00.000Z", c: 1, id },
  });
  const { house, sql } = here;
  expect(await service.byIdentifier(house, sql, "email", "ann@example.com")).toEqual(ann);
  expect(await service.byIdentifier(house, sql, "phone", "+8613800138000")).toEqual(ann);
});

test.each([[[0, 1]], [[1, 0]]])(
  "the later word counts, in whichever order they come: %j",
  async (order) => {
    await using here = await shop(collectRoutes);
    const said = [
      identify("u1", { city: "Wuhan", name: "Ann Lee" }, "2026-02-01T00:00:00Z"),
      identify("u1", { city: "Xi'an", name: "Ann Wang" }, "2026-02-05T00:00:00Z"),
    ];
    for (const i of order) await send(here, [said[i]!]);
    const ann = await personOf(here, "u1");
    expect((await profile(here, ann.personId))["city"]?.v).toBe("Xi'an");
    expect(await service.fields(here.house, here.sql, [ann], "name")).toEqual(
      new Map([[ann.personId, "Ann Wang"]]),
    );
  },
);

test("an address that is another's merges nobody, and a tag says so with the event", async () => {
  await using here = await shop(collectRoutes);
  await send(here, [identify("u1", { email: "home@example.com", phone: "13800138000" })]);
  const body = await send(here, [
    identify(
      "u2",
      { email: "home@example.com", phone: "138 0013 8000", city: "Wuhan" },
      "2026-02-02T00:00:00Z",
    ),
  ]);
  const [ann, ben] = [await personOf(here, "u1"), await personOf(here, "u2")];
  expect(ben.personId).not.toBe(ann.personId);
  expect(await service.byIdentifier(here.house, here.sql, "email", "home@example.com")).toEqual(
    ann,
  );
  expect((await profile(here, ben.personId))["city"]?.v).toBe("Wuhan");
  const tags = await here.sql`
    select t.person_id, t.tag, t.value, l.cause from people_tag t join people_tag_log l on l.id = t.log_id`;
  expect([...tags]).toEqual([
    {
      personId: ben.personId,
      tag: "identifier_conflict",
      value: "email,phone",
      cause: (body["results"] as { id: string }[])[0]!.id,
    },
  ]);
});

test("a visitor of the page may say where they live, with less weight, and nothing by which to find them", async () => {
  await using here = await shop(collectRoutes);
  const visitor = {
    ...identify("", { city: "Wuhan", shoe: "41" }),
    user: undefined,
    anonymous: "v1",
  };
  const body = await send(here, [visitor], "page");
  expect(body).toMatchObject({ accepted: 1 });
  const [row] = await here.sql<{ personId: string }[]>`select person_id from people_person`;
  expect(await profile(here, row!.personId)).toMatchObject({ city: { v: "Wuhan", c: 0.5 } });
});

/** Whose each event is and who goes with whom, by identifiers: no id that chance made is in it. */
async function picture({ house, sql }: Shop) {
  const rows = await sql<
    { type: string; nodeId: string; sealed: Buffer; bucket: number; person: string }[]
  >`
    select type, node_id, sealed, bucket, person_id as person from people_node`;
  const keys = await nodeKeys(house, sql, rows);
  const name = new Map(
    rows.map(({ type, nodeId, sealed }) => [
      nodeId,
      `${type}:${openSealed(keys.get(nodeId)!, "people_node|sealed", nodeId, sealed)}`,
    ]),
  );
  const led = await sql<{ person: string; nodeId: string }[]>`
    select home_id as person, node_id from people_node`;
  const leader = new Map(led.map(({ person, nodeId }) => [person, name.get(nodeId)!]));
  const events = await sql<{ id: string; person: string | null; n: number }[]>`
    select e.id, o.person_id as person, count(*) over (partition by e.id)::int as n from collect_event e
    left join people_owner o on o.bucket = e.bucket and o.node_id = e.node_id
      and (e.at, e.id) >= (o.from_at, o.from_id) and (e.at, e.id) < (o.until_at, o.until_id) order by e.id`;
  expect(events.every(({ n }) => n === 1)).toBe(true);
  const visible = await sql<{ person: string }[]>`select person_id as person from people_person`;
  const refused = await sql<
    { nodeId: string; otherNodeId: string; reason: string; eventId: string }[]
  >`
    select node_id, other_node_id, reason, event_id from people_refusal`;
  const profiles = await sql<{ person: string; attributes: unknown }[]>`
    select f.person_id as person, f.attributes from people_profile f join people_person using (bucket, person_id)
    where f.attributes <> '{}'`;
  return {
    owners: rows.map((row) => `${name.get(row.nodeId)} ${leader.get(row.person)}`).toSorted(),
    events: events.map(({ id, person }) => `${id} ${leader.get(person!)}`),
    visible: visible.map(({ person }) => leader.get(person)).toSorted(),
    refused: refused
      .map((r) => `${name.get(r.nodeId)} ${name.get(r.otherNodeId)} ${r.reason} ${r.eventId}`)
      .toSorted(),
    profiles: profiles
      .map(({ person, attributes }) => `${leader.get(person)} ${JSON.stringify(attributes)}`)
      .toSorted(),
  };
}

const someone = fc.constantFrom<Identifier>(
  { type: "user_id", value: "u1" },
  { type: "user_id", value: "u2" },
  { type: "user_id", value: "guest" },
  { type: "anonymous_id", value: "a1" },
  { type: "anonymous_id", value: "a2" },
  { type: "device", value: "d1" },
  { type: "email", value: "a@x.example" },
  { type: "phone", value: "+8613800138000" },
);
const history = fc.array(
  fc.record({
    sender: someone,
    links: fc.array(someone, { maxLength: 2 }),
    day: fc.integer({ min: 1, max: 9 }),
    name: fc.constantFrom("identify", "identify", "alias", "bind", "unbind", "Product Viewed"),
    city: fc.constantFrom("Wuhan", "Xi'an"),
  }),
  { minLength: 1, maxLength: 10 },
);
test("one set of events comes to one state, whatever the order, the slices, the doubles and the late ones", async () => {
  await fc.assert(
    fc.asyncProperty(
      history.chain((all) =>
        fc.tuple(
          fc.constant(all),
          fc.shuffledSubarray([...all.keys()], { minLength: all.length }),
          fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 10, maxLength: 10 }),
        ),
      ),
      async ([all, order, sizes]) => {
        const events = all.map(({ sender, links, day, name, city }, i) => ({
          ...{ key: `k${i}`, name, at: new Date(Date.UTC(2026, 1, day)), sender, links },
          data: name === "identify" ? { $traits: { city } } : {},
        }));
        const run = async (slices: (typeof events)[]) => {
          await using here = await shop(collectRoutes);
          await here.owner`update collect_source set id = ${"00000000-0000-7000-8000-000000000001"} where id = ${here.server.id}`;
          const source = { id: "00000000-0000-7000-8000-000000000001", kind: "server" as const };
          for (const slice of slices) {
            await here.sql.begin((tx) => accept(here.house, tx, source, slice));
            await folded(here.house);
          }
          return await picture(here);
        };
        const slices: (typeof events)[] = [];
        for (let i = 0, n = 0; i < order.length; i += sizes[n - 1]!)
          slices.push(order.slice(i, i + sizes[n++]!).map((at) => events[at]!));
        expect(await run([...slices, slices[0]!])).toEqual(await run([events]));
      },
    ),
    { numRuns: Number(process.env["FC_RUNS"] ?? 12), endOnFailure: true },
  );
}, 120_000);
