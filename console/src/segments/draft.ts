// What the builder holds while a rule is made: the rule language itself, so that what is shown is what is asked.
import type { Answer } from "../ui/call.ts";
import { api } from "../ui/call.ts";
import type { Filter, Level, Rule, What, Window } from "../../../src/segments/rules.ts";

type All = Answer<typeof api.segments.suggest>;
/** What a rule about these may ask; `inside`: of a company's people, or of their companies. */
export type Place = { level: Level; inside: boolean };
export type Suggested = Pick<All, "events" | "attributes" | "tags" | "sources"> & {
  roles: All["companies"]["roles"];
  ofCompanies: All["companies"];
  ofPeople: Pick<All, "attributes" | "tags">;
};
/** Of everything that can be asked, what concerns people, or companies. */
export function suggestedFor(all: All, level: Level): Suggested {
  const { attributes, tags } = level === "person" ? all : all.companies;
  return {
    ...{ events: all.events, sources: all.sources, roles: all.companies.roles, attributes, tags },
    ofCompanies: all.companies,
    ofPeople: all,
  };
}
/** The same at the other end: what is asked of somebody's companies, or of a company's people. */
export const across = (suggested: Suggested, level: Level): Suggested => ({
  ...suggested,
  ...(level === "person" ? suggested.ofCompanies : suggested.ofPeople),
});

export type Kind = Rule["kind"];
/** Kinds that the builder offers, in the order in which a shop would ask. */
const kinds = [
  "events",
  "absent",
  "first",
  "sequence",
  "tag",
  "number",
  "text",
  "known",
  "instant",
  "days_since",
  "company",
  "staff",
  "segment",
  "union",
  "intersect",
  "except",
  "identifier",
  "sample",
  "and",
  "or",
  "not",
  "everybody",
] as const satisfies readonly Kind[];
const ofSegments: ReadonlySet<Kind> = new Set(["segment", "union", "intersect", "except"]);
/** Kinds that can be asked at a place; those of segments where there are any. */
export const kindsAt = ({ level, inside }: Place, segments: number): Kind[] =>
  kinds.filter((kind) => {
    if (kind === "company" || kind === "identifier") return level === "person" && !inside;
    if (kind === "staff") return level === "company";
    if (kind === "except") return segments > 1;
    return segments > 0 || !ofSegments.has(kind);
  });

const month: Window = { kind: "days", days: 30 };
/** An address or a number is typed in; what is kept of it is its blind index alone. */
export type Address = Extract<Rule, { kind: "identifier" }> & {
  values?: string[];
  source?: string | undefined;
};
/** A condition of a kind as it begins: something that can be asked at once, but for an address. */
export function blank(kind: Kind, suggested: Suggested, segments: readonly string[] = []): Rule {
  const { events, attributes, tags } = suggested;
  const event = events[0]?.name ?? "Product Viewed";
  const named = (type: "text" | "number" | "instant") =>
    attributes.find((one) => one.type === type)?.name;
  const [first = "", second = ""] = segments;
  switch (kind) {
    case "events":
      return { kind, event, is: "ge", count: 1, window: month };
    case "absent":
    case "first":
      return { kind, event, window: month };
    case "sequence":
      return { kind, steps: [{ event }, { event }], withinHours: 24, window: month };
    case "tag":
      return {
        kind,
        tag: tags[0]?.name ?? "lifecycle",
        in: [tags[0]?.values[0]?.value ?? "dormant"],
      };
    case "number":
      return { kind, attribute: named("number") ?? "orders", is: "ge", value: 1 };
    case "text":
      return { kind, attribute: named("text") ?? "country", in: ["CN"] };
    case "known":
      return { kind, attribute: attributes[0]?.name ?? "country" };
    case "instant":
      return {
        ...{ kind, attribute: named("instant") ?? "last_order_at", is: "from" },
        at: "2026-01-01T00:00:00.000Z",
      };
    case "days_since":
      return { kind, attribute: named("instant") ?? "last_order_at", is: "le", days: 30 };
    case "company":
      return { kind, roles: [], fits: { kind: "everybody" } };
    case "staff":
      return {
        ...{ kind, are: "ge", count: 1, roles: [] },
        fits: { kind: "events", event, is: "ge", count: 1, window: month },
      };
    case "segment":
      return { kind, segment: first };
    case "union":
    case "intersect":
      return { kind, segments: segments.slice(0, 2) };
    case "except":
      return { kind, segment: first, without: [second] };
    case "identifier":
      return { kind, type: "email", blinds: [] };
    case "sample":
      return { kind, seed: newSeed(), basisPoints: 1000 };
    case "and":
    case "or":
      return { kind, of: [blank("events", suggested)] };
    case "not":
      return { kind, of: blank("events", suggested) };
    case "everybody":
      return { kind };
  }
}
/** Each sample draws its own people, unless it is given another's seed. */
const newSeed = (): string => crypto.randomUUID().slice(0, 8);

/** Is there nothing left to fill in? An unfinished rule is not asked. */
export function isComplete(rule: Rule): boolean {
  const said = (list: readonly string[]) => list.length > 0 && list.every((one) => one !== "");
  const named = ({ event, where = [] }: What) =>
    event !== "" &&
    where.every((one) => one.property !== "" && (one.is !== "in" || said(one.values.map(String))));
  switch (rule.kind) {
    case "and":
    case "or":
      return rule.of.every(isComplete);
    case "not":
      return isComplete(rule.of);
    case "company":
    case "staff":
      return isComplete(rule.fits);
    case "tag":
      return rule.tag !== "" && said(rule.in);
    case "text":
      return rule.attribute !== "" && said(rule.in);
    case "number":
    case "known":
    case "instant":
    case "days_since":
      return rule.attribute !== "";
    case "events":
    case "absent":
    case "first":
      return named(rule);
    case "sequence":
      return rule.steps.every(named);
    case "segment":
      return rule.segment !== "";
    case "union":
    case "intersect":
      return said(rule.segments);
    case "except":
      return said([rule.segment, ...rule.without]);
    case "identifier": {
      const { values = [], blinds, source, type } = rule as Address;
      if (values.length === 0) return blinds.length > 0;
      return said(values) && (isEverywhere(type) || source !== undefined);
    }
    case "sample":
      return rule.seed !== "";
    case "everybody":
      return true;
  }
}
/** Does it mean one person wherever it comes from? */
export const isEverywhere = (type: string): boolean => type === "email" || type === "phone";

/** What somebody typed into a filter, as the value it looks like. */
export const valueOf = (text: string): string | number =>
  /^-?\d{1,15}(\.\d{1,15})?$/.test(text.trim()) ? Number(text) : text;
export const filterOf = (what: What): Filter[] => what.where ?? [];
