import { expect, test } from "vitest";
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
  await send(here, [
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
  expect(await profile(here, ann.personId)).toEqual({
    city: { v: "Wuhan", s: "identify", at: "2026-02-01T00:00:00.000Z", c: 1 },
    birth_month: { v: 5, s: "identify", at: "2026-02-01T00:00:00.000Z", c: 1 },
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
    identify("u2", { email: "home@example.com", phone: "138 0013 8000", city: "Wuhan" }),
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
