import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { reasonTexts } from "../../../src/messages/rules.ts";
import { Interval } from "../charts/interval.tsx";
import { api, type Answer } from "../ui/call.ts";
import { Choice } from "../ui/form.tsx";
import { wordFor } from "../ui/marks.tsx";
import { At, Broken, Empty, Figure, Page, Part, Wait } from "../ui/page.tsx";
import { useCall } from "../ui/session.tsx";
import { useFormat, useSaid, useWords } from "../ui/words.tsx";

type Shown = Answer<typeof api.journeys.readProgramme>;
type Run = NonNullable<Shown["run"]>;
type Report = NonNullable<Run["result"]>["report"];

/** Whom it was for, what was done, whether it helped, and what comes next. */
export function Programme() {
  const { t } = useWords();
  const format = useFormat();
  const said = useSaid();
  const navigate = useNavigate();
  const { programme } = useParams({ from: "/inside/programmes/$programme" });
  const { run: asked } = useSearch({ from: "/inside/programmes/$programme" });
  const { data, error, refetch } = useCall(api.journeys.readProgramme, { programme, run: asked });
  if (error)
    return (
      <Page title={t.nav.programmes} says={<Link to="/programmes">{t.programme.back}</Link>}>
        <Broken error={error} again={refetch} />
      </Page>
    );
  const run = data?.run;
  return (
    <Page
      title={data ? said(data.name) : <Wait width={16} />}
      says={
        data ? (
          <>
            {t.programmeStates[data.state]} · {t.programme.for}{" "}
            <Link to="/segments/$segment" params={{ segment: data.segment.id }}>
              {said(data.segment.name)}
            </Link>
          </>
        ) : (
          <Wait width={32} />
        )
      }
      actions={
        data && data.runs.length > 1 ? (
          <Choice
            label={t.programme.runs}
            value={String(run?.number ?? "")}
            onChange={(number) =>
              void navigate({
                to: "/programmes/$programme",
                params: { programme },
                search: { run: number },
                replace: true,
              })
            }
            options={data.runs.map(({ number }) => ({
              value: String(number),
              label: t.programme.run(format.number(number)),
            }))}
          />
        ) : undefined
      }
    >
      {data && !run ? (
        <Empty says={t.programme.notStarted}>
          <Link to="/programmes" className="button">
            {t.nav.programmes}
          </Link>
        </Empty>
      ) : (
        <>
          <Effect run={run ?? undefined} />
          <Arms programme={programme} run={run ?? undefined} />
          <DecisionPart programme={programme} run={run ?? undefined} />
        </>
      )}
      <Design data={data} />
    </Page>
  );
}

function Effect({ run }: { run: Run | undefined }) {
  const { t } = useWords();
  const format = useFormat();
  const said = useSaid();
  const report = run?.result?.report;
  return (
    <Part
      title={t.result.title}
      says={run ? t.span(format.at(run.from), format.at(run.until)) : <Wait width={16} />}
      className="reserve-effect grows"
    >
      {run && !run.result && <Empty says={t.result.notYet(format.at(run.until))} />}
      {!run && (
        <p className="lead">
          <Wait width={32} />
        </p>
      )}
      {run?.result && report && (
        <>
          <p className="lead">{said(run.result.sentence)}</p>
          <div className="interval-box">
            <Interval
              differenceBp={report.primary.differenceBp}
              intervalBp={report.primary.intervalBp}
              {...(run.decision ? { worthBp: run.decision.evidence.worthBp } : {})}
            />
            <p className="quiet">{t.result.reads}</p>
          </div>
          <Split report={report} />
        </>
      )}
    </Part>
  );
}

function Split({ report }: { report: Report }) {
  const { t } = useWords();
  const format = useFormat();
  return (
    <p className={report.split.alarm ? "refusal" : "quiet"}>
      {report.split.alarm
        ? t.result.splitBroken(
            format.share(report.split.treatedBp),
            format.share(report.split.expectedBp),
          )
        : t.result.splitSound(
            format.share(report.split.treatedBp),
            format.share(report.split.expectedBp),
          )}
    </p>
  );
}

function Arms({ programme, run }: { programme: string; run: Run | undefined }) {
  const { t } = useWords();
  const format = useFormat();
  const said = useSaid();
  const report = run?.result?.report;
  const number = String(run?.number ?? 1);
  const link = (search: Record<string, string>) =>
    ({
      to: "/programmes/$programme/people",
      params: { programme },
      search: { run: number, ...search },
    }) as const;
  const sizes = new Map(run?.arms.map(({ arm, people }) => [arm, people]));
  return (
    <Part title={t.result.arms} says={t.result.armsSay} className="grows">
      <div className="scroller" role="region" aria-label={t.result.arms} tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t.result.arm}</th>
              <th scope="col" className="numeric">
                {t.result.people}
              </th>
              <th scope="col" className="numeric">
                {t.result.returned}
              </th>
              <th scope="col" className="numeric">
                {t.result.rate}
              </th>
              <th scope="col" className="numeric">
                {t.result.revenue}
              </th>
            </tr>
          </thead>
          <tbody>
            {(["treated", "control"] as const).map((arm) => (
              <tr key={arm}>
                <th scope="row">{t.armsOf[arm]}</th>
                <td className="numeric">
                  {run ? (
                    <Link {...link({ arm })} className="num">
                      {format.number(sizes.get(arm) ?? 0)}
                    </Link>
                  ) : (
                    <Wait width={3} />
                  )}
                </td>
                <td className="numeric">
                  {report ? (
                    <Link {...link({ arm, returned: "true" })} className="num">
                      {format.number(report.primary[arm].returned)}
                    </Link>
                  ) : (
                    t.none
                  )}
                </td>
                <td className="numeric">
                  {report ? format.share(report.primary[arm].rateBp) : t.none}
                </td>
                <td className="numeric">
                  {report
                    ? format.money(
                        arm === "treated"
                          ? report.secondary.treatedMinor
                          : report.secondary.controlMinor,
                        report.secondary.currency,
                      )
                    : t.none}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {report && (
        <p className="quiet">
          {t.result.secondary(
            format.money(report.secondary.differenceMinor, report.secondary.currency),
            report.secondary.intervalMinor
              ? t.span(
                  format.money(report.secondary.intervalMinor[0], report.secondary.currency),
                  format.money(report.secondary.intervalMinor[1], report.secondary.currency),
                )
              : t.none,
            report.secondary.evidence,
          )}
        </p>
      )}
      {run && (
        <dl className="figures">
          {run.nodes.map(({ node, people }) => (
            <Figure
              key={node}
              label={t.nodes[node]}
              value={format.number(people)}
              to={link({ node })}
            />
          ))}
          {run.crossed > 0 && (
            <Figure
              label={t.result.crossed}
              value={format.number(run.crossed)}
              note={t.result.crossedSay}
              to={link({ crossed: "true" })}
            />
          )}
          <Figure
            label={t.result.coupons}
            value={format.number(run.coupons.issued)}
            note={t.result.redeemed(format.number(run.coupons.redeemed))}
            to={link({ coupon: "issued" })}
          />
          {run.messages.map(({ channel, verdict, reason, messages }) => (
            <Figure
              key={`${channel} ${verdict} ${reason}`}
              label={`${wordFor(t.channels, channel)} · ${wordFor(t.messageStates, verdict)}`}
              value={format.number(messages)}
              note={reason ? said(reasonTexts[reason] ?? { zh: reason, en: reason }) : undefined}
              to={link({ channel, verdict })}
            />
          ))}
        </dl>
      )}
    </Part>
  );
}

function DecisionPart({ programme, run }: { programme: string; run: Run | undefined }) {
  const { t } = useWords();
  const format = useFormat();
  const said = useSaid();
  const decision = run?.decision;
  if (!decision) return null;
  const { evidence } = decision;
  return (
    <Part
      title={t.result.decision(wordFor(t.advices, decision.advice))}
      says={<At at={decision.decidedAt} />}
    >
      <p className="lead">{said(decision.sentence)}</p>
      <dl className="facts">
        <dt>{t.result.because}</dt>
        <dd>{wordFor(t.reasons, decision.because)}</dd>
        <dt>{t.result.controlPeople}</dt>
        <dd>
          <Link
            to="/programmes/$programme/people"
            params={{ programme }}
            search={{ run: String(run.number), arm: "control" }}
            className="num"
          >
            {t.people(format.number(evidence.controlPeople))}
          </Link>
        </dd>
        <dt>{t.result.detectable}</dt>
        <dd>
          {evidence.detectableBp === null ? t.none : t.points(format.points(evidence.detectableBp))}
        </dd>
        <dt>{t.result.needed}</dt>
        <dd>
          {t.result.neededSays(
            t.points(format.points(evidence.worthBp)),
            evidence.peopleNeeded.thisSplit === null
              ? t.none
              : format.number(evidence.peopleNeeded.thisSplit),
            format.number(evidence.peopleNeeded.evenSplit),
          )}
        </dd>
        {evidence.pooled && (
          <>
            <dt>{t.result.pooled(format.number(evidence.runs))}</dt>
            <dd>
              {t.result.interval(
                format.points(evidence.pooled.differenceBp),
                format.points(evidence.pooled.intervalBp[0]),
                format.points(evidence.pooled.intervalBp[1]),
              )}
            </dd>
          </>
        )}
      </dl>
    </Part>
  );
}

/** What was written down before anybody could see a result. */
function Design({ data }: { data: Shown | undefined }) {
  const { t } = useWords();
  const format = useFormat();
  const budget = data?.budget;
  return (
    <Part title={t.design.title} says={t.design.says}>
      <dl className="facts">
        <dt>{t.design.share}</dt>
        <dd>
          {data ? (
            t.design.shares(
              format.share(data.design.treatedShareBp),
              format.share(10_000 - data.design.treatedShareBp),
            )
          ) : (
            <Wait />
          )}
        </dd>
        <dt>{t.design.primary}</dt>
        <dd>{t.design.returnRate}</dd>
        <dt>{t.design.window}</dt>
        <dd>{data ? t.days(format.number(data.windowDays)) : <Wait />}</dd>
        <dt>{t.design.alpha}</dt>
        <dd>{data ? format.share(data.design.alphaBp) : <Wait />}</dd>
        <dt>{t.design.seed}</dt>
        <dd>{data ? <code>{data.design.seed}</code> : <Wait />}</dd>
        <dt>{t.design.written}</dt>
        <dd>{data ? <At at={data.design.writtenAt} /> : <Wait />}</dd>
        <dt>{t.design.budget}</dt>
        <dd>
          {data ? (
            budget ? (
              t.design.budgetSays(
                format.money(budget.minor, budget.currency),
                budget.minorLimit === null
                  ? t.design.unlimited
                  : format.money(budget.minorLimit, budget.currency),
              )
            ) : (
              t.none
            )
          ) : (
            <Wait />
          )}
        </dd>
        {budget && budget.couponLimit !== null && (
          <>
            <dt>{t.design.coupons}</dt>
            <dd>
              {t.design.budgetSays(
                format.number(budget.coupons),
                format.number(budget.couponLimit),
              )}
            </dd>
          </>
        )}
      </dl>
    </Part>
  );
}
