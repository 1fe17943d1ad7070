import fc from "fast-check";
import { expect, test } from "vitest";
import { looksDirect } from "#privacy/rules.ts";
import { directName, isRefused, partData, partTraits, readEvent, safeField } from "./rules.ts";

const now = new Date("2026-03-01T00:00:00Z");
const said = { key: "k", name: "Seen", user: "u1", at: now, data: {}, traits: {} };

test.each([
  ["email", "email"],
  ["eMail", "email"],
  ["E-Mail", "email"],
  ["phoneNumber", "phone"],
  ["first name", "first_name"],
  ["ip_address", "ip"],
  ["pageUrl", "url"],
  ["sku", null],
  ["constructor", null],
  ["toString", null],
])("%s means %s", (name, field) => expect(directName(name)).toBe(field));

test.each([
  ["ann@example.com", true],
  ["call +49 151 12345678 now", true],
  ["13800138000", true],
  ["https://shop.example/me", true],
  ["192.168.0.1", true],
  ["2001:db8::1", true],
  ["536365", false],
  ["2010-12-01T08:26:00+08:00", false],
  ["85123A", false],
  ["12:30:00", false],
  ["WHITE HANGING HEART T-LIGHT HOLDER", false],
])("%j names somebody by its look: %s", (text, expected) =>
  expect(looksDirect(text)).toBe(expected),
);

test("a long text is somebody's own words", () => {
  expect([200, 201].map((length) => looksDirect("x".repeat(length)))).toEqual([false, true]);
});

test("wherever an address stands in an event, the log holds it sealed and nothing is lost", () => {
  const place = fc.oneof(
    fc.constant((secret: string) => secret),
    fc.constant((secret: string) => [1, { deep: `see ${secret}` }]),
    fc.constant((secret: string) => ({ [secret]: true })),
  );
  fc.assert(
    fc.property(
      fc.string({ minLength: 1 }),
      place,
      fc.jsonValue({ maxDepth: 2 }),
      (name, put, other) => {
        const secret = "canary@example.com";
        const { plain, direct } = partData({ other, [name]: put(secret) });
        expect(JSON.stringify(plain)).not.toContain(secret);
        expect(JSON.stringify(direct)).toContain(secret);
        expect(Object.keys(plain).length + Object.keys(direct).length).toBe(
          name === "other" ? 1 : 2,
        );
      },
    ),
  );
});

test("traits: the field list decides, what is on no list is sealed, what cannot be is named", () => {
  expect(
    partTraits({
      email: " a@b.cn ",
      Mobile: "13800138000",
      City: "Wuhan",
      birth_day: 31,
      shoe: 41,
      x: null,
    }),
  ).toEqual({
    derived: { city: "Wuhan", birth_day: 31 },
    direct: { "traits.email": "a@b.cn", "traits.phone": "13800138000", "traits.shoe": "41" },
    names: true,
  });
  for (const [name, value] of [
    ["email", "a@b"],
    ["phone", "soon"],
    ["birth_month", 0],
    ["birth_month", "5"],
    ["language", "Chinese, I think"],
    ["currency", "yuan"],
    ["city", "ann@example.com"],
    ["city", {}],
  ] as const)
    expect(partTraits({ [name]: value }), name).toEqual({ unfit: name });
});

test("whatever is said, a browser never speaks for a known person, and nobody sends order lines here", () => {
  const names = fc.constantFrom("identify", "Order Line", "Seen");
  const id = fc.option(fc.string({ minLength: 1, maxLength: 20 }), { nil: undefined });
  fc.assert(
    fc.property(
      names,
      id,
      id,
      fc.dictionary(fc.string(), fc.jsonValue()),
      fc.dictionary(fc.string(), fc.jsonValue()),
      (name, user, anonymous, data, traits) => {
        const event = { ...said, name, user, anonymous, data, traits };
        const open = readEvent(event, "public", now);
        if (name === "Order Line") expect(isRefused(open)).toBe(true);
        if (isRefused(open)) return;
        if (anonymous !== undefined) expect(open.sender?.type).toBe("anonymous_id");
        if (name === "identify") expect(user).toBeUndefined();
        expect(open.sender).toBeDefined();
      },
    ),
  );
});

test("an event may be a day ahead, and no longer", () => {
  const at = (ms: number) =>
    readEvent({ ...said, at: new Date(now.getTime() + ms) }, "server", now);
  expect(isRefused(at(86_400_000))).toBe(false);
  expect(at(86_400_001)).toEqual({ reason: "not_yet", field: "at" });
});

test("a field's name that names somebody is left out of what is kept", () => {
  expect(safeField("data.$traits")).toBe("data.$traits");
  expect(safeField("traits.ann@example.com")).toBe("traits");
  expect(safeField("ann@example.com")).toBe("");
});
