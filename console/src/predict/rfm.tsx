import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { api, type Answer } from "../ui/call.ts";
import { Broken, Empty, Page, Part, Wait } from "../ui/page.tsx";
import { useCall } from "../ui/session.tsx";
import { useFormat, useSaid, useWords } from "../ui/words.tsx";

type Matrix = Answer<typeof api.predict.rfm>;
type Cell = Matrix["cells"][number];
const scores = [5, 4, 3, 2, 1] as const;

export function Rfm() {
  const { t } = useWords();
  const format = useFormat();
  const { cell: chosen } = useSearch({ from: "/inside/rfm" });
  const { data, error, refetch } = useCall(api.predict.rfm, {});
  const cell = data?.cells.find(({ r, f }) => `${r}-${f}` === chosen);
  if (error)
    return (
      <Page title={t.nav.rfm}>
        <Broken error={error} again={refetch} />
      </Page>
    );
  if (data?.people === 0)
    return (
      <Page title={t.nav.rfm} says={t.rfm.says}>
        <Empty says={t.rfm.empty} />
      </Page>
    );
  return (
    <Page title={t.nav.rfm} says={t.rfm.says}>
      <div className="columns columns-wide">
        <Part
          title={t.rfm.matrix}
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
          <Grid data={data} chosen={chosen} />
        </Part>
        <CellPart cell={cell} />
      </div>
      <Segments data={data} />
      {data?.meaning && <Meaning meaning={data.meaning} />}
    </Page>
  );
}

function Grid({ data, chosen }: { data: Matrix | undefined; chosen: string | undefined }) {
  const { t } = useWords();
  const format = useFormat();
  const navigate = useNavigate();
  const most = Math.max(1, ...(data?.cells.map(({ people }) => people) ?? []));
  const at = (r: number, f: number): Cell | undefined =>
    data?.cells.find((one) => one.r === r && one.f === f);
  return (
    <div className="scroller" role="region" aria-label={t.rfm.matrix} tabIndex={0}>
      <table className="matrix">
        <caption className="unseen">{t.rfm.matrix}</caption>
        <thead>
          <tr>
            <td />
            {scores.toReversed().map((f) => (
              <th key={f} scope="col">
                {t.rfm.f(f)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {scores.map((r) => (
            <tr key={r}>
              <th scope="row">{t.rfm.r(r)}</th>
              {scores.toReversed().map((f) => {
                const cell = at(r, f);
                const level = cell ? Math.ceil((cell.people / most) * 6) : 0;
                return (
                  <td key={f}>
                    <button
                      type="button"
                      className={`heat-${level}`}
                      aria-pressed={chosen === `${r}-${f}`}
                      aria-label={cell && t.rfm.cell(r, f, format.number(cell.people))}
                      onClick={() =>
                        void navigate({
                          to: "/rfm",
                          search: { cell: `${r}-${f}` },
                          replace: true,
                          resetScroll: false,
                        })
                      }
                    >
                      {cell ? format.number(cell.people) : <Wait width={3} />}
                    </button>
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** What the chosen cell means, and the way to its people. */
function CellPart({ cell }: { cell: Cell | undefined }) {
  const { t } = useWords();
  const format = useFormat();
  const said = useSaid();
  return (
    <section className="part cell-part" aria-live="polite">
      <div className="part-head">
        <h2>{cell ? t.rfm.cellTitle(cell.r, cell.f) : t.rfm.chosen}</h2>
      </div>
      {cell ? (
        <>
          <p>{said(cell.sentence)}</p>
          <dl className="facts">
            <dt>{t.rfm.inCell}</dt>
            <dd>
              <Link to="/members" search={{ rfm: `${cell.r}-${cell.f}` }} className="num">
                {t.people(format.number(cell.people))}
              </Link>
            </dd>
            <dt>{t.rfm.meanAmount}</dt>
            <dd>{cell.meanAmountMinor === null ? t.none : format.money(cell.meanAmountMinor)}</dd>
            {cell.byM.map(({ m, people }) => (
              <div key={m}>
                <dt>{t.rfm.m(m)}</dt>
                <dd>
                  {people > 0 ? (
                    <Link
                      to="/members"
                      search={{ rfm: `${cell.r}-${cell.f}-${m}` }}
                      className="num"
                    >
                      {t.people(format.number(people))}
                    </Link>
                  ) : (
                    t.people("0")
                  )}
                </dd>
              </div>
            ))}
          </dl>
        </>
      ) : (
        <p className="quiet">{t.rfm.choose}</p>
      )}
    </section>
  );
}

function Segments({ data }: { data: Matrix | undefined }) {
  const { t } = useWords();
  const format = useFormat();
  const said = useSaid();
  return (
    <Part title={t.rfm.segments}>
      <div className="scroller" role="region" aria-label={t.rfm.segments} tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t.rfm.segment}</th>
              <th scope="col" className="numeric">
                {t.rfm.inCell}
              </th>
              <th scope="col" className="numeric">
                {t.rfm.meanAmount}
              </th>
            </tr>
          </thead>
          <tbody>
            {data
              ? data.segments.map((one) => (
                  <tr key={one.segment}>
                    <th scope="row">{said(one.name)}</th>
                    <td className="numeric">
                      <Link to="/members" search={{ rfmSegment: one.segment }} className="num">
                        {format.number(one.people)}
                      </Link>
                    </td>
                    <td className="numeric">
                      {one.meanAmountMinor === null ? t.none : format.money(one.meanAmountMinor)}
                    </td>
                  </tr>
                ))
              : Array.from({ length: 11 }, (_, row) => (
                  <tr key={row}>
                    <td colSpan={3}>
                      <Wait width={16} />
                    </td>
                  </tr>
                ))}
          </tbody>
        </table>
      </div>
    </Part>
  );
}

function Meaning({ meaning }: { meaning: NonNullable<Matrix["meaning"]> }) {
  const { t } = useWords();
  const format = useFormat();
  const range = <V,>(
    { least, most }: { least: V | null; most: V | null },
    write: (value: V) => string,
  ) =>
    least === null
      ? most === null
        ? t.any
        : t.atMost(write(most))
      : most === null
        ? t.atLeast(write(least))
        : least === most
          ? write(least)
          : t.span(write(least), write(most));
  const of = <S extends { score: number }>(list: readonly S[], score: number) =>
    list.find((one) => one.score === score);
  return (
    <Part title={t.rfm.meaning} says={t.rfm.meaningSays}>
      <div className="scroller" role="region" aria-label={t.rfm.meaning} tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t.rfm.score}</th>
              <th scope="col">{t.rfm.recency}</th>
              <th scope="col">{t.rfm.frequency}</th>
              <th scope="col">{t.rfm.money}</th>
            </tr>
          </thead>
          <tbody>
            {scores.map((score) => {
              const [r, f, m] = [
                of(meaning.recencyDays, score),
                of(meaning.orders, score),
                of(meaning.amountMinor, score),
              ];
              return (
                <tr key={score}>
                  <th scope="row">{score}</th>
                  <td>{r ? range(r, (value) => t.days(format.number(value))) : t.none}</td>
                  <td>{f ? range(f, (value) => t.ordersOf(format.number(value))) : t.none}</td>
                  <td>{m ? range(m, (value) => format.money(value)) : t.none}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </Part>
  );
}
