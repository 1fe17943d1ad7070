import { Link } from "@tanstack/react-router";
import { api } from "../ui/call.ts";
import { At, Broken, Empty, Page, Wait } from "../ui/page.tsx";
import { useCall, useMay } from "../ui/session.tsx";
import { useFormat, useSaid, useWords } from "../ui/words.tsx";

export function Segments() {
  const { t } = useWords();
  const format = useFormat();
  const said = useSaid();
  const may = useMay();
  const { data, error, refetch } = useCall(api.segments.list, {}, { refetchMs: 30_000 });
  return (
    <Page
      title={t.nav.segments}
      says={t.segments.says}
      actions={
        <>
          <Link to="/segments/compare">{t.segments.compareLink}</Link>
          {may("segments:write") && <Link to="/segments/edit">{t.segments.make}</Link>}
        </>
      }
    >
      {error && <Broken error={error} again={refetch} />}
      {data?.segments.length === 0 && <Empty says={t.segments.empty} />}
      <ul className="cards">
        {data
          ? data.segments.map((one) => (
              <li key={one.id} className="part">
                <div className="part-head">
                  <h2>
                    <Link to="/segments/$segment" params={{ segment: one.id }}>
                      {said(one.name)}
                    </Link>
                  </h2>
                  <Link to="/segments/$segment" params={{ segment: one.id }} className="num big">
                    {(one.level === "company" ? t.segments.countCompanies : t.people)(
                      format.number(one.people),
                    )}
                  </Link>
                </div>
                <p>{said(one.sentence)}</p>
                <p className="quiet">
                  {one.level === "company" && `${t.segments.ofLevel.company} · `}
                  {t.purposes[one.purpose]}
                  {one.builtIn && ` · ${t.segments.builtIn}`}
                  {one.refreshedAt && (
                    <>
                      {" · "}
                      {t.segments.refreshed} <At at={one.refreshedAt} />
                    </>
                  )}
                </p>
              </li>
            ))
          : !error &&
            Array.from({ length: 2 }, (_, row) => (
              <li key={row} className="part">
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
            ))}
      </ul>
    </Page>
  );
}
