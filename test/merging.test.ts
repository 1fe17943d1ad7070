// Two who turn out to be one, and then do not: what was done with either goes along and comes back, as the program does it.
import { expect, test } from "vitest";
import { consumers, movers, refolders } from "../src/app.ts";
import { consume } from "../src/collect/jobs.ts";
import { routes } from "../src/collect/routes.ts";
import { accept } from "../src/collect/service.ts";
import { merge } from "../src/people/jobs.ts";
import * as people from "../src/people/service.ts";
import { shop } from "./shop.ts";

test("a merge takes every step, and its undoing leaves tags and profile as they were", async () => {
  await using here = await shop(routes);
  const { house, sql, server } = here;
  const source = { id: server.id, kind: "server" as const };
  const [visitor, user] = [
    { type: "anonymous_id", value: "a1" },
    { type: "user_id", value: "u1" },
  ] as const;
  let n = 0;
  const send = async (
    name: string,
    sender: typeof visitor | typeof user,
    links: (typeof user)[] = [],
    data = {},
  ) => {
    const at = new Date(Date.UTC(2026, 1, 1, n));
    await sql.begin((tx) =>
      accept(house, tx, source, [{ key: String(n++), name, at, sender, links, data }]),
    );
    while ((await consume(house, consumers)) > 0);
    while ((await merge(house, movers, refolders)) > 0);
  };
  await send("identify", visitor, [], { $traits: { city: "Wuhan" } });
  await send("Product Viewed", user);
  const a = (await people.byIdentifier(house, sql, "anonymous_id", "a1", server.id))!;
  const u = (await people.byIdentifier(house, sql, "user_id", "u1", server.id))!;
  await sql.begin((tx) =>
    people.setTags(tx, house.newId, [
      {
        person: a,
        tag: "kind",
        value: "yes",
        kind: "hand",
        source: "x",
        reason: {},
        at: new Date(0),
      },
    ]),
  );
  const state = async () => ({
    tags: [...(await sql`select * from people_tag order by person_id, tag`)],
    log: [...(await sql`select * from people_tag_log order by id`)],
    profiles: [
      ...(await sql`select person_id, attributes from people_profile where attributes <> '{}' order by 1`),
    ],
    // All but the stamp: it is never given twice, so that nobody who comes back is taken for as before.
    persons: [
      ...(await sql`select bucket, person_id, source_id, seen_at from people_person order by person_id`),
    ],
  });
  const before = await state();
  await send("identify", visitor, [user]);
  expect(await people.find(sql, a.personId)).toMatchObject({ value: u });
  expect([...(await sql`select person_id, tag from people_tag where kind = 'hand'`)]).toEqual([
    { personId: u.personId, tag: "kind" },
  ]);
  expect([...(await sql`select state from people_merge`)]).toEqual([{ state: "merged" }]);
  await send("unbind", user, [visitor as never]);
  expect([...(await sql`select state from people_merge`)]).toEqual([{ state: "parted" }]);
  expect(await state()).toEqual(before);
}, 60_000);
