// The rules of who is who, and the jobs that a change of them sets off.
import { useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { api, call, type Answer } from "../ui/call.ts";
import { Choice, Field, Form } from "../ui/form.tsx";
import { wordFor } from "../ui/marks.tsx";
import { At, Broken, Page, Part } from "../ui/page.tsx";
import { useCall, useMay } from "../ui/session.tsx";
import { DataTable, type Column } from "../ui/table.tsx";
import { useFormat, useWords } from "../ui/words.tsx";

type Rules = Answer<typeof api.people.rules>;
type Job = Answer<typeof api.people.jobs>["jobs"][number];

export function IdentityRules() {
  const { t } = useWords();
  const { data, error, refetch } = useCall(api.people.rules, {});
  return (
    <Page title={t.nav.identity} says={t.identity.rulesSay}>
      {error && <Broken error={error} again={refetch} />}
      {data && (
        <>
          <Limits limits={data.limits} />
          <Blocked blocked={data.blocked} />
        </>
      )}
      <Jobs />
    </Page>
  );
}

/** The new limits apply to whom they concern by a job, which shows below. */
function Limits({ limits }: { limits: Rules["limits"] }) {
  const { t } = useWords();
  const may = useMay();
  const format = useFormat();
  const queries = useQueryClient();
  const [set, setSet] = useState<number | null>(null);
  const words = t.identity;
  const named = (type: string) => wordFor(t.fields, type);
  return (
    <Part title={words.limits} says={words.limitsSay}>
      {may("house:write") ? (
        <Form
          className="form wide"
          button={words.setLimits}
          act={async (values, key) => {
            const asked = Object.fromEntries(
              limits.flatMap(({ type }) => {
                const most = Number(values[type] ?? "");
                return values[type]?.trim() ? [[type, most]] : [];
              }),
            );
            const { identifiers } = await call(api.people.setLimits, asked, { key });
            setSet(identifiers);
            await queries.invalidateQueries();
          }}
        >
          <div className="limits">
            {limits.map(({ type, most, usual }) => (
              <Field
                key={type}
                name={type}
                label={named(type)}
                hint={words.usual(format.number(usual))}
                defaultValue={String(most)}
                maxLength={4}
              />
            ))}
          </div>
          {set !== null && (
            <p role="status">
              {set === 0 ? words.concernsNobody : words.concerns(format.number(set))}
            </p>
          )}
        </Form>
      ) : (
        <dl className="facts">
          {limits.map(({ type, most }) => (
            <div key={type}>
              <dt>{named(type)}</dt>
              <dd>{format.number(most)}</dd>
            </div>
          ))}
        </dl>
      )}
    </Part>
  );
}

function Blocked({ blocked }: { blocked: Rules["blocked"] }) {
  const { t } = useWords();
  const may = useMay();
  const queries = useQueryClient();
  const words = t.identity;
  const types = ["phone", "email", "user_id", "anonymous_id", "device", "openid", "unionid"];
  return (
    <Part title={words.blocked} says={words.blockedSay}>
      {blocked.length === 0 && <p className="quiet">{words.noBlocked}</p>}
      <ul className="rows">
        {blocked.map(({ id, type, value, masked, why, at }) => (
          <li key={id}>
            <div>
              {wordFor(t.fields, type)} <strong>{value}</strong>
              {masked && <span className="unseen"> {t.member.masked}</span>}
              <p>{why}</p>
              <small>
                <At at={at} />
              </small>
            </div>
            {may("house:write") && (
              <button
                type="button"
                className="plain"
                onClick={() =>
                  void call(api.people.unblock, { blocked: id }).finally(() =>
                    queries.invalidateQueries(),
                  )
                }
              >
                {words.unblock}
              </button>
            )}
          </li>
        ))}
      </ul>
      {may("house:write") && (
        <Form
          button={words.block}
          act={async ({ type = "", value = "", reason = "" }, key) => {
            const asked = { type: type as Rules["blocked"][number]["type"], value, reason };
            await call(api.people.block, asked, { key });
            await queries.invalidateQueries();
          }}
        >
          <Choice
            name="type"
            label={words.type}
            options={types.map((type) => ({ value: type, label: wordFor(t.fields, type) }))}
          />
          <Field name="value" label={words.value} required maxLength={500} />
          <Field name="reason" label={words.reason} required maxLength={200} />
        </Form>
      )}
    </Part>
  );
}

function Jobs() {
  const { t } = useWords();
  const format = useFormat();
  const { data, error, refetch } = useCall(api.people.jobs, {}, { refetchMs: 3000 });
  const words = t.identity;
  const columns = useMemo<Column<Job>[]>(() => {
    const of = ({ done, all }: { done: number; all: number }) =>
      words.of(format.number(done), format.number(all));
    return [
      {
        id: "kind",
        names: true,
        width: "l",
        header: words.job,
        cell: ({ kind }) => words.jobs[kind],
      },
      { id: "askedAt", header: words.askedAt, cell: ({ askedAt }) => <At at={askedAt} /> },
      {
        id: "identifiers",
        header: words.identifiers,
        numeric: true,
        cell: ({ identifiers }) => of(identifiers),
      },
      {
        id: "links",
        header: words.links,
        numeric: true,
        cell: ({ links }) => format.number(links),
      },
      { id: "people", header: words.people, numeric: true, cell: ({ people }) => of(people) },
      {
        id: "ended",
        header: words.ended,
        cell: ({ endedAt }) => (endedAt ? <At at={endedAt} /> : words.underWay),
      },
    ];
  }, [words, format]);
  return (
    <Part title={words.jobsTitle} says={words.jobsSay}>
      {error && <Broken error={error} again={refetch} />}
      {data?.jobs.length === 0 ? (
        <p className="quiet">{words.noJobs}</p>
      ) : (
        <DataTable
          rows={data?.jobs}
          columns={columns}
          keyOf={({ id }) => id}
          caption={words.jobsTitle}
        />
      )}
    </Part>
  );
}
