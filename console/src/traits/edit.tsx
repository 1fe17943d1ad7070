import { useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { asks, functions, type Trait } from "../../../src/traits/rules.ts";
import { FilterLine } from "../segments/filter.tsx";
import { eventsNamed } from "../segments/when.tsx";
import { api, call, Problem, type Answer } from "../ui/call.ts";
import { Choice, Field, Form } from "../ui/form.tsx";
import { Choose, Figure, Text, type Named } from "../ui/inputs.tsx";
import { At, Broken, Page, Part, Wait } from "../ui/page.tsx";
import { useCall } from "../ui/session.tsx";
import { useFormat, useSaid, useWords } from "../ui/words.tsx";
import { Remove } from "../ui/remove.tsx";

/** While somebody types, a trait is tried once it rests this long. */
const restMs = 300;
type Suggested = Answer<typeof api.segments.suggest>;
type Asked = Pick<Trait, "fn" | "event" | "property" | "where" | "hours">;

export function EditTrait() {
  const { t } = useWords();
  const { trait } = useSearch({ from: "/inside/traits/edit" });
  const suggested = useCall(api.segments.suggest, {});
  const all = useCall(api.traits.list, {});
  const had = all.data?.traits.find(({ name }) => name === trait);
  const error = suggested.error ?? all.error;
  return (
    <Page
      title={trait ? t.traits.edit : t.traits.make}
      says={<Link to="/traits">{t.traits.back}</Link>}
      actions={
        had &&
        had.state !== "going" && (
          <Remove
            words={{ ask: t.traits.remove, sure: t.traits.removeSure }}
            act={(key) => call(api.traits.remove, { trait: had.name }, { key })}
            then="/traits"
          />
        )
      }
    >
      {error ? (
        <Broken error={error} again={suggested.refetch} />
      ) : suggested.data && all.data ? (
        <Builder key={trait ?? ""} suggested={suggested.data} had={had as Trait | undefined} />
      ) : (
        <Part title={t.traits.fn}>
          <Wait width={32} />
        </Part>
      )}
    </Page>
  );
}

function Builder({ suggested, had }: { suggested: Suggested; had: Trait | undefined }) {
  const { t } = useWords();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [asked, setAsked] = useState<Asked>(
    had ?? {
      fn: "count",
      event: suggested.events[0]?.name ?? "Product Viewed",
      where: [],
      hours: 720,
    },
  );
  return (
    <div className="beside">
      <Form
        className="form wide"
        button={t.traits.save}
        act={async (values, key) => {
          const { zh = "", en = "", unit = "", shown } = values;
          await call(
            api.traits.declare,
            {
              ...wholeOf(asked),
              name: had?.name ?? values["code"] ?? "",
              label: { zh, en },
              ...(unit === "" ? {} : { unit }),
              shown: shown === "yes",
            },
            { key },
          );
          await queries.invalidateQueries({ queryKey: [api.traits.list.path] });
          await navigate({ to: "/traits" });
        }}
      >
        {had ? (
          <p>
            {t.traits.code} <code>{had.name}</code>
          </p>
        ) : (
          <Field
            name="code"
            label={t.traits.code}
            hint={t.traits.codeSays}
            required
            maxLength={64}
            placeholder="views_30d"
          />
        )}
        <Field
          name="zh"
          label={t.traits.nameZh}
          required
          maxLength={80}
          defaultValue={had?.label.zh ?? ""}
        />
        <Field
          name="en"
          label={t.traits.nameEn}
          required
          maxLength={80}
          defaultValue={had?.label.en ?? ""}
        />
        <Field name="unit" label={t.traits.unit} maxLength={20} defaultValue={had?.unit ?? ""} />
        <Choice
          name="shown"
          label={t.traits.shown}
          value={had?.shown ? "yes" : "no"}
          options={[
            { value: "no", label: t.traits.shownNo },
            { value: "yes", label: t.traits.shownYes },
          ]}
        />
        <Parts asked={asked} onChange={setAsked} suggested={suggested} />
      </Form>
      <Preview asked={asked} />
    </div>
  );
}
/** What was typed, without a property where the function asks for none. */
const wholeOf = ({ fn, event, property, where = [], hours }: Asked) => ({
  fn,
  event,
  hours,
  ...(asks(fn) === null || property === undefined ? {} : { property }),
  ...(where.length > 0 ? { where } : {}),
});

function Parts({
  asked,
  onChange,
  suggested,
}: {
  asked: Asked;
  onChange: (asked: Asked) => void;
  suggested: Suggested;
}) {
  const { t } = useWords();
  const words = t.traits;
  const properties = suggested.events.find(({ name }) => name === asked.event)?.properties ?? [];
  const said = useSaid();
  const names = properties.map(({ name, label }): Named => ({
    ...{ code: name, name: label ? said(label) : name },
  }));
  const kind = asked.hours === null ? "ever" : asked.hours % 24 === 0 ? "days" : "hours";
  const where = asked.where ?? [];
  return (
    <>
      <fieldset className="condition">
        <legend className="unseen">{words.fn}</legend>
        <div className="condition-line">
          <Choose
            label={words.fn}
            value={asked.fn}
            options={functions.map((fn) => [fn, words.functions[fn]])}
            onChange={(fn) => onChange({ ...asked, fn: fn as Trait["fn"] })}
          />
          <Text
            label={words.event}
            value={asked.event}
            options={eventsNamed(suggested.events, said)}
            onChange={(event) => onChange({ ...asked, event })}
          />
          {asks(asked.fn) !== null && (
            <Text
              label={words.property}
              value={asked.property ?? ""}
              options={names}
              onChange={(property) => onChange({ ...asked, property })}
            />
          )}
          <Choose
            label={words.window}
            value={kind}
            options={(["days", "hours", "ever"] as const).map((one) => [one, words.windows[one]])}
            onChange={(one) =>
              onChange({ ...asked, hours: one === "ever" ? null : one === "days" ? 720 : 1 })
            }
          />
          {asked.hours !== null && (
            <Figure
              label={kind === "days" ? words.days : words.hours}
              value={kind === "days" ? asked.hours / 24 : asked.hours}
              onChange={(value) => {
                const hours = Math.round(kind === "days" ? value * 24 : value);
                onChange({ ...asked, hours: Math.min(17_544, Math.max(1, hours)) });
              }}
            />
          )}
        </div>
        {asks(asked.fn) !== null && <p className="quiet">{words.propertySays}</p>}
      </fieldset>
      <fieldset className="condition">
        <legend>{words.only}</legend>
        {where.map((filter, i) => (
          <FilterLine
            // A filter is its place: there is nothing else to tell two equal ones apart.
            key={i}
            filter={filter}
            names={names}
            onChange={(next) => onChange({ ...asked, where: where.with(i, next) })}
            onRemove={() => onChange({ ...asked, where: where.toSpliced(i, 1) })}
          />
        ))}
        {where.length < 10 && (
          <button
            type="button"
            className="plain"
            onClick={() =>
              onChange({
                ...asked,
                where: [...where, { property: names[0]?.code ?? "price", is: "known" }],
              })
            }
          >
            {t.segments.builder.addFilter}
          </button>
        )}
      </fieldset>
    </>
  );
}

function Preview({ asked }: { asked: Asked }) {
  const { t } = useWords();
  const format = useFormat();
  const said = useSaid();
  const [tried, setTried] = useState<Answer<typeof api.traits.preview> | null>(null);
  const [wrong, setWrong] = useState<unknown>(null);
  const text = JSON.stringify(wholeOf(asked));
  useEffect(() => {
    const ending = new AbortController();
    const timer = setTimeout(() => {
      const trait = JSON.parse(text) as ReturnType<typeof wholeOf>;
      const named = { name: "preview", label: { zh: "试算", en: "Preview" }, ...trait };
      call(api.traits.preview, named, { signal: ending.signal })
        .then((answer) => {
          setTried(answer);
          setWrong(null);
        })
        .catch((thrown: unknown) => {
          if (!ending.signal.aborted) setWrong(thrown);
        });
    }, restMs);
    return () => {
      clearTimeout(timer);
      ending.abort();
    };
  }, [text]);
  const shown = (value: unknown) =>
    value === null || value === undefined
      ? t.traits.nothing
      : typeof value === "number"
        ? format.decimal(value)
        : typeof value === "boolean"
          ? value
            ? t.yes
            : t.no
          : Array.isArray(value)
            ? value.map(String).join(", ")
            : String(value);
  return (
    <Part title={t.traits.preview}>
      <div aria-live="polite">
        {wrong ? (
          <p className="refusal">
            {wrong instanceof Problem && wrong.message ? wrong.message : t.broken.away}
          </p>
        ) : null}
        {tried ? (
          <>
            <p>{said(tried.sentence)}</p>
            {tried.people.length === 0 && <p className="quiet">{t.traits.previewNone}</p>}
            <ul className="rows">
              {tried.people.map(({ personId, userId, value, at }) => (
                <li key={personId}>
                  <div>
                    <Link to="/members/$person" params={{ person: personId }}>
                      {userId ?? personId.slice(0, 8)}
                    </Link>{" "}
                    <strong className="num">{shown(value)}</strong>
                    {at && (
                      <small>
                        {" "}
                        <At at={at} />
                      </small>
                    )}
                  </div>
                </li>
              ))}
            </ul>
          </>
        ) : (
          <Wait width={16} />
        )}
      </div>
    </Part>
  );
}
