import { z } from "zod";
import { endpoint } from "#kernel/endpoint.ts";
import { asks, filtersLimit, functions, hoursLimit, isPath } from "./rules.ts";

const instant = z.iso.datetime();
const sentence = z.object({ zh: z.string(), en: z.string() });
const code = z.string().regex(/^[a-z][a-z0-9_]{0,63}$/);
const label = z.strictObject({
  zh: z.string().trim().min(1).max(80),
  en: z.string().trim().min(1).max(80),
});
const property = z.string().min(1).max(300).refine(isPath);
const number = z.number().gt(-1e15).lt(1e15);
const text = z.string().min(1).max(200);
const comparison = z.enum(["eq", "ne", "lt", "le", "gt", "ge"]);
const filter = z.union([
  z.strictObject({ property, is: comparison, value: z.union([text, number]) }),
  z.strictObject({ property, is: z.enum(["eq", "ne"]), value: z.boolean() }),
  z.strictObject({
    property,
    is: z.literal("in"),
    values: z.union([z.array(text).min(1).max(50), z.array(number).min(1).max(50)]),
  }),
  z.strictObject({ property, is: z.literal("exists") }),
]);
const trait = z
  .strictObject({
    /** Of the attribute too, by which segments ask for it. */
    name: code,
    label,
    fn: z.enum(functions),
    event: z.string().trim().min(1).max(200),
    /** A path into what the event says: "price", "products.0.sku". */
    property: property.optional(),
    where: z.array(filter).max(filtersLimit).optional(),
    /** How far back; null: to the beginning. Two years at most. */
    hours: z.int().min(1).max(hoursLimit).nullable(),
    unit: z.string().trim().min(1).max(20).optional(),
  })
  .refine(({ fn, property: asked }) => (asks(fn) === null) === (asked === undefined), {
    path: ["property"],
  });

const shown = z.object({
  ...trait.shape,
  version: z.int(),
  /** filling: people are being gone through; going: it is being taken away. */
  state: z.enum(["filling", "ready", "going"]),
  done: z.number(), // people gone through
  total: z.number(),
  declaredAt: instant,
  sentence,
});

export const list = endpoint({
  method: "GET",
  path: "/v1/traits",
  permission: "traits:read",
  summary: { zh: "全部特征，含计算进度", en: "Every trait, and how far it was worked out" },
  input: z.strictObject({}),
  output: z.object({ traits: z.array(shown), most: z.int() }),
  failures: [],
});

export const declare = endpoint({
  method: "POST",
  path: "/v1/traits",
  permission: "traits:write",
  summary: {
    zh: "定义一个特征，或更改同名的特征；随后分批给每位会员算一遍",
    en: "Declare a trait, or change the one of that name; everybody is then gone through",
  },
  input: trait,
  output: z.object({ name: z.string(), version: z.int(), sentence }),
  failures: ["traits.name_taken", "traits.too_many", "traits.going"],
});

export const remove = endpoint({
  method: "DELETE",
  path: "/v1/traits/:trait",
  permission: "traits:write",
  summary: { zh: "删除一个特征和它的全部数值", en: "Remove a trait with all its figures" },
  input: z.strictObject({ trait: code }),
  output: z.object({}),
  failures: ["traits.unknown"],
});

export const preview = endpoint({
  method: "POST",
  path: "/v1/traits/preview",
  permission: "traits:read",
  summary: {
    zh: "试算一个特征：用最近做过这件事的五位会员",
    en: "Try a trait on the five people who did this last",
  },
  input: trait,
  output: z.object({
    sentence,
    people: z.array(
      z.object({
        personId: z.uuid(),
        userId: z.string().nullable(),
        value: z.unknown(), // null: nothing counts
        at: instant.nullable(), // of the latest event that counts
      }),
    ),
  }),
  failures: [],
});
