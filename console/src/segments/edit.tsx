import { useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import type { Level, Rule } from "../../../src/segments/rules.ts";
import { api, call, Problem, type Answer } from "../ui/call.ts";
import { Choice, Field, Form } from "../ui/form.tsx";
import { Broken, Page, Part, Wait } from "../ui/page.tsx";
import { useCall } from "../ui/session.tsx";
import { useFormat, useSaid, useWords } from "../ui/words.tsx";
import { Condition } from "./builder.tsx";
import { blank, isComplete, suggestedFor } from "./draft.ts";

/** While somebody types, a rule is asked once it rests this long. */
const restMs = 300;
type Tried = Answer<typeof api.segments.preview>;

/** A rule is made here: what it says and whom it fits stand beside it at every moment. */
export function EditSegment() {
  const { t } = useWords();
  const { segment } = useSearch({ from: "/inside/segments/edit" });
  const suggested = useCall(api.segments.suggest, {});
  const others = useCall(api.segments.list, {});
  const had = useCall(api.segments.show, segment ? { segment, limit: "1" } : undefined);
  const error = suggested.error ?? others.error ?? had.error;
  const ready = suggested.data && others.data && (!segment || had.data);
  const title = segment ? t.segments.builder.edit : t.segments.builder.make;
  return (
    <Page title={title} says={<Link to="/segments">{t.segments.back}</Link>}>
      {error ? (
        <Broken error={error} again={suggested.refetch} />
      ) : ready ? (
        <Builder
          key={segment ?? ""}
          suggested={suggested.data!}
          others={others.data!.segments.filter(({ id }) => id !== segment)}
          had={had.data}
        />
      ) : (
        <Part title={t.segments.rule}>
          <Wait width={32} />
        </Part>
      )}
    </Page>
  );
}

function Builder({
  suggested,
  others,
  had,
}: {
  suggested: Answer<typeof api.segments.suggest>;
  others: Answer<typeof api.segments.list>["segments"];
  had: Answer<typeof api.segments.show> | undefined;
}) {
  const { t } = useWords();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const words = t.segments.builder;
  const [level, setLevel] = useState<Level>(had?.level ?? "person");
  const fresh = (of: Level): Rule => ({
    ...{ kind: "and", of: [blank("events", suggestedFor(suggested, of))] },
  });
  const [rule, setRule] = useState<Rule>((had?.rule as Rule | undefined) ?? fresh("person"));
  return (
    <div className="beside">
      <Form
        className="form wide"
        button={t.segments.builder.save}
        act={async (values, key) => {
          const made = await call(
            api.segments.define,
            {
              ...(had ? { id: had.id } : {}),
              name: { zh: values["zh"] ?? "", en: values["en"] ?? "" },
              level,
              rule,
              purpose: had?.purpose ?? "marketing",
            },
            { key },
          );
          await queries.invalidateQueries({ queryKey: [api.segments.list.path] });
          await queries.invalidateQueries({ queryKey: [api.segments.show.path] });
          await navigate({ to: "/segments/$segment", params: { segment: made.id } });
        }}
      >
        <Field
          name="zh"
          label={t.segments.builder.nameZh}
          required
          maxLength={80}
          defaultValue={had?.name.zh ?? ""}
        />
        <Field
          name="en"
          label={t.segments.builder.nameEn}
          required
          maxLength={80}
          defaultValue={had?.name.en ?? ""}
        />
        {/* Of another rule, saving again is another act. */}
        <input type="hidden" name="rule" value={JSON.stringify([level, rule])} />
        {had ? (
          <p className="quiet">
            {words.level} · {words.levels[level]}
          </p>
        ) : (
          <Choice
            label={words.level}
            value={level}
            options={(["person", "company"] as const).map((value) => ({
              value,
              label: words.levels[value],
            }))}
            onChange={(to) => {
              setLevel(to as Level);
              setRule(fresh(to as Level));
            }}
          />
        )}
        <Condition
          rule={rule}
          onChange={setRule}
          suggested={suggestedFor(suggested, level)}
          others={others}
          place={{ level, inside: false }}
        />
      </Form>
      <Preview rule={rule} level={level} />
    </div>
  );
}

function Preview({ rule, level }: { rule: Rule; level: Level }) {
  const { t } = useWords();
  const format = useFormat();
  const said = useSaid();
  const [tried, setTried] = useState<Tried | null>(null);
  const [wrong, setWrong] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const complete = isComplete(rule);
  const asked = JSON.stringify({ level, rule });
  useEffect(() => {
    // What is shown is always the answer to a whole rule.
    if (!complete) {
      setTried(null);
      return;
    }
    setBusy(true);
    const ending = new AbortController();
    // A newer rule ends the question about the older one, here and at the server.
    const timer = setTimeout(() => {
      call(api.segments.preview, JSON.parse(asked) as { level: Level; rule: Rule }, {
        signal: ending.signal,
      })
        .then((answer) => {
          setTried(answer);
          setWrong(null);
          setBusy(false);
        })
        .catch((thrown: unknown) => {
          if (
            !ending.signal.aborted &&
            !(thrown instanceof Problem && thrown.code === "segments.superseded")
          ) {
            setWrong(thrown);
            setBusy(false);
          }
        });
    }, restMs);
    return () => {
      clearTimeout(timer);
      ending.abort();
    };
  }, [asked, complete]);
  const words = t.segments.builder;
  const company = level === "company";
  const of = company ? words.ofCompanies : words.of;
  if (!complete)
    return (
      <Part title={company ? words.fitCompanies : words.preview}>
        <p className="quiet">{words.unfinished}</p>
      </Part>
    );
  return (
    <Part title={company ? words.fitCompanies : words.preview}>
      <div aria-live="polite" aria-busy={busy} className={busy ? "stale" : ""}>
        {wrong ? (
          <p className="refusal">
            {wrong instanceof Problem && wrong.message ? wrong.message : t.broken.away}
          </p>
        ) : null}
        {tried ? (
          <>
            <p>{said(tried.sentence)}</p>
            <p className="num big">{of(format.number(tried.people), format.number(tried.of))}</p>
            {!tried.freshness.upToDate && <p className="quiet">{words.behind}</p>}
            <ul className="rows">
              {tried.sample.map(({ personId, userId }) => (
                <li key={personId}>
                  <Link to="/members/$person" params={{ person: personId }}>
                    {userId ?? personId}
                  </Link>
                </li>
              ))}
              {tried.companies.map(({ companyId, name }) => (
                <li key={companyId}>
                  <Link to="/companies/$company" params={{ company: companyId }}>
                    {name}
                  </Link>
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
