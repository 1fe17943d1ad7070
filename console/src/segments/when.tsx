import { dayOf, instantOf } from "../../../src/kernel/clock.ts";
import type { What, Window } from "../../../src/segments/rules.ts";
import { Choose, Day, Figure, Text, type Named } from "../ui/inputs.tsx";
import { useFormat, useSaid, useWords } from "../ui/words.tsx";
import { filterOf, type Suggested } from "./draft.ts";
import { FilterLine } from "./filter.tsx";

/** Filters of one event, and days and hours that a window looks back, at most. */
const filtersLimit = 10;
const daysLimit = 731;

/** Events by what they are called, found by their names in either language. */
export const eventsNamed = (
  events: Suggested["events"],
  said: ReturnType<typeof useSaid>,
): Named[] =>
  events.map(({ name, label }) => ({
    ...{ code: name, name: label ? said(label) : name },
    also: label ? [label.zh, label.en].find((one) => one !== said(label)) : undefined,
  }));

/** What happened: the event's name, and what is asked of what it says. */
export function Event({
  what,
  suggested,
  onChange,
}: {
  what: What;
  suggested: Pick<Suggested, "events">;
  onChange: (what: What) => void;
}) {
  const { t } = useWords();
  const said = useSaid();
  const words = t.segments.builder;
  const properties = suggested.events.find(({ name }) => name === what.event)?.properties ?? [];
  const filters = filterOf(what);
  const put = (where: What["where"] & object) =>
    onChange(
      where.length > 0 ? { event: what.event, where } : { event: what.event, where: undefined },
    );
  return (
    <>
      <Text
        label={words.event}
        value={what.event}
        options={eventsNamed(suggested.events, said)}
        onChange={(event) => onChange({ event, where: what.where })}
      />
      {filters.map((filter, i) => (
        <FilterLine
          // A filter is its place: there is nothing else to tell two equal ones apart.
          key={i}
          filter={filter}
          names={properties.map(({ name, label }): Named => ({
            code: name,
            name: label ? said(label) : name,
          }))}
          onChange={(next) => put(filters.with(i, next))}
          onRemove={() => put(filters.toSpliced(i, 1))}
        />
      ))}
      {filters.length < filtersLimit && (
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

/** A day of the shop's calendar, kept as the instant at which it begins. */
export function DayAt({
  label,
  at,
  onChange,
}: {
  label: string;
  at: string;
  onChange: (at: string) => void;
}) {
  const { timeZone } = useFormat();
  return (
    <Day
      label={label}
      value={dayOf(new Date(at), timeZone)}
      onChange={(day) => onChange(instantOf(`${day}T00:00`, timeZone).toISOString())}
    />
  );
}

export function When({ window, onChange }: { window: Window; onChange: (window: Window) => void }) {
  const { t } = useWords();
  const words = t.segments.builder;
  const since = "2026-01-01T00:00:00.000Z";
  const begins: Record<Window["kind"], Window> = {
    days: { kind: "days", days: 30 },
    hours: { kind: "hours", hours: 24 },
    since: { kind: "since", at: window.kind === "between" ? window.from : since },
    between: {
      kind: "between",
      from: window.kind === "since" ? window.at : since,
      until: "2027-01-01T00:00:00.000Z",
    },
    ever: { kind: "ever" },
  };
  return (
    <>
      <Choose
        label={words.window}
        value={window.kind}
        options={(Object.keys(begins) as Window["kind"][]).map((kind) => [
          kind,
          words.windows[kind],
        ])}
        onChange={(kind) => onChange(begins[kind as Window["kind"]])}
      />
      {window.kind === "days" && (
        <Figure
          label={words.days}
          value={window.days}
          onChange={(days) =>
            onChange({ kind: "days", days: Math.min(daysLimit, Math.max(1, Math.round(days))) })
          }
        />
      )}
      {window.kind === "hours" && (
        <Figure
          label={words.hours}
          value={window.hours}
          onChange={(hours) =>
            onChange({
              kind: "hours",
              hours: Math.min(daysLimit * 24, Math.max(1, Math.round(hours))),
            })
          }
        />
      )}
      {window.kind === "since" && (
        <DayAt label={words.from} at={window.at} onChange={(at) => onChange({ ...window, at })} />
      )}
      {window.kind === "between" && (
        <>
          <DayAt
            label={words.from}
            at={window.from}
            onChange={(from) => onChange({ ...window, from })}
          />
          <DayAt
            label={words.until}
            at={window.until}
            onChange={(until) => onChange({ ...window, until })}
          />
        </>
      )}
    </>
  );
}
