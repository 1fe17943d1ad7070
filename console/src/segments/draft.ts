// What the builder holds while a rule is made: the rule language itself, so that what is shown is what is asked.
import type { Answer } from "../ui/call.ts";
import { api } from "../ui/call.ts";
import type { Filter, Rule, What, Window } from "../../../src/segments/rules.ts";

export type Suggested = Answer<typeof api.segments.suggest>;
export type Kind = Rule["kind"];
/** Kinds that the builder offers, in the order in which a shop would ask. */
export const kinds = [
  "events",
  "absent",
  "first",
  "sequence",
  "tag",
  "number",
  "text",
  "known",
  "days_since",
  "segment",
  "sample",
  "and",
  "or",
  "not",
  "everybody",
] as const satisfies readonly Kind[];
export type Offered = (typeof kinds)[number];

const month: Window = { kind: "days", days: 30 };
/** A condition of a kind as it begins: something that can be asked at once. */
export function blank(
  kind: Offered,
  { events, attributes, tags }: Suggested,
  segment: string,
): Rule {
  const event = events[0]?.name ?? "Product Viewed";
  const named = (type: "text" | "number" | "instant") =>
    attributes.find((one) => one.type === type)?.name;
  switch (kind) {
    case "events":
      return { kind, event, is: "ge", count: 1, window: month };
    case "absent":
    case "first":
      return { kind, event, window: month };
    case "sequence":
      return { kind, steps: [{ event }, { event }], withinHours: 24, window: month };
    case "tag":
      return { kind, tag: tags[0]?.name ?? "lifecycle", in: [tags[0]?.values[0] ?? "dormant"] };
    case "number":
      return { kind, attribute: named("number") ?? "orders", is: "ge", value: 1 };
    case "text":
      return { kind, attribute: named("text") ?? "country", in: ["CN"] };
    case "known":
      return { kind, attribute: attributes[0]?.name ?? "country" };
    case "days_since":
      return { kind, attribute: named("instant") ?? "last_order_at", is: "le", days: 30 };
    case "segment":
      return { kind, segment };
    case "sample":
      return { kind, seed: "1", basisPoints: 1000 };
    case "and":
    case "or":
      return { kind, of: [blank("events", { events, attributes, tags }, segment)] };
    case "not":
      return { kind, of: blank("events", { events, attributes, tags }, segment) };
    case "everybody":
      return { kind };
  }
}

/** What somebody typed into a filter, as the value it looks like. */
export const valueOf = (text: string): string | number =>
  /^-?\d{1,15}(\.\d{1,15})?$/.test(text.trim()) ? Number(text) : text;
export const filterOf = (what: What): Filter[] => what.where ?? [];
