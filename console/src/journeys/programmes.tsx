import { useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { api, call, Problem, type Answer } from "../ui/call.ts";
import { wordFor } from "../ui/marks.tsx";
import { Broken, Empty, Page, Wait } from "../ui/page.tsx";
import { useCall, useMay } from "../ui/session.tsx";
import { useFormat, useSaid, useWords } from "../ui/words.tsx";

type Brief = Answer<typeof api.journeys.listProgrammes>["programmes"][number];

export function Programmes() {
  const { t } = useWords();
  const { data, error, refetch } = useCall(api.journeys.listProgrammes, {}, { refetchMs: 30_000 });
  return (
    <Page title={t.nav.programmes} says={t.programme.listSays}>
      {error && <Broken error={error} again={refetch} />}
      {data?.programmes.length === 0 && (
        <Empty says={t.programme.empty}>
          <Link to="/segments" className="button">
            {t.nav.segments}
          </Link>
        </Empty>
      )}
      <ul className="cards">
        {data
          ? data.programmes.map((one) => <Card key={one.id} one={one} />)
          : !error && (
              <li className="part">
                <h2>
                  <Wait width={16} />
                </h2>
                <p>
                  <Wait width={32} />
                </p>
                <p>
                  <Wait width={16} />
                </p>
              </li>
            )}
      </ul>
    </Page>
  );
}

function Card({ one }: { one: Brief }) {
  const { t } = useWords();
  const format = useFormat();
  const said = useSaid();
  const { run, segment } = one;
  return (
    <li className="part">
      <div className="part-head">
        <h2>
          <Link to="/programmes/$programme" params={{ programme: one.key }}>
            {said(one.name)}
          </Link>
        </h2>
        <span className={`state state-${one.state}`}>{t.programmeStates[one.state]}</span>
      </div>
      <p>
        {t.programme.for}{" "}
        <Link to="/segments/$segment" params={{ segment: segment.id }}>
          {said(segment.name)} ({t.people(format.number(segment.people))})
        </Link>
        {t.stop} <span className="quiet">{said(segment.sentence)}</span>
      </p>
      {run && (
        <dl className="facts">
          <dt>{t.programme.run(format.number(run.number))}</dt>
          <dd>{t.span(format.at(run.from), format.at(run.until))}</dd>
          <dt>{t.armsOf.treated}</dt>
          <dd>
            <ArmLink programme={one.key} run={run.number} arm="treated" people={run.treated} />
          </dd>
          <dt>{t.armsOf.control}</dt>
          <dd>
            <ArmLink programme={one.key} run={run.number} arm="control" people={run.control} />
          </dd>
          {run.verdict && (
            <>
              <dt>{t.result.verdict}</dt>
              <dd>{wordFor(t.verdicts, run.verdict)}</dd>
            </>
          )}
          {run.advice && (
            <>
              <dt>{t.result.advice}</dt>
              <dd>{wordFor(t.advices, run.advice)}</dd>
            </>
          )}
        </dl>
      )}
      {one.state !== "running" && <Start one={one} />}
    </li>
  );
}

const ArmLink = ({
  programme,
  run,
  arm,
  people,
}: {
  programme: string;
  run: number;
  arm: "treated" | "control";
  people: number;
}) => {
  const format = useFormat();
  const { t } = useWords();
  return (
    <Link
      to="/programmes/$programme/people"
      params={{ programme }}
      search={{ run: String(run), arm }}
      className="num"
    >
      {t.people(format.number(people))}
    </Link>
  );
};

/** Starting freezes the segment and reaches people, so it says how many first and asks once more. */
function Start({ one }: { one: Brief }) {
  const { t } = useWords();
  const format = useFormat();
  const may = useMay();
  const queries = useQueryClient();
  const [sure, setSure] = useState(false);
  const [wrong, setWrong] = useState<unknown>(null);
  const next = (one.run?.number ?? 0) + 1;
  if (!may("programmes:run")) return null;
  const start = async () => {
    try {
      // The run's number is the act's key: a second press of the same start starts nothing.
      const input = { programme: one.key, run: next };
      await call(api.journeys.startProgramme, input, { key: `start:${one.id}:${next}` });
      setSure(false);
      await queries.invalidateQueries();
    } catch (thrown) {
      setWrong(thrown);
    }
  };
  return (
    <div className="actions">
      {sure ? (
        <>
          <button type="button" className="primary" onClick={() => void start()}>
            {t.programme.startSure(format.number(one.segment.people))}
          </button>
          <button type="button" onClick={() => setSure(false)}>
            {t.cancel}
          </button>
        </>
      ) : (
        <button type="button" onClick={() => setSure(true)}>
          {next === 1 ? t.programme.start : t.programme.startAgain}
        </button>
      )}
      {wrong !== null && (
        <p role="alert" className="refusal">
          {wrong instanceof Problem && wrong.message ? wrong.message : t.broken.away}
        </p>
      )}
    </div>
  );
}
