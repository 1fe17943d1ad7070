import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { api, type Answer } from "../ui/call.ts";
import { Choice } from "../ui/form.tsx";
import { Broken, Empty, Page, Wait } from "../ui/page.tsx";
import { useCall } from "../ui/session.tsx";
import { useFormat, useWords } from "../ui/words.tsx";

type Cohort = Answer<typeof api.insights.retention>["cohorts"][number];
type Cell = Cohort["cells"][number];

/** Seven steps of one colour; the number stands in every cell, so the colour only helps the eye. */
const heat = (rateBp: number) => Math.min(6, Math.floor(rateBp / 750));

export function Retention() {
  const { t } = useWords();
  const format = useFormat();
  const navigate = useNavigate();
  const search = useSearch({ from: "/inside/retention" });
  const engine = search.engine === "sql" ? "sql" : "columns";
  const shares = search.show === "share";
  const { data, error, refetch } = useCall(api.insights.retention, { engine });
  const set = (change: { engine?: string; show?: string }) =>
    void navigate({ to: "/retention", search: { ...search, ...change }, replace: true });
  const months = data ? Math.max(0, ...data.cohorts.map(({ cells }) => cells.length)) : 13;
  return (
    <Page title={t.nav.retention} says={t.retention.says}>
      <div className="filters">
        <Choice
          label={t.retention.show}
          value={shares ? "share" : "people"}
          onChange={(show) => set({ show })}
          options={[
            { value: "people", label: t.retention.people },
            { value: "share", label: t.retention.share },
          ]}
        />
        <Choice
          label={t.retention.engine}
          value={engine}
          onChange={(chosen) => set({ engine: chosen })}
          options={[
            { value: "columns", label: "ClickHouse" },
            { value: "sql", label: "PostgreSQL" },
          ]}
        />
        <p className="legend">
          <span className="incomplete">{t.retention.incompleteMark}</span> {t.retention.incomplete}
        </p>
      </div>
      {error ? (
        <Broken error={error} again={refetch} />
      ) : data?.cohorts.length === 0 ? (
        <Empty says={t.retention.empty} />
      ) : (
        <div className="scroller" role="region" aria-label={t.nav.retention} tabIndex={0}>
          <table className="cohorts" aria-busy={!data} data-engine={data?.engine}>
            <caption className="unseen">{t.retention.says}</caption>
            <thead>
              <tr>
                <th scope="col" className="names">
                  {t.retention.cohort}
                </th>
                {Array.from({ length: months }, (_, month) => (
                  <th key={month} scope="col" className="numeric">
                    {month === 0 ? t.retention.first : t.retention.after(month)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {data
                ? data.cohorts.map((cohort) => (
                    <Row key={cohort.month} cohort={cohort} months={months} shares={shares} />
                  ))
                : Array.from({ length: 13 }, (_, row) => (
                    <tr key={row} aria-hidden="true">
                      <th className="names">
                        <Wait width={5} />
                      </th>
                      {Array.from({ length: 13 - row }, (_unused, cell) => (
                        <td key={cell} className="numeric">
                          <Wait width={3} />
                        </td>
                      ))}
                    </tr>
                  ))}
            </tbody>
          </table>
        </div>
      )}
      <p className="says">{data ? t.retention.asOf(format.at(data.asOf)) : "\u00a0"}</p>
    </Page>
  );
}

function Row({ cohort, months, shares }: { cohort: Cohort; months: number; shares: boolean }) {
  const format = useFormat();
  return (
    <tr>
      <th scope="row" className="names">
        {format.month(cohort.month)}
      </th>
      {Array.from({ length: months }, (_, index) => {
        const cell = cohort.cells[index];
        return cell ? (
          <td
            key={cell.month}
            className={`numeric heat-${index === 0 ? "first" : heat(cell.rateBp)}`}
          >
            <CellLink cohort={cohort.month} cell={cell} shares={shares} />
          </td>
        ) : (
          <td key={index} />
        );
      })}
    </tr>
  );
}

function CellLink({ cohort, cell, shares }: { cohort: string; cell: Cell; shares: boolean }) {
  const { t } = useWords();
  const format = useFormat();
  const people = format.number(cell.people);
  const share = format.share(cell.rateBp);
  return (
    <Link
      to="/retention/people"
      search={{ cohort, month: cell.month }}
      preload={false}
      className={cell.complete ? "num" : "num incomplete"}
      title={t.retention.cell(format.month(cohort), format.month(cell.month), people, share)}
    >
      {shares ? share : people}
      {!cell.complete && <span className="unseen"> {t.retention.incomplete}</span>}
    </Link>
  );
}
