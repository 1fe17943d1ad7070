import type { api, Answer } from "../ui/call.ts";
import { useFormat, useWords } from "../ui/words.tsx";

type Drift = Answer<typeof api.plan.events>["events"][number]["drift"][number];
const listed = 3;

/** What differs, in words; beyond three only how many. */
export function Drifts({ of, all = false }: { of: readonly Drift[]; all?: boolean }) {
  const { t } = useWords();
  const format = useFormat();
  if (of.length === 0) return <span className="quiet">{t.planPage.steady}</span>;
  const figures = ({ kind, before, now, typesBefore, typesNow }: Drift): string => {
    const words = (types: Drift["typesNow"]) =>
      types.map((one) => t.planPage.types[one]).join(" / ");
    if (kind === "type_changed") return t.planPage.typesMoved(words(typesBefore), words(typesNow));
    if (kind === "missing")
      return t.planPage.share(format.part(before ?? 0), format.part(now ?? 0));
    if (kind === "odd") return format.part(now ?? 0);
    if (kind === "fallen" || kind === "risen")
      return t.planPage.perDayMoved(format.number(before ?? 0), format.number(now ?? 0));
    return "";
  };
  const shown = all ? of : of.slice(0, listed);
  return (
    <ul className="plain">
      {shown.map((one) => (
        <li key={`${one.kind} ${one.property ?? ""}`}>
          {t.planPage.drifts[one.kind]}
          {one.property && (
            <>
              {" "}
              <code>{one.property}</code>
            </>
          )}
          {figures(one) && <span className="quiet"> {figures(one)}</span>}
        </li>
      ))}
      {of.length > shown.length && (
        <li className="quiet">+{format.number(of.length - shown.length)}</li>
      )}
    </ul>
  );
}
