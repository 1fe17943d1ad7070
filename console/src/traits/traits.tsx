import { Link } from "@tanstack/react-router";
import { api, type Answer } from "../ui/call.ts";
import { At, Broken, Empty, Page, Wait } from "../ui/page.tsx";
import { useCall, useMay } from "../ui/session.tsx";
import { useFormat, useSaid, useWords } from "../ui/words.tsx";
import { Preference } from "./preference.tsx";

type Trait = Answer<typeof api.traits.list>["traits"][number];

/** How far everybody was gone through: in words, and as a bar that says the same. */
export function Progress({
  of: { state, done, total },
}: {
  of: Pick<Trait, "state" | "done" | "total">;
}) {
  const { t } = useWords();
  const format = useFormat();
  const counts = [format.number(done), format.number(total)] as const;
  if (state === "ready") return <p className="quiet">{t.traits.ready(counts[0])}</p>;
  const says = state === "going" ? t.traits.going(...counts) : t.traits.filling(...counts);
  return (
    <p role="status">
      <progress max={Math.max(1, total)} value={done} aria-label={says} /> {says}
    </p>
  );
}

export function Traits() {
  const { t } = useWords();
  const format = useFormat();
  const said = useSaid();
  const may = useMay();
  const { data, error, refetch } = useCall(api.traits.list, {}, { refetchMs: 3000 });
  return (
    <Page
      title={t.nav.traits}
      says={t.traits.says}
      actions={may("traits:write") && <Link to="/traits/edit">{t.traits.make}</Link>}
    >
      {error && <Broken error={error} again={refetch} />}
      {data?.traits.length === 0 && (
        <Empty says={t.traits.empty}>
          {may("traits:write") && <Link to="/traits/edit">{t.traits.make}</Link>}
        </Empty>
      )}
      <ul className="cards">
        {data
          ? data.traits.map((one) => (
              <li key={one.name} className="part">
                <div className="part-head">
                  <h2>
                    {may("traits:write") ? (
                      <Link to="/traits/edit" search={{ trait: one.name }}>
                        {said(one.label)}
                      </Link>
                    ) : (
                      said(one.label)
                    )}
                  </h2>
                  <code>{one.name}</code>
                </div>
                <p>{said(one.sentence)}</p>
                <Progress of={one} />
                <p className="quiet">
                  {t.traits.declared} <At at={one.declaredAt} />
                  {one.shown && ` · ${t.traits.membersSee}`}
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
      {data && data.traits.length > 0 && (
        <p className="quiet">
          {t.traits.most(format.number(data.traits.length), format.number(data.most))}
        </p>
      )}
      {data && data.late.people > 0 && (
        <p className="quiet">
          {t.traits.late(
            format.number(data.late.people),
            format.number(data.late.than),
            format.number(data.late.seconds),
          )}
        </p>
      )}
      {data && <Preference />}
    </Page>
  );
}
