import { Link } from "@tanstack/react-router";
import { lazy, Suspense, useMemo } from "react";
import { api, type Answer } from "../ui/call.ts";
import { StageMark } from "../ui/marks.tsx";
import { At, Broken, Empty, Figure, Page, Part, Wait } from "../ui/page.tsx";
import { useCall } from "../ui/session.tsx";
import { useFormat, useSaid, useWords } from "../ui/words.tsx";

const Survival = lazy(() =>
  import("../charts/survival.tsx").then(({ Survival: is }) => ({ default: is })),
);
type Board = Answer<typeof api.predict.lifecycle>;
type Outlook = Answer<typeof api.predict.outlook>;

export function Lifecycle() {
  const { t } = useWords();
  const format = useFormat();
  const said = useSaid();
  const { data, error, refetch } = useCall(api.predict.lifecycle, {});
  const outlook = useCall(api.predict.outlook, {});
  const shares = useMemo(() => new Map(data?.stages.map((one) => [one.stage, one])), [data]);
  if (error)
    return (
      <Page title={t.nav.lifecycle}>
        <Broken error={error} again={refetch} />
      </Page>
    );
  return (
    <Page title={t.nav.lifecycle} says={t.lifecycle.says}>
      <Part
        title={t.lifecycle.stages}
        says={
          data ? (
            data.learned ? (
              t.lifecycle.learned(format.number(data.people), format.at(data.learned.at))
            ) : (
              t.lifecycle.notLearned
            )
          ) : (
            <Wait width={32} />
          )
        }
      >
        <dl className="figures">
          {(["new", "active", "dormant", "lost"] as const).map((stage) => (
            <Figure
              key={stage}
              label={<StageMark stage={stage} />}
              value={data && format.number(shares.get(stage)?.people ?? 0)}
              note={data ? format.share(shares.get(stage)?.shareBp ?? 0) : "\u00a0"}
              to={{ to: "/members", search: { stage } }}
            />
          ))}
        </dl>
      </Part>
      <Part title={t.lifecycle.thresholds} className="reserve-3 grows">
        <p>
          {data ? (
            data.thresholds ? (
              said(data.thresholds.sentence)
            ) : (
              t.lifecycle.noThresholds
            )
          ) : (
            <Wait width={32} />
          )}
        </p>
        <dl className="figures">
          <Figure label={t.lifecycle.newFor} value={data && days(data.thresholds?.newForDays)} />
          <Figure
            label={t.lifecycle.dormantAfter}
            value={data && days(data.thresholds?.dormantAfterDays)}
          />
          <Figure
            label={t.lifecycle.lostAfter}
            value={data && days(data.thresholds?.lostAfterDays)}
          />
          <Figure
            label={t.lifecycle.gaps}
            value={
              data &&
              format.number((data.thresholds?.closedGaps ?? 0) + (data.thresholds?.openGaps ?? 0))
            }
            note={
              data?.thresholds
                ? t.lifecycle.openGaps(format.number(data.thresholds.openGaps))
                : undefined
            }
          />
        </dl>
      </Part>
      <Part title={t.lifecycle.curve} says={t.lifecycle.curveSays}>
        <CurveOf data={data} />
      </Part>
      <Moves data={data} />
      {data && data.categories.length > 0 && <Categories data={data} />}
      <OutlookPart data={outlook.data} />
    </Page>
  );
  function days(value: number | null | undefined) {
    return value === null || value === undefined ? t.none : t.days(format.number(value));
  }
}

function CurveOf({ data }: { data: Board | undefined }) {
  const { t } = useWords();
  const format = useFormat();
  const marks = useMemo(
    () =>
      [
        { day: data?.thresholds?.dormantAfterDays, label: t.stages.dormant },
        { day: data?.thresholds?.lostAfterDays, label: t.stages.lost },
      ].flatMap(({ day, label }) =>
        day === null || day === undefined ? [] : [{ day, label: `${label} ${format.number(day)}` }],
      ),
    [data, t, format],
  );
  if (data?.curve.length === 0) return <Empty says={t.lifecycle.noCurve} />;
  return (
    <div className="chart-place">
      {data && (
        <Suspense>
          <Survival curve={data.curve} marks={marks} />
        </Suspense>
      )}
    </div>
  );
}

function Moves({ data }: { data: Board | undefined }) {
  const { t } = useWords();
  const format = useFormat();
  return (
    <Part
      title={t.lifecycle.moves}
      className="grows"
      says={
        data ? t.lifecycle.movesSince(format.at(data.transitions.sinceAt)) : <Wait width={16} />
      }
      actions={
        <Link to="/lifecycle/moves" search={{}}>
          {t.lifecycle.allMoves}
        </Link>
      }
    >
      {data?.transitions.moves.length === 0 && <Empty says={t.lifecycle.noMoves} />}
      <ul className="rows">
        {data
          ? data.transitions.moves.map(({ from, to, people, byEvent }) => (
              <li key={`${from}-${to}`}>
                <span className="move">
                  {from ? (
                    <StageMark stage={from} />
                  ) : (
                    <span className="quiet">{t.lifecycle.first}</span>
                  )}
                  <span aria-hidden="true">→</span>
                  <span className="unseen">{t.to}</span>
                  <StageMark stage={to} />
                </span>
                <span>
                  <Link to="/lifecycle/moves" search={{ from: from ?? "none", to }} className="num">
                    {t.people(format.number(people))}
                  </Link>
                  <small>
                    {t.lifecycle.byEvent(format.number(byEvent), format.number(people - byEvent))}
                  </small>
                </span>
              </li>
            ))
          : Array.from({ length: 6 }, (_, row) => (
              <li key={row}>
                <Wait width={16} />
              </li>
            ))}
      </ul>
    </Part>
  );
}

function Categories({ data }: { data: Board }) {
  const { t } = useWords();
  const format = useFormat();
  const days = (value: number | null) => (value === null ? t.none : format.number(value));
  return (
    <Part title={t.lifecycle.categories} says={t.lifecycle.categoriesSay}>
      <div className="scroller" role="region" aria-label={t.lifecycle.categories} tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t.lifecycle.category}</th>
              <th scope="col" className="numeric">
                {t.lifecycle.dormantAfter}
              </th>
              <th scope="col" className="numeric">
                {t.lifecycle.lostAfter}
              </th>
              <th scope="col" className="numeric">
                {t.lifecycle.gaps}
              </th>
            </tr>
          </thead>
          <tbody>
            {data.categories.map((one) => (
              <tr key={one.category}>
                <th scope="row">{one.category}</th>
                <td className="numeric">{days(one.dormantAfterDays)}</td>
                <td className="numeric">{days(one.lostAfterDays)}</td>
                <td className="numeric">{format.number(one.closedGaps + one.openGaps)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Part>
  );
}

/** What is expected of the next 90 days, and why this model and no other. */
function OutlookPart({ data }: { data: Outlook | undefined }) {
  const { t } = useWords();
  const format = useFormat();
  const said = useSaid();
  const most = Math.max(1, ...(data?.chances.map(({ people }) => people) ?? []));
  return (
    <Part title={t.outlook.title} className="reserve-3 grows">
      <p>{data ? said(data.sentence) : <Wait width={32} />}</p>
      <dl className="figures">
        <Figure
          label={t.outlook.expected}
          value={
            data && (data.expectedOrders === null ? t.none : format.number(data.expectedOrders))
          }
        />
        <Figure label={t.outlook.model} value={data && t.outlook.models[data.model]} />
        <Figure
          label={t.outlook.learned}
          value={data && (data.learned ? <At at={data.learned.at} day /> : t.none)}
        />
      </dl>
      {data && data.chances.length > 0 && (
        <table className="bars">
          <caption>{t.outlook.chances}</caption>
          <tbody>
            {data.chances.map(({ fromBp, toBp, people }) => (
              <tr key={fromBp}>
                <th scope="row">
                  {t.span(format.part(fromBp / 10_000), format.part(toBp / 10_000))}
                </th>
                <td className="numeric">{format.number(people)}</td>
                <td className="bar">
                  <svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
                    <rect width={(people / most) * 100} height="8" />
                  </svg>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Part>
  );
}
