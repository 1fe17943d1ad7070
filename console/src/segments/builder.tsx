import type { Filter, Rule, What, Window } from "../../../src/segments/rules.ts";
import { Choose, Figure, Text } from "../ui/inputs.tsx";
import { useSaid, useWords } from "../ui/words.tsx";
import { blank, filterOf, kinds, type Offered, type Suggested } from "./draft.ts";
import { FilterLine } from "./filter.tsx";

export type Others = readonly { id: string; name: { zh: string; en: string } }[];
type Helped = { suggested: Suggested; others: Others };

/** A group or a condition, and everything in it. Nested as the rule is. */
export function Condition({
  rule,
  onChange,
  onRemove,
  depth = 1,
  ...helped
}: Helped & {
  rule: Rule;
  onChange: (rule: Rule) => void;
  onRemove?: (() => void) | undefined;
  depth?: number;
}) {
  const { t } = useWords();
  const words = t.segments.builder;
  const { suggested, others } = helped;
  return (
    <fieldset className="condition">
      <legend className="unseen">{words.kinds[rule.kind as Offered] ?? rule.kind}</legend>
      <div className="condition-line">
        <Choose
          label={words.kind}
          value={rule.kind}
          options={kinds
            .filter((kind) => kind !== "segment" || others.length > 0)
            .map((kind) => [kind, words.kinds[kind]])}
          onChange={(kind) => onChange(blank(kind as Offered, suggested, others[0]?.id ?? ""))}
        />
        <Parts rule={rule} onChange={onChange} {...helped} />
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
              onChange={(next) => onChange({ ...rule, of: rule.of.with(i, next) })}
              onRemove={
                rule.of.length > 1
                  ? () => onChange({ ...rule, of: rule.of.toSpliced(i, 1) })
                  : undefined
              }
            />
          ))}
          <button
            type="button"
            className="plain"
            disabled={rule.of.length >= 20}
            onClick={() =>
              onChange({
                ...rule,
                of: [...rule.of, blank("events", suggested, others[0]?.id ?? "")],
              })
            }
          >
            {words.add}
          </button>
        </>
      )}
      {rule.kind === "not" && depth < 8 && (
        <Condition
          {...helped}
          rule={rule.of}
          depth={depth + 1}
          onChange={(of) => onChange({ ...rule, of })}
        />
      )}
    </fieldset>
  );
}

function Parts({
  rule,
  onChange,
  ...helped
}: Helped & { rule: Rule; onChange: (rule: Rule) => void }) {
  const { t } = useWords();
  const said = useSaid();
  const words = t.segments.builder;
  const { suggested, others } = helped;
  const called = ({ name, label }: { name: string; label: { zh: string; en: string } | null }) => {
    const own = label ? said(label) : t.attributes[name];
    return own ? ([name, `${own} (${name})`] as const) : name;
  };
  const attributes = suggested.attributes.map(called);
  switch (rule.kind) {
    case "events":
      return (
        <>
          <Event what={rule} {...helped} onChange={(what) => onChange({ ...rule, ...what })} />
          <Choose
            label={words.comparison}
            value={rule.is}
            options={Object.entries(words.times)}
            onChange={(is) => onChange({ ...rule, is: is as typeof rule.is })}
          />
          <Figure
            label={words.count}
            value={rule.count}
            onChange={(count) => onChange({ ...rule, count: Math.round(count) })}
          />
          <When window={rule.window} onChange={(window) => onChange({ ...rule, window })} />
        </>
      );
    case "absent":
    case "first":
      return (
        <>
          <Event what={rule} {...helped} onChange={(what) => onChange({ ...rule, ...what })} />
          <When window={rule.window} onChange={(window) => onChange({ ...rule, window })} />
        </>
      );
    case "sequence":
      return (
        <>
          {rule.steps.map((step, i) => (
            <span key={i} className="condition-line">
              <Event
                what={step}
                {...helped}
                onChange={(what) => onChange({ ...rule, steps: rule.steps.with(i, what) })}
              />
              {rule.steps.length > 2 && (
                <button
                  type="button"
                  className="plain"
                  onClick={() => onChange({ ...rule, steps: rule.steps.toSpliced(i, 1) })}
                >
                  {words.removeStep(String(i + 1))}
                </button>
              )}
            </span>
          ))}
          {rule.steps.length < 5 && (
            <button
              type="button"
              className="plain"
              onClick={() => onChange({ ...rule, steps: [...rule.steps, rule.steps.at(-1)!] })}
            >
              {words.addStep}
            </button>
          )}
          <Figure
            label={words.withinHours}
            value={rule.withinHours}
            onChange={(hours) => onChange({ ...rule, withinHours: Math.max(1, Math.round(hours)) })}
          />
          <When window={rule.window} onChange={(window) => onChange({ ...rule, window })} />
        </>
      );
    case "tag":
      return (
        <>
          <Text
            label={words.tag}
            value={rule.tag}
            options={suggested.tags.map(called)}
            onChange={(tag) => onChange({ ...rule, tag })}
          />
          <Text
            label={words.value}
            value={rule.in.join(", ")}
            options={suggested.tags.find(({ name }) => name === rule.tag)?.values ?? []}
            onChange={(text) => onChange({ ...rule, in: listOf(text) })}
          />
        </>
      );
    case "number":
      return (
        <>
          <Text
            label={words.attribute}
            value={rule.attribute}
            options={attributes}
            onChange={(attribute) => onChange({ ...rule, attribute })}
          />
          <Choose
            label={words.comparison}
            value={rule.is}
            options={Object.entries(words.comparisons)}
            onChange={(is) => onChange({ ...rule, is: is as typeof rule.is })}
          />
          <Figure
            label={words.value}
            value={rule.value}
            onChange={(value) => onChange({ ...rule, value })}
          />
        </>
      );
    case "text":
      return (
        <>
          <Text
            label={words.attribute}
            value={rule.attribute}
            options={attributes}
            onChange={(attribute) => onChange({ ...rule, attribute })}
          />
          <Text
            label={words.value}
            value={rule.in.join(", ")}
            options={(
              suggested.attributes.find(({ name }) => name === rule.attribute)?.values ?? []
            ).map((one) => [one.value, said(one.label)] as const)}
            onChange={(text) => onChange({ ...rule, in: listOf(text) })}
          />
        </>
      );
    case "known":
      return (
        <Text
          label={words.attribute}
          value={rule.attribute}
          options={attributes}
          onChange={(attribute) => onChange({ ...rule, attribute })}
        />
      );
    case "days_since":
      return (
        <>
          <Text
            label={words.attribute}
            value={rule.attribute}
            options={attributes}
            onChange={(attribute) => onChange({ ...rule, attribute })}
          />
          <Choose
            label={words.comparison}
            value={rule.is}
            options={(["le", "lt", "ge", "gt"] as const).map((is) => [is, words.comparisons[is]])}
            onChange={(is) => onChange({ ...rule, is: is as typeof rule.is })}
          />
          <Figure
            label={words.daysAgo}
            value={rule.days}
            onChange={(days) => onChange({ ...rule, days: Math.max(0, Math.round(days)) })}
          />
        </>
      );
    case "segment":
      return (
        <Choose
          label={t.nav.segments}
          value={rule.segment}
          options={others.map(({ id, name }) => [id, said(name)])}
          onChange={(segment) => onChange({ ...rule, segment })}
        />
      );
    case "sample":
      return (
        <>
          <Figure
            label={words.percent}
            value={rule.basisPoints / 100}
            onChange={(percent) =>
              onChange({
                ...rule,
                basisPoints: Math.min(10_000, Math.max(0, Math.round(percent * 100))),
              })
            }
          />
          <Text
            label={words.seed}
            value={rule.seed}
            options={[]}
            onChange={(seed) => onChange({ ...rule, seed })}
          />
        </>
      );
    default:
      return null;
  }
}

const listOf = (text: string): string[] => text.split(/[,，]\s*/);

function Event({
  what,
  suggested,
  onChange,
}: {
  what: What;
  suggested: Suggested;
  onChange: (what: What) => void;
}) {
  const { t } = useWords();
  const words = t.segments.builder;
  const properties = suggested.events.find(({ name }) => name === what.event)?.properties ?? [];
  const filters = filterOf(what);
  const put = (where: Filter[]) =>
    onChange(
      where.length > 0 ? { event: what.event, where } : { event: what.event, where: undefined },
    );
  return (
    <>
      <Text
        label={words.event}
        value={what.event}
        options={suggested.events.map(({ name }) => name)}
        onChange={(event) => onChange({ event, where: what.where })}
      />
      {filters.map((filter, i) => (
        <FilterLine
          // A filter is its place: there is nothing else to tell two equal ones apart.
          key={i}
          filter={filter}
          names={properties.map(({ name }) => name)}
          onChange={(next) => put(filters.with(i, next))}
          onRemove={() => put(filters.toSpliced(i, 1))}
        />
      ))}
      {filters.length < 10 && (
        <button
          type="button"
          className="plain"
          onClick={() =>
            put([...filters, { property: properties[0]?.name ?? "price", is: "known" }])
          }
        >
          {words.addFilter}
        </button>
      )}
    </>
  );
}

function When({ window, onChange }: { window: Window; onChange: (window: Window) => void }) {
  const { t } = useWords();
  const words = t.segments.builder;
  const begins: Record<string, Window> = {
    days: { kind: "days", days: 30 },
    hours: { kind: "hours", hours: 24 },
    ever: { kind: "ever" },
  };
  return (
    <>
      <Choose
        label={words.window}
        value={window.kind}
        options={[
          ...Object.keys(begins).map((kind): [string, string] => [
            kind,
            words.windows[kind as "days"],
          ]),
          ...(window.kind === "since" || window.kind === "between"
            ? [[window.kind, words.windows.fixed] as [string, string]]
            : []),
        ]}
        onChange={(kind) => onChange(begins[kind] ?? window)}
      />
      {window.kind === "days" && (
        <Figure
          label={words.days}
          value={window.days}
          onChange={(days) =>
            onChange({ kind: "days", days: Math.min(731, Math.max(1, Math.round(days))) })
          }
        />
      )}
      {window.kind === "hours" && (
        <Figure
          label={words.hours}
          value={window.hours}
          onChange={(hours) =>
            onChange({ kind: "hours", hours: Math.min(17_544, Math.max(1, Math.round(hours))) })
          }
        />
      )}
    </>
  );
}
