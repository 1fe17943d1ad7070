import { useQueries } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Interval, reachOf } from "../charts/interval.tsx";
import { api, call } from "../ui/call.ts";
import { wordFor } from "../ui/marks.tsx";
import { Broken, Empty, Page } from "../ui/page.tsx";
import { useCall } from "../ui/session.tsx";
import { DataTable } from "../ui/table.tsx";
import { useFormat, useSaid, useWords } from "../ui/words.tsx";

/** Every run of every programme beside the others, on one scale. */
export function Results() {
  const { t } = useWords();
  const format = useFormat();
  const said = useSaid();
  const list = useCall(api.journeys.listProgrammes, {});
  const reads = useQueries({
    queries: (list.data?.programmes ?? []).map(({ key }) => ({
      queryKey: [api.journeys.readProgramme.path, { programme: key, run: undefined }],
      queryFn: () => call(api.journeys.readProgramme, { programme: key }),
    })),
  });
  const error = list.error ?? reads.find((one) => one.error)?.error;
  const known = list.data && reads.every(({ data }) => data);
  const rows = known
    ? reads
        .flatMap(({ data }) => data!.runs.map((run) => ({ ...run, programme: data! })))
        .toReversed()
    : undefined;
  const reach = Math.max(
    1,
    ...(rows ?? []).flatMap(({ intervalBp }) => (intervalBp ? [reachOf(intervalBp)] : [])),
  );
  return (
    <Page title={t.nav.results} says={t.results.says}>
      {error ? (
        <Broken error={error} again={list.refetch} />
      ) : rows?.length === 0 ? (
        <Empty says={t.results.empty}>
          <Link to="/programmes" className="button">
            {t.nav.programmes}
          </Link>
        </Empty>
      ) : (
        <DataTable
          caption={t.nav.results}
          rows={rows}
          expect={2}
          keyOf={({ programme, number }) => `${programme.id}-${number}`}
          columns={[
            {
              id: "programme",
              width: "m",
              header: t.programme.one,
              names: true,
              cell: ({ programme, number }) => (
                <Link
                  to="/programmes/$programme"
                  params={{ programme: programme.key }}
                  search={{ run: String(number) }}
                >
                  {said(programme.name)} · {t.programme.run(format.number(number))}
                </Link>
              ),
            },
            {
              id: "when",
              width: "l",
              header: t.when,
              cell: ({ from, until }) => t.span(format.dayOf(from), format.dayOf(until)),
            },
            {
              id: "interval",
              width: "l",
              header: t.results.interval,
              cell: ({ differenceBp, intervalBp }) =>
                differenceBp !== null && intervalBp ? (
                  <Interval
                    differenceBp={differenceBp}
                    intervalBp={intervalBp}
                    reachBp={reach}
                    small
                  />
                ) : (
                  t.programmeStates.running
                ),
            },
            {
              id: "difference",
              width: "l",
              header: t.results.difference,
              cell: ({ differenceBp, intervalBp }) =>
                differenceBp !== null && intervalBp
                  ? t.result.interval(
                      format.points(differenceBp),
                      format.points(intervalBp[0]),
                      format.points(intervalBp[1]),
                    )
                  : t.none,
            },
            {
              id: "verdict",
              header: t.result.verdict,
              cell: ({ verdict }) => (verdict ? wordFor(t.verdicts, verdict) : t.none),
            },
            {
              id: "advice",
              header: t.result.advice,
              cell: ({ advice }) => (advice ? wordFor(t.advices, advice) : t.none),
            },
          ]}
        />
      )}
    </Page>
  );
}
