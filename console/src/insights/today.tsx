import { Link, type LinkProps } from "@tanstack/react-router";
import { api, type Answer } from "../ui/call.ts";
import { StageMark, wordFor } from "../ui/marks.tsx";
import { At, Broken, Empty, Figure, Page, Part, Wait } from "../ui/page.tsx";
import { useCall } from "../ui/session.tsx";
import { useFormat, useSaid, useWords } from "../ui/words.tsx";

type TodayAnswer = Answer<typeof api.insights.today>;
type Sales = TodayAnswer["week"];

const people = (search: Record<string, string>): LinkProps => ({ to: "/today/people", search });

export function Today() {
  const { t } = useWords();
  const { data, error, refetch } = useCall(api.insights.today, {}, { refetchMs: 60_000 });
  if (error)
    return (
      <Page title={t.nav.today}>
        <Broken error={error} again={refetch} />
      </Page>
    );
  return (
    <Page title={t.nav.today} says={t.today.says}>
      <div className="columns">
        <SalesPart
          title={t.today.yesterday}
          now={data?.yesterday}
          before={data?.dayBefore}
          figure="yesterday"
          figureBefore="day_before"
          than={t.today.thanDayBefore}
        />
        <SalesPart
          title={t.today.week}
          now={data?.week}
          before={data?.weekBefore}
          figure="week"
          figureBefore="week_before"
          than={t.today.thanWeekBefore}
        />
      </div>
      <Stages data={data} />
      <div className="columns">
        <Changes data={data} />
        <Running data={data} />
      </div>
      <Rejected data={data} />
    </Page>
  );
}

function SalesPart({
  title,
  now,
  before,
  figure,
  figureBefore,
  than,
}: {
  title: string;
  now: Sales | undefined;
  before: Sales | undefined;
  figure: string;
  figureBefore: string;
  than: (before: string) => string;
}) {
  const { t } = useWords();
  const format = useFormat();
  const earlier = (write: (sales: Sales) => string) =>
    before ? (
      <Link {...people({ figure: figureBefore })} className="num">
        {than(write(before))}
      </Link>
    ) : (
      "\u00a0"
    );
  const days =
    now &&
    (now.from === now.until
      ? format.day(now.from)
      : t.span(format.day(now.from), format.day(now.until)));
  return (
    <Part title={title} says={days ?? <Wait width={16} />} className="grows">
      <dl className="figures">
        <Figure
          label={t.today.people}
          value={now && format.number(now.people)}
          note={earlier((sales) => format.number(sales.people))}
          to={people({ figure })}
        />
        <Figure
          label={t.today.orders}
          value={now && format.number(now.orders)}
          note={earlier((sales) => format.number(sales.orders))}
          to={people({ figure })}
        />
        <Figure
          label={t.today.revenue}
          value={now && format.money(now.revenueMinor)}
          note={earlier((sales) => format.money(sales.revenueMinor))}
          to={people({ figure })}
        />
      </dl>
    </Part>
  );
}

function Stages({ data }: { data: TodayAnswer | undefined }) {
  const { t } = useWords();
  const format = useFormat();
  const of = (stage: string) => data?.stages.find((one) => one.stage === stage)?.people ?? 0;
  return (
    <Part
      title={t.today.stages}
      says={data ? t.today.members(format.number(data.members)) : <Wait width={16} />}
      actions={<Link to="/lifecycle">{t.nav.lifecycle}</Link>}
    >
      <dl className="figures">
        {(["new", "active", "dormant", "lost"] as const).map((stage) => (
          <Figure
            key={stage}
            label={<StageMark stage={stage} />}
            value={data && format.number(of(stage))}
            note={
              data && data.members > 0
                ? format.share((of(stage) / data.members) * 10_000)
                : "\u00a0"
            }
            to={{ to: "/members", search: { stage } }}
          />
        ))}
      </dl>
    </Part>
  );
}

function Changes({ data }: { data: TodayAnswer | undefined }) {
  const { t } = useWords();
  const format = useFormat();
  return (
    <Part title={t.today.changes} says={t.today.changesSays} className="tall grows">
      {data?.transitions.length === 0 && <Empty says={t.today.noChanges} />}
      <ul className="rows">
        {data
          ? data.transitions.map(({ before, after, people: count }) => (
              <li key={`${before}-${after}`}>
                <span className="move">
                  {before ? (
                    <StageMark stage={before} />
                  ) : (
                    <span className="quiet">{t.lifecycle.first}</span>
                  )}
                  <span aria-hidden="true">→</span>
                  <span className="unseen">{t.to}</span>
                  <StageMark stage={after} />
                </span>
                <Link
                  {...people({
                    figure: "transition",
                    ...(before ? { before } : {}),
                    ...(after ? { now: after } : {}),
                  })}
                  className="num"
                >
                  {t.people(format.number(count))}
                </Link>
              </li>
            ))
          : Array.from({ length: 5 }, (_, row) => (
              <li key={row}>
                <Wait width={16} />
              </li>
            ))}
      </ul>
    </Part>
  );
}

function Running({ data }: { data: TodayAnswer | undefined }) {
  const { t } = useWords();
  const format = useFormat();
  const said = useSaid();
  return (
    <Part title={t.today.programmes} says={t.today.programmesSays} className="tall grows">
      {data?.programmes.length === 0 && (
        <Empty says={t.today.noProgrammes}>
          <Link to="/programmes" className="button">
            {t.nav.programmes}
          </Link>
        </Empty>
      )}
      <ul className="rows">
        {data ? (
          data.programmes.map((one) => (
            <li key={one.id + one.number}>
              <span>
                <Link
                  to="/programmes/$programme"
                  params={{ programme: one.key }}
                  search={{ run: String(one.number) }}
                >
                  {said(one.name)}
                </Link>
                <small>
                  {one.state === "running"
                    ? t.programme.runsUntil(format.at(one.until))
                    : one.verdict
                      ? wordFor(t.verdicts, one.verdict)
                      : t.programmeStates.measured}
                </small>
              </span>
              <span className="inline-list">
                {(["treated", "control"] as const).map((arm) => (
                  <Link
                    key={arm}
                    to="/programmes/$programme/people"
                    params={{ programme: one.key }}
                    search={{ run: String(one.number), arm }}
                  >
                    {t.armsOf[arm]} {format.number(one[arm])}
                  </Link>
                ))}
              </span>
            </li>
          ))
        ) : (
          <li>
            <Wait width={16} />
          </li>
        )}
      </ul>
    </Part>
  );
}

function Rejected({ data }: { data: TodayAnswer | undefined }) {
  const { t } = useWords();
  const format = useFormat();
  const house = data?.house.freshness;
  return (
    <Part title={t.today.data}>
      <dl className="facts">
        <dt>{t.today.lastOrder}</dt>
        <dd>{house ? house.lastOrderAt ? <At at={house.lastOrderAt} /> : t.none : <Wait />}</dd>
        <dt>{t.today.profilesBehind}</dt>
        <dd>{house ? t.today.lines(format.number(house.profilesBehind)) : <Wait />}</dd>
        <dt>{t.today.columnsBehind}</dt>
        <dd>{house ? t.today.lines(format.number(house.columnsBehind)) : <Wait />}</dd>
        <dt>{t.today.rejected}</dt>
        <dd>
          {data ? (
            <>
              {t.today.lines(format.number(data.rejected.lines))}
              {data.rejected.reasons.map(({ reason, lines }) => (
                <small key={reason}>
                  {t.rejections[reason] ?? t.rejectionUnknown}: {format.number(lines)}
                </small>
              ))}
            </>
          ) : (
            <Wait />
          )}
        </dd>
      </dl>
    </Part>
  );
}
