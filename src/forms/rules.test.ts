import fc from "fast-check";
import { expect, test } from "vitest";
import { eventOf, judge, nextFields, unfitIn, type Definition, type Field } from "./rules.ts";

const words = { zh: "字", en: "Word" };
const field = (name: string, type: Field["type"] = "text", more: Partial<Field> = {}): Field => ({
  ...{ name, type, label: words, required: false, sensitive: false, options: [] },
  ...more,
});
const form = (more: Partial<Definition> = {}): Definition => ({
  ...{ title: words, intro: words, thanks: words, perStep: 2, doubleOptIn: true },
  fields: [
    field("email", "email"),
    field("city", "city"),
    field("skin", "choice", { options: [{ value: "dry", label: words }] }),
    field("due_date", "date", { sensitive: true }),
    field("birth_month", "number"),
    field("wish"),
  ],
  consents: [
    { purpose: "marketing", channel: "email", text: words },
    { purpose: "sensitive", channel: "use", text: words },
  ],
  ...more,
});

const now = new Date("2026-06-01T00:00:00Z");
const daysAgo = (days: number) => new Date(now.getTime() - days * 86_400_000);
const knowing = (known: string[], blank: Record<string, number> = {}) => ({
  known: new Set(known),
  blank: new Map(Object.entries(blank).map(([name, days]) => [name, daysAgo(days)])),
  now,
});
test("what was never asked comes before what was left blank, and that rests", () => {
  const names = (blank: Record<string, number>, more: Partial<Definition> = {}) =>
    nextFields(form({ perStep: 3, ...more }), knowing(["city"], blank)).map(({ name }) => name);
  expect(names({ email: 1 })).toEqual(["skin", "due_date", "birth_month"]);
  expect(names({ email: 90, skin: 1, due_date: 1, birth_month: 1 })).toEqual(["wish", "email"]);
  expect(names({ email: 89.9, skin: 1, due_date: 1, birth_month: 1 })).toEqual(["wish"]);
  expect(names({ email: 7, skin: 6 }, { againDays: 7, perStep: 9 })).toEqual([
    ...["due_date", "birth_month", "wish", "email"],
  ]);
  const all = { email: 1, skin: 1, due_date: 1, birth_month: 1, wish: 1 };
  expect(names(all)).toEqual([]);
  // What has to be answered rests never.
  const fields = [field("email", "email"), field("wish", "text", { required: true })];
  expect(names(all, { fields })).toEqual(["wish"]);
});
test("a few questions at a time, those not answered yet", () => {
  const names = (known: string[]) => nextFields(form(), knowing(known)).map(({ name }) => name);
  expect(names([])).toEqual(["email", "city"]);
  expect(names(["city"])).toEqual(["email", "skin"]);
  expect(names(["email", "city", "skin", "due_date", "birth_month", "wish"])).toEqual([]);
});
test("a form that does not fit together names what does not", () => {
  expect(unfitIn(form())).toEqual([]);
  expect(unfitIn(form({ consents: [] }))).toEqual(["fields.3.sensitive"]);
  const twice = form({ fields: [field("wish"), field("wish")], consents: [] });
  expect(unfitIn(twice)).toEqual(["fields.1.name"]);
  // What the page itself sends: a question of such a name would be taken for that, or its answer for a machine's.
  for (const name of ["website", "visitor", "consent", "sending", "version"])
    expect(unfitIn(form({ fields: [field(name)], consents: [] }))).toEqual(["fields.0.name"]);
  expect(unfitIn(form({ fields: [field("a", "choice"), field("email")], consents: [] }))).toEqual([
    "fields.0.options",
    "fields.1.type",
  ]);
  const mail = { purpose: "marketing", channel: "email", text: words } as const;
  expect(unfitIn(form({ fields: [field("wish")], consents: [mail, mail] }))).toEqual([
    "consents.0.channel",
    "consents.1",
    "consents.1.channel",
  ]);
  const odd = { purpose: "social", channel: "email", text: words } as const;
  expect(unfitIn(form({ fields: [field("email", "email")], consents: [odd] }))).toEqual([
    "consents.0",
  ]);
});
test("whatever is typed, a value that is taken fits its question, and nothing is asked of what is optional", () => {
  const names = form().fields.map(({ name }) => name);
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.constantFrom(...names, "__proto__", "x"),
        fc.oneof(fc.string(), fc.constantFrom("dry", "2026-02-29", "13", "a@b.co", "Bath")),
      ),
      (answers) => {
        const { values, wrong } = judge(form(), answers, knowing([]), new Set());
        for (const name of Object.keys(values)) expect(names).toContain(name);
        // Every answer is taken, or named with what is wrong with it.
        for (const [name, text] of Object.entries(answers))
          if (!names.includes(name)) expect(wrong[name]).toBe("unknown");
          else if (text.normalize("NFC").trim() !== "")
            expect([name, name in values || name in wrong]).toEqual([name, true]);
        expect(values["due_date"]).toBeUndefined();
        expect(["dry", undefined]).toContain(values["skin"]);
        if (values["birth_month"] !== undefined) expect(values["birth_month"]).toBeLessThan(13);
      },
    ),
  );
  const required = form({ fields: [field("wish", "text", { required: true })], consents: [] });
  expect(judge(required, {}, knowing([]), new Set()).wrong).toEqual({ wish: "missing" });
  expect(judge(required, {}, knowing(["wish"]), new Set()).wrong).toEqual({});
});
test("what is sensitive is kept only with an agreement of its own, and sealed", () => {
  const answers = {
    due_date: "2026-05-01",
    skin: "dry",
    email: "a@b.co",
    birth_month: "5",
    wish: "x",
  };
  expect(judge(form(), answers, knowing([]), new Set(["marketing email"])).wrong).toEqual({
    due_date: "needs_consent",
  });
  const { values } = judge(form(), answers, knowing([]), new Set(["sensitive use"]));
  const visitor = eventOf(form(), values, { own: false, emailConfirmed: true });
  expect(visitor).toEqual({
    traits: { birth_month: 5 },
    answers: { skin: "dry" },
    direct: { "claim.email": "a@b.co", "answer.due_date": "2026-05-01", "answer.wish": "x" },
  });
  const own = eventOf(form(), values, { own: true, emailConfirmed: true });
  expect(own.direct["traits.email"]).toBe("a@b.co");
  const unsure = eventOf(form(), values, { own: true, emailConfirmed: false });
  expect(unsure.direct["claim.email"]).toBe("a@b.co");
});
