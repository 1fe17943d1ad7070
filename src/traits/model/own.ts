// Attributes of the shop's own: what it asks people about itself, "skin type", "birthday of the child", with a type each.
// Whoever answers a form's question of that name has it in the profile, and sees and corrects it there.
import { dayOf, instantOf } from "#kernel/clock.ts";
import { isDecimal } from "#segments/rules.ts";

export const ownTypes = ["choice", "number", "date", "truth"] as const;
type Sentence = { zh: string; en: string };
export type Own = {
  name: string;
  label: Sentence;
  type: (typeof ownTypes)[number];
  /** Of a choice. */
  options: { value: string; label: Sentence }[];
};
export const ownLimit = 50;
export const optionsLimit = 50;

/**
 * What was answered as the profile keeps it; undefined where it does not fit. A date is the instant at which that day
 * begins in the shop, so that segments ask for days since it; of yes and no the words, which segments ask for as texts.
 */
export function ownValue(
  { type, options }: Own,
  said: unknown,
  timeZone: string,
): string | number | undefined {
  switch (type) {
    case "choice":
      return options.find(({ value }) => value === said)?.value;
    case "number":
      return typeof said === "number" && Math.abs(said) < 1e15 ? said : undefined;
    case "date": {
      if (typeof said !== "string" || !/^\d{4}-\d\d-\d\d$/.test(said)) return undefined;
      const begins = instantOf(`${said}T00:00`, timeZone);
      return Number.isNaN(begins.getTime()) ? undefined : begins.toISOString();
    }
    case "truth":
      return said === true || said === "yes"
        ? "yes"
        : said === false || said === "no"
          ? "no"
          : undefined;
  }
}
/**
 * The same of what the shop's server said of somebody, which was kept as text: a number in digits, a date as its day or
 * as an instant, whose day is the one written, and a truth as yes, no, true or false.
 */
export function ownTold(own: Own, text: string, timeZone: string): string | number | undefined {
  const said = text.trim();
  switch (own.type) {
    case "choice":
      return ownValue(own, said, timeZone);
    case "number":
      return isDecimal(said) ? Number(said) : undefined;
    case "date":
      return ownValue(
        own,
        /^(\d{4}-\d\d-\d\d)(T[\d:.]+(Z|[+-]\d\d:?\d\d)?)?$/.exec(said)?.[1],
        timeZone,
      );
    case "truth": {
      const word = said.toLowerCase();
      return word === "yes" || word === "true"
        ? "yes"
        : word === "no" || word === "false"
          ? "no"
          : undefined;
    }
  }
}
/** What the profile keeps as it was answered: of an instant its day. */
export const ownSaid = ({ type }: Own, value: unknown, timeZone: string): unknown =>
  type === "date" && typeof value === "string" ? dayOf(new Date(value), timeZone) : value;

/** May a form's question of this kind fill it? */
export const isFilledBy = (
  { type, options }: Own,
  question: { type: string; options: readonly { value: string }[] },
): boolean => {
  const values = question.options.map(({ value }) => value);
  if (type === "truth")
    return question.type === "choice" && values.every((value) => value === "yes" || value === "no");
  if (type !== question.type) return false;
  return values.every((value) => options.some((one) => one.value === value));
};
