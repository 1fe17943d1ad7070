import fc from "fast-check";
import { expect, test } from "vitest";
import { world } from "../../test/database.ts";
import {
  derivedFields,
  directFields,
  isDerived,
  isDirect,
  looksDirect,
  normalised,
} from "./rules.ts";
import { blindOf, makeNodeKeys, nodeKeys, openSealed, seal, tombstoned } from "./service.ts";

test("a field is direct or derived, never both, and what is on no list is neither", () => {
  for (const field of directFields)
    expect([isDirect(field), isDerived(field)]).toEqual([true, false]);
  for (const field of derivedFields)
    expect([isDirect(field), isDerived(field)]).toEqual([false, true]);
  for (const field of ["", "Email", "constructor", "__proto__", "shoe_size"])
    expect([isDirect(field), isDerived(field)]).toEqual([false, false]);
});

test("one value has one spelling, however it is typed, and two values have two", () => {
  const same: [string, string[]][] = [
    ["email", ["Li.Wei@Example.com", " li.wei@example.com ", "ＬＩ.ＷＥＩ@example.com"]],
    ["phone", ["+86 138-1234-5678", "0086 13812345678", "+86(138)1234.5678", "＋8613812345678"]],
    ["user_id", ["A1", " A1\n"]],
  ];
  for (const [type, spellings] of same)
    expect(new Set(spellings.map((value) => normalised(type, value))).size).toBe(1);
  expect(normalised("user_id", "a1")).not.toBe(normalised("user_id", "A1"));
  expect(normalised("email", "li@a.com")).not.toBe(normalised("email", "li@b.com"));
  fc.assert(
    fc.property(
      fc.constantFrom("email", "phone", "user_id", "device"),
      fc.string(),
      (type, value) => {
        const once = normalised(type, value);
        expect(normalised(type, once)).toBe(once);
      },
    ),
  );
});

test("what names somebody is known by its look", () => {
  for (const text of [
    "li@example.com",
    "+86 138 1234 5678",
    "13812345678",
    "https://x.cn/?u=1",
    "192.0.2.7",
    "2001:db8::1",
  ])
    expect({ text, direct: looksDirect(text) }).toEqual({ text, direct: true });
  for (const text of ["SKU-85123A", "2011-09-09", "United Kingdom", "12.50", "536365", "红色"])
    expect({ text, direct: looksDirect(text) }).toEqual({ text, direct: false });
});

test("equality without the value: the same under one type and source, nothing alike elsewhere", async () => {
  await using shop = await world();
  const { house } = shop;
  const hex = (type: string, value: string, source: string) =>
    blindOf(house, type, value, source).toString("hex");
  expect(hex("email", "A@b.com", "one")).toBe(hex("email", "a@B.com ", "two"));
  expect(hex("user_id", "7", "one")).not.toBe(hex("user_id", "7", "two"));
  expect(hex("user_id", "7", "one")).not.toBe(hex("device", "7", "one"));
  expect(hex("email", "a@b.com", "")).not.toContain(Buffer.from("a@b.com").toString("hex"));
});

test("a node's key opens what its node brought, in its own place, until it is destroyed", async () => {
  await using shop = await world();
  const { house, sql } = shop;
  const nodes = [1, 2].map((bucket) => ({ bucket, nodeId: house.newId() }));
  const [one, two] = nodes.map(({ nodeId }) => nodeId) as [string, string];
  const made = await sql.begin((tx) => makeNodeKeys(house, tx, nodes));
  const sealed = seal(made.get(one)!, "people_field|name", one, "李伟");
  const kept = await nodeKeys(house, sql, nodes);
  expect(openSealed(kept.get(one)!, "people_field|name", one, sealed)).toBe("李伟");
  expect(() => openSealed(kept.get(two)!, "people_field|name", one, sealed)).toThrow();
  expect(() => openSealed(kept.get(one)!, "people_field|name", two, sealed)).toThrow();
  expect(() => openSealed(kept.get(one)!, "people_field|email", one, sealed)).toThrow();
  // Exchanged in the table, the wrapped keys do not open: each is bound to its node.
  await shop.owner`
    update privacy_node_key k set wrapped = o.wrapped from privacy_node_key o where o.node_id <> k.node_id`;
  await expect(nodeKeys(house, sql, nodes)).rejects.toThrow();
  await sql`delete from privacy_node_key where node_id = ${one}`;
  expect([...(await nodeKeys(house, sql, nodes.slice(0, 1))).keys()]).toEqual([]);
  expect((await tombstoned(sql, [])).size).toBe(0);
  expect(await nodeKeys(house, sql, [])).toEqual(new Map());
});
