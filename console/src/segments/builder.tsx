import type { Rule } from "../../../src/segments/rules.ts";
import { Choose } from "../ui/inputs.tsx";
import { useWords } from "../ui/words.tsx";
import { across, blank, kindsAt, type Kind, type Place, type Suggested } from "./draft.ts";
import { Parts } from "./parts.tsx";

export type Others = readonly {
  id: string;
  name: { zh: string; en: string };
  level: "person" | "company";
}[];
export type Helped = { suggested: Suggested; others: Others; place: Place };
/** Of a rule's groups, the most that lie in each other, and the most that one holds; and all conditions of a rule. */
const deepest = 8;
const widest = 20;
const mostConditions = 100;
const within = (rule: Rule): readonly Rule[] =>
  rule.kind === "and" || rule.kind === "or"
    ? rule.of
    : rule.kind === "not"
      ? [rule.of]
      : rule.kind === "company" || rule.kind === "staff"
        ? [rule.fits]
        : [];
const levelsOf = (rule: Rule): number => 1 + Math.max(0, ...within(rule).map(levelsOf));
const conditionsIn = (rule: Rule): number =>
  within(rule).length === 0 ? 1 : within(rule).reduce((sum, one) => sum + conditionsIn(one), 0);

/** A group or a condition, and everything in it. Nested as the rule is. */
export function Condition({
  rule,
  onChange,
  onRemove,
  depth = 1,
  held = conditionsIn(rule),
  ...helped
}: Helped & {
  rule: Rule;
  onChange: (rule: Rule) => void;
  onRemove?: (() => void) | undefined;
  depth?: number;
  /** So many conditions the whole rule holds. */
  held?: number;
}) {
  const { t } = useWords();
  const words = t.segments.builder;
  const { suggested, others, place } = helped;
  const own = others.filter(({ level }) => level === place.level);
  const ids = own.map(({ id }) => id);
  const nests = (kind: Kind) => ["and", "or", "not", "company", "staff"].includes(kind);
  // What becomes part of a group comes to lie one level deeper.
  const grouped = (kind: Kind) =>
    kind === "not" ||
    ((kind === "and" || kind === "or") && rule.kind !== "and" && rule.kind !== "or");
  const kinds = kindsAt(place, own.length).filter(
    (kind) => !nests(kind) || (grouped(kind) ? depth + levelsOf(rule) <= deepest : depth < deepest),
  );
  const full =
    (rule.kind === "and" || rule.kind === "or") &&
    (rule.of.length >= widest
      ? words.fullGroup(String(widest))
      : held >= mostConditions && words.fullRule(String(mostConditions)));
  const named = (kind: Kind) =>
    kind === "everybody" && place.level === "company" ? words.everyCompany : words.kinds[kind];
  return (
    <fieldset className="condition">
      <legend className="unseen">{named(rule.kind)}</legend>
      <div className="condition-line">
        <Choose
          label={words.kind}
          value={rule.kind}
          options={(kinds.includes(rule.kind) ? kinds : [rule.kind, ...kinds]).map((kind) => [
            kind,
            named(kind),
          ])}
          onChange={(kind) => onChange(switched(rule, kind as Kind, suggested, ids))}
        />
        <Parts rule={rule} onChange={onChange} {...helped} others={own} />
        {onRemove && (
          <button type="button" className="plain" onClick={onRemove}>
            {words.remove}
          </button>
        )}
      </div>
      {(rule.kind === "and" || rule.kind === "or") && (
        <>
          {rule.of.map((one, i) => (
            <Condition
              // A condition is its place: there is nothing else to tell two equal ones apart.
              key={i}
              {...helped}
              rule={one}
              depth={depth + 1}
              held={held}
              onChange={(next) => onChange({ ...rule, of: rule.of.with(i, next) })}
              onRemove={
                rule.of.length > 1
                  ? () => onChange({ ...rule, of: rule.of.toSpliced(i, 1) })
                  : undefined
              }
            />
          ))}
          {full ? (
            <p className="quiet">{full}</p>
          ) : (
            <button
              type="button"
              className="plain"
              onClick={() => onChange({ ...rule, of: [...rule.of, blank("events", suggested)] })}
            >
              {words.add}
            </button>
          )}
        </>
      )}
      {rule.kind === "not" && (
        <Condition
          {...helped}
          rule={rule.of}
          depth={depth + 1}
          held={held}
          onChange={(of) => onChange({ ...rule, of })}
        />
      )}
      {(rule.kind === "company" || rule.kind === "staff") && (
        <Condition
          others={others}
          suggested={across(suggested, place.level)}
          place={{ level: place.level === "person" ? "company" : "person", inside: true }}
          rule={rule.fits}
          depth={depth + 1}
          held={held}
          onChange={(fits) => onChange({ ...rule, fits })}
        />
      )}
    </fieldset>
  );
}

/** Another kind in the place of one: groups keep what they hold, and whatever becomes a group is held by it. */
function switched(rule: Rule, kind: Kind, suggested: Suggested, ids: readonly string[]): Rule {
  if (kind === "and" || kind === "or") {
    if (rule.kind === "and" || rule.kind === "or") return { ...rule, kind };
    return { kind, of: [rule.kind === "not" ? rule.of : rule] };
  }
  if (kind === "not") return { kind, of: rule };
  return blank(kind, suggested, ids);
}
