import { minorDigits } from "../../../src/kernel/money.ts";
import type { Comparison, Rule } from "../../../src/segments/rules.ts";
import { Choose, Figure, Text, type Named } from "../ui/inputs.tsx";
import { useFormat, useSaid, useWords } from "../ui/words.tsx";
import type { Helped } from "./builder.tsx";
import { isEverywhere, type Address } from "./draft.ts";
import { DayAt, Event, When } from "./when.tsx";

const listOf = (text: string): string[] => text.split(/[,，]\s*/);
const whole = (value: number, most = 1_000_000) => Math.min(most, Math.max(0, Math.round(value)));
type Put<K extends Rule["kind"]> = Helped & {
  rule: Extract<Rule, { kind: K }>;
  onChange: (rule: Rule) => void;
};

/** What of a condition can be set, beside what lies in it. */
export function Parts({
  rule,
  onChange,
  ...helped
}: Helped & { rule: Rule; onChange: (rule: Rule) => void }) {
  const { t } = useWords();
  const said = useSaid();
  const words = t.segments.builder;
  const { suggested } = helped;
  switch (rule.kind) {
    case "events":
      return (
        <>
          <Event what={rule} {...helped} onChange={(what) => onChange({ ...rule, ...what })} />
          <Times is={rule.is} onChange={(is) => onChange({ ...rule, is })} />
          <Figure
            label={words.count}
            value={rule.count}
            onChange={(count) => onChange({ ...rule, count: whole(count) })}
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
      return <Steps rule={rule} onChange={onChange} {...helped} />;
    case "tag": {
      const values = suggested.tags.find(({ name }) => name === rule.tag)?.values ?? [];
      return (
        <>
          <Text
            label={words.tag}
            value={rule.tag}
            options={suggested.tags.map(({ name, label }): string | Named =>
              label ? { code: name, name: said(label) } : name,
            )}
            onChange={(tag) => onChange({ ...rule, tag })}
          />
          <Text
            label={words.values}
            many
            value={rule.in.join(", ")}
            options={values.map(({ value, label }): Named => ({
              ...{ code: value, name: label ? said(label) : value },
            }))}
            onChange={(text) => onChange({ ...rule, in: listOf(text) })}
          />
        </>
      );
    }
    case "number":
    case "text":
    case "known":
    case "instant":
    case "days_since":
      return <Attribute rule={rule} onChange={onChange} {...helped} />;
    case "segment":
    case "union":
    case "intersect":
    case "except":
      return <Segments rule={rule} onChange={onChange} {...helped} />;
    case "identifier":
      return <Identifier rule={rule} onChange={onChange} {...helped} />;
    case "sample":
      return (
        <>
          <Figure
            label={words.percent}
            value={rule.basisPoints / 100}
            onChange={(percent) => onChange({ ...rule, basisPoints: whole(percent * 100, 10_000) })}
          />
          <Text
            label={words.seed}
            value={rule.seed}
            options={[]}
            hint={words.seedSays}
            onChange={(seed) => onChange({ ...rule, seed })}
          />
        </>
      );
    case "company":
      return (
        <Roles {...helped} roles={rule.roles} onChange={(roles) => onChange({ ...rule, roles })} />
      );
    case "staff":
      return (
        <>
          <Choose
            label={words.howMany}
            value={rule.are}
            options={[["every", words.every], ...Object.entries(words.times)]}
            onChange={(are) => onChange({ ...rule, are: are as typeof rule.are })}
          />
          {rule.are !== "every" && (
            <Figure
              label={words.members}
              value={rule.count}
              onChange={(count) => onChange({ ...rule, count: whole(count) })}
            />
          )}
          <Roles
            {...helped}
            roles={rule.roles}
            onChange={(roles) => onChange({ ...rule, roles })}
          />
        </>
      );
    default:
      return null;
  }
}

function Times({ is, onChange }: { is: Comparison; onChange: (is: Comparison) => void }) {
  const { t } = useWords();
  const words = t.segments.builder;
  return (
    <Choose
      label={words.comparison}
      value={is}
      options={Object.entries(words.times)}
      onChange={(next) => onChange(next as Comparison)}
    />
  );
}

function Steps({ rule, onChange, suggested }: Put<"sequence">) {
  const { t } = useWords();
  const words = t.segments.builder;
  return (
    <>
      {rule.steps.map((step, i) => (
        <span key={i} className="condition-line whole">
          <span className="condition-step">{words.step(String(i + 1))}</span>
          <Event
            what={step}
            suggested={suggested}
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
        onChange={(hours) =>
          onChange({ ...rule, withinHours: Math.max(1, whole(hours, 731 * 24)) })
        }
      />
      <When window={rule.window} onChange={(window) => onChange({ ...rule, window })} />
    </>
  );
}

function Attribute({
  rule,
  onChange,
  suggested,
  place,
}: Put<"number" | "text" | "known" | "instant" | "days_since">) {
  const { t } = useWords();
  const said = useSaid();
  const { currency } = useFormat();
  const words = t.segments.builder;
  const wanted = { number: "number", text: "text", known: null, instant: "instant" } as const;
  const type = rule.kind === "days_since" ? "instant" : wanted[rule.kind];
  const called: Record<string, string> =
    place.level === "company" ? { ...t.attributes, ...t.companies.attributes } : t.attributes;
  const names = suggested.attributes
    .filter((one) => type === null || one.type === type)
    .map(({ name, label }): Named => ({
      code: name,
      name: label ? said(label) : (called[name] ?? name),
    }));
  const values = suggested.attributes.find(({ name }) => name === rule.attribute)?.values ?? [];
  const isMoney = rule.kind === "number" && rule.attribute.endsWith("_minor");
  return (
    <>
      <Text
        label={place.level === "company" ? words.companyAttribute : words.attribute}
        value={rule.attribute}
        options={names}
        onChange={(attribute) => onChange({ ...rule, attribute })}
      />
      {rule.kind === "number" && (
        <>
          <Choose
            label={words.comparison}
            value={rule.is}
            options={Object.entries(words.comparisons)}
            onChange={(is) => onChange({ ...rule, is: is as typeof rule.is })}
          />
          <Figure
            label={isMoney ? words.money(currency) : words.value}
            value={isMoney ? rule.value / 10 ** minorDigits(currency) : rule.value}
            onChange={(value) =>
              onChange({
                ...rule,
                value: isMoney ? Math.round(value * 10 ** minorDigits(currency)) : value,
              })
            }
          />
        </>
      )}
      {rule.kind === "text" && (
        <Text
          many
          label={words.values}
          value={rule.in.join(", ")}
          options={values.map(({ value, label }): Named => ({ code: value, name: said(label) }))}
          onChange={(text) => onChange({ ...rule, in: listOf(text) })}
        />
      )}
      {rule.kind === "instant" && (
        <>
          <Choose
            label={words.comparison}
            value={rule.is}
            options={Object.entries(words.instants)}
            onChange={(is) => onChange({ ...rule, is: is as typeof rule.is })}
          />
          <DayAt label={words.date} at={rule.at} onChange={(at) => onChange({ ...rule, at })} />
        </>
      )}
      {rule.kind === "days_since" && (
        <>
          <Choose
            label={words.comparison}
            value={rule.is}
            options={(["le", "lt", "ge", "gt"] as const).map((is) => [is, words.comparisons[is]])}
            onChange={(is) => onChange({ ...rule, is: is as typeof rule.is })}
          />
          <Figure
            label={words.daysAgo}
            value={rule.days}
            onChange={(days) => onChange({ ...rule, days: whole(days, 36_500) })}
          />
        </>
      )}
    </>
  );
}
/** One segment, or several and what is asked of them together. */
function Segments({ rule, onChange, others }: Put<"segment" | "union" | "intersect" | "except">) {
  const { t } = useWords();
  const said = useSaid();
  const words = t.segments.builder;
  const options = others.map(({ id, name }): [string, string] => [id, said(name)]);
  if (rule.kind === "segment")
    return (
      <Choose
        label={t.nav.segments}
        value={rule.segment}
        options={options}
        onChange={(segment) => onChange({ ...rule, segment })}
      />
    );
  const list = rule.kind === "except" ? rule.without : rule.segments;
  const put = (next: string[]) =>
    onChange(rule.kind === "except" ? { ...rule, without: next } : { ...rule, segments: next });
  const free = others.find(({ id }) => !list.includes(id));
  return (
    <>
      {rule.kind === "except" && (
        <Choose
          label={words.fromSegment}
          value={rule.segment}
          options={options}
          onChange={(segment) => onChange({ ...rule, segment })}
        />
      )}
      {list.map((id, i) => (
        <span key={i} className="condition-line">
          <Choose
            label={rule.kind === "except" ? words.without : t.nav.segments}
            value={id}
            options={options}
            onChange={(next) => put(list.with(i, next))}
          />
          {list.length > 1 && (
            <button type="button" className="plain" onClick={() => put(list.toSpliced(i, 1))}>
              {words.removeSegment(String(i + 1))}
            </button>
          )}
        </span>
      ))}
      {free && list.length < 10 && (
        <button type="button" className="plain" onClick={() => put([...list, free.id])}>
          {words.addSegment}
        </button>
      )}
    </>
  );
}

/** What was kept before is a number of values: what they are is known to nobody. */
function Identifier({ rule, onChange, suggested }: Put<"identifier">) {
  const { t } = useWords();
  const words = t.segments.builder;
  const { values = [], source, ...kept } = rule as Address;
  const put = (next: Partial<Address>) => onChange({ ...rule, ...next } as Rule);
  return (
    <>
      <Choose
        label={words.identifier}
        value={rule.type}
        options={Object.entries(words.identifiers)}
        onChange={(type) => put({ type: type as Address["type"], blinds: [], values })}
      />
      {!isEverywhere(rule.type) && (
        <Choose
          label={words.source}
          value={source ?? ""}
          options={[
            ...(source ? [] : [["", words.chooseSource] as const]),
            ...suggested.sources.map(({ id, name }) => [id, name] as const),
          ]}
          onChange={(id) => put({ source: id })}
        />
      )}
      <Text
        label={words.values}
        value={values.join(", ")}
        options={[]}
        most={10_000}
        hint={rule.type === "external" ? words.externalSays : words.identifierSays}
        onChange={(text) => put({ values: text === "" ? [] : listOf(text) })}
      />
      {kept.blinds.length > 0 && (
        <span className="condition-part">
          <span className="quiet">{words.kept(String(kept.blinds.length))}</span>
          <button type="button" className="plain" onClick={() => put({ blinds: [] })}>
            {words.forget}
          </button>
        </span>
      )}
    </>
  );
}

function Roles({
  roles,
  suggested,
  onChange,
}: Helped & { roles: readonly string[]; onChange: (roles: string[]) => void }) {
  const { t } = useWords();
  const said = useSaid();
  const words = t.segments.builder;
  return (
    <span className="condition-part" role="group" aria-label={words.roles}>
      <span className="label">{words.roles}</span>
      <span className="condition-checks">
        {suggested.roles.map(({ code, name }) => (
          <label key={code}>
            <input
              type="checkbox"
              checked={roles.includes(code)}
              onChange={(event) =>
                onChange(
                  event.target.checked ? [...roles, code] : roles.filter((one) => one !== code),
                )
              }
            />
            {said(name)}
          </label>
        ))}
      </span>
      {roles.length === 0 && <span className="quiet">{words.anyRole}</span>}
    </span>
  );
}
