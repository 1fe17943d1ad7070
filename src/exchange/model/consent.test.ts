// Consents in files: nobody agrees by a file to what they took back, and all of it comes out and in again as it was.
import { expect, test } from "vitest";
import * as messages from "#messages/service.ts";
import { open } from "../../../test/files.ts";
import { exportText } from "../export.ts";

const day = (n: number) => `2026-01-${String(n).padStart(2, "0")}T00:00:00.000Z`;
type Line = Record<string, string | boolean | undefined>;
const line = (user: string, at: number | string, granted: boolean, more: Line = {}) =>
  JSON.stringify({
    ...{ user, purpose: "marketing", channel: "email", granted, textVersion: "2026-01" },
    ...{ proof: "form:7", at: typeof at === "number" ? day(at) : at },
    ...more,
  });
type Here = Awaited<ReturnType<typeof open>>;

/** What holds of everybody, by the first thing that they are known by. */
async function holding(here: Here) {
  let text = "";
  const asked = { kind: "consents", format: "jsonl", names: true } as const;
  for await (const piece of exportText(here.house, asked)) text += piece;
  const rows = text
    .split("\n")
    .filter(Boolean)
    .map((row) => JSON.parse(row) as Record<string, string>);
  const found: Record<string, unknown> = {};
  const sql = here.sql;
  for (const { identifiers, person } of rows) {
    const [{ type, value }] = JSON.parse(identifiers!) as [{ type: string; value: string }];
    const [row] = await sql<{ bucket: number }[]>`
      select bucket from people_person where person_id = ${person!}`;
    const key = { bucket: row!.bucket, personId: person! };
    found[`${type} ${value}`] = await messages.consentsOf(sql, key, here.house.clocks.shop());
  }
  return { text, found };
}
const held = async (here: Here, who = "user_id u1") =>
  ((await holding(here)).found[who] as { purpose: string; channel: string; granted: boolean }[])
    .filter(({ granted }) => granted)
    .map(({ purpose, channel }) => `${purpose} ${channel}`);

test.each([
  [
    "a later withdrawal stands, whichever came in first",
    [line("u1", 3, false), line("u1", 2, true)],
  ],
  [
    "a word of one instant is taken for the stricter one",
    [line("u1", 3, true), line("u1", 3, false)],
  ],
  ["in the other order too", [line("u1", 3, false), line("u1", 3, true)]],
])("%s", async (_, lines) => {
  await using here = await open();
  // In one file, and each in a file of its own.
  await here.take("consents", lines.join("\n"), "both.jsonl");
  expect(await held(here)).toEqual([]);
  await using other = await open();
  for (const [n, one] of lines.entries()) await other.take("consents", one, `${n}.jsonl`);
  expect(await held(other)).toEqual([]);
  await other.take("consents", line("u1", 4, true), "later.jsonl");
  expect(await held(other)).toEqual(["marketing email"]);
});

test("what gives no time, is dated ahead, is nothing to agree to, or is nobody's word is refused by its field", async () => {
  await using here = await open();
  const bad = [
    line("u1", "", true),
    line("u1", "2099-01-01", true),
    line("u1", 2, true, { purpose: "everything" }),
    line("u1", 2, true, { channel: "use" }),
    line("u1", 2, true, { proof: "Ann said so by phone" }),
    line("u1", 2, true, { origin: "public" }),
    line("", 2, true),
  ];
  expect(
    await here.take("consents", [...bad, line("u2", 2, true)].join("\n"), "bad.jsonl"),
  ).toMatchObject({ lines: 8, accepted: 1, rejected: 7 });
  const rejected = await here.sql<{ field: string }[]>`
    select coalesce(field, '') as field from collect_rejected order by line`;
  expect(rejected.map(({ field }) => field)).toEqual([
    ...["at", "at", "purpose", "channel", "proof", "origin", "user"],
  ]);
  const open_ = { quoted: true, trust: "page" } as const;
  expect(await here.take("consents", line("u3", 2, true), "page.jsonl", open_)).toMatchObject({
    ...{ accepted: 0, rejected: 1 },
  });
  expect(Object.keys((await holding(here)).found)).toEqual(["user_id u2"]);
});

test.each([
  ["people first", ["people", "consents", "events"]],
  ["consents first", ["consents", "events", "people"]],
] as const)(
  "everything taken out and brought in to an empty shop comes to the same consents: %s",
  async (_, order) => {
    await using one = await open();
    const events = [
      { key: "a", name: "Tasted", user: "u1", at: day(1) },
      { key: "b", name: "Tasted", anonymous: "w1", at: day(1) },
      { key: "c", name: "Tasted", user: "u9", at: day(1) },
    ];
    await one.take("events", events.map((e) => JSON.stringify(e)).join("\n"), "e.jsonl");
    const lines = [line("u1", 2, true), line("u9", 2, true), line("u9", 5, false)];
    lines.push(line("", 2, true, { user: undefined, anonymous: "w1", channel: "inapp" }));
    await one.take("consents", lines.join("\n"), "c.jsonl");
    // And what somebody said here, on their own page.
    const [u1] = await one.sql<{ bucket: number; personId: string }[]>`
      select c.bucket, c.person_id from messages_consent c
      where not exists (select from messages_consent d where d.person_id = c.person_id and d.seq = 2)
        and c.channel = 'email'`;
    await one.sql.begin((tx) =>
      messages.setConsent(
        one.house,
        tx,
        [
          {
            ...{ person: u1!, purpose: "social", channel: "use", granted: true },
            ...{ textVersion: "2026-01", proof: "me", at: new Date(day(6)) },
          },
        ],
        new Date(),
      ),
    );
    const before = await holding(one);
    expect(Object.keys(before.found).toSorted()).toEqual([
      ...["anonymous_id w1", "user_id u1", "user_id u9"],
    ]);
    for (const format of ["csv", "jsonl"] as const) {
      await using other = await open();
      for (const kind of order)
        expect(
          await other.take(kind, await one.out(kind, format), `${kind}.${format}`),
        ).toMatchObject({ rejected: 0 });
      const after = await holding(other);
      expect(after.found).toEqual(before.found);
      // Once more from there, word for word but for the numbers of people.
      const bare = (text: string) =>
        text
          .replaceAll(/[\da-f]{8}-[\da-f-]{27}(:\d+)?/g, "")
          .replaceAll(/,"identifiers":.*/g, "")
          .split("\n")
          .toSorted();
      expect(bare(after.text)).toEqual(bare(before.text));
      // Consents have a file of their own, and are in that of events not once more.
      expect(await other.out("events", "csv")).not.toContain("Consent Told");
    }
  },
);

test("without the permission to find members, consents go out and name nobody", async () => {
  await using here = await open();
  await here.take("consents", line("u1", 2, true), "c.jsonl");
  const text = await here.out("consents", "jsonl", false);
  expect(text).toContain('"granted":"true"');
  expect(text).not.toContain("u1");
});
