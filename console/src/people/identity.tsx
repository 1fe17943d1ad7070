// Who a member is: merges with their undoing, and what was said of them and not believed.
import { Link } from "@tanstack/react-router";
import { lazy, Suspense, useState } from "react";
import { api, type Answer } from "../ui/call.ts";
import { wordFor } from "../ui/marks.tsx";
import { At, Broken, Part } from "../ui/page.tsx";
import { useCall, useMay, useSelf } from "../ui/session.tsx";
import { useFormat, useSaid, useWords } from "../ui/words.tsx";

const MergeWith = lazy(() => import("./merge-with.tsx"));
const Unmerge = lazy(() => import("./unmerge.tsx"));

type Merge = Answer<typeof api.people.merges>["merges"][number];
type Belongings = { [K in keyof Answer<typeof api.people.merge>["moves"]]?: number | undefined };
type Somebody = Merge["from"];

/** An identifier with its type; who has none left is a short id. */
export function Named({ of: { personId, identifier } }: { of: Somebody }) {
  const { t } = useWords();
  if (!identifier) return <>{personId.slice(0, 8)}</>;
  return (
    <>
      {wordFor(t.fields, identifier.type)} <strong>{identifier.value}</strong>
    </>
  );
}
/** What is more than nothing, by name. */
export function Counts({ of }: { of: Belongings }) {
  const { t } = useWords();
  const format = useFormat();
  const all = (Object.keys(t.identity.kinds) as (keyof typeof t.identity.kinds)[]).filter(
    (kind) => (of[kind] ?? 0) > 0,
  );
  return (
    <>
      {all.length === 0
        ? t.identity.nothing
        : all.map((kind) => `${t.identity.kinds[kind]} ${format.number(of[kind]!)}`).join(" · ")}
    </>
  );
}

export function Identity({ person }: { person: string }) {
  const { t } = useWords();
  const may = useMay();
  const self = useSelf();
  const format = useFormat();
  const [merging, setMerging] = useState(false);
  const [undoing, setUndoing] = useState<Merge | null>(null);
  const [open, setOpen] = useState(false);
  const { data, error, refetch } = useCall(
    api.people.merges,
    { person },
    open ? { refetchMs: 2000 } : {},
  );
  const underWay = data?.merges.some(({ state }) => state === "merging" || state === "parting");
  if (underWay !== undefined && underWay !== open) setOpen(underWay);
  const whoSaid = (by: string) =>
    self && by === `operator:${self.id}`
      ? t.identity.you
      : by.startsWith("key:")
        ? t.identity.key
        : t.identity.colleague;
  const wordsOf = ({ word, by }: Merge) =>
    word === "hand"
      ? t.identity.byHand(by ? whoSaid(by) : t.identity.colleague)
      : word
        ? t.identity.words[word]
        : t.identity.byEvent;
  return (
    <Part
      title={t.identity.title}
      says={t.identity.says}
      className="reserve-2 grows"
      actions={
        may("members:merge") && (
          <button type="button" className="plain" onClick={() => setMerging(true)}>
            {t.identity.merge}
          </button>
        )
      }
    >
      {error && <Broken error={error} again={refetch} />}
      {merging && (
        <Suspense>
          <MergeWith person={person} close={() => setMerging(false)} />
        </Suspense>
      )}
      {undoing && (
        <Suspense>
          <Unmerge person={person} merge={undoing} close={() => setUndoing(null)} />
        </Suspense>
      )}
      {data?.merges.length === 0 && <p className="quiet">{t.identity.none}</p>}
      <ul className="rows">
        {data?.merges.map((merge) => (
          <li key={merge.id}>
            <div>
              <Named of={merge.from} /> → <Named of={merge.into} />{" "}
              <span className="chip still">{t.identity.states[merge.state]}</span>
              <p>
                {wordsOf(merge)}
                {merge.why && t.identity.because(merge.why)}
              </p>
              <p>
                {t.identity.moved}
                <Counts of={merge.moved} />
              </p>
              <small>
                <At at={merge.at} />
                {merge.parted && (
                  <>
                    {" · "}
                    {t.identity.parted(
                      merge.parted.by ? whoSaid(merge.parted.by) : t.identity.yourShop,
                      format.at(merge.parted.at),
                    )}
                    {merge.parted.why && t.identity.because(merge.parted.why)}
                  </>
                )}
              </small>
            </div>
            {merge.event && may("trace:read") && (
              <Link to="/trace" search={{ event: merge.event }} preload={false}>
                {t.trace.walk}
              </Link>
            )}
            {may("members:merge") && (merge.state === "merged" || merge.state === "merging") && (
              <button type="button" className="plain" onClick={() => setUndoing(merge)}>
                {t.identity.undo}
              </button>
            )}
          </li>
        ))}
      </ul>
      <Refusals person={person} />
    </Part>
  );
}

/** Shown where there are any. */
function Refusals({ person }: { person: string }) {
  const { t } = useWords();
  const said = useSaid();
  const { data, error } = useCall(api.people.refusals, { person });
  if (error) return <Broken error={error} />;
  if (!data || data.refusals.length === 0) return null;
  return (
    <>
      <h3>{t.identity.refused}</h3>
      <ul className="rows">
        {data.refusals.map((one) => (
          <li key={one.event + one.other?.value}>
            <div>
              {one.said && (
                <>
                  {wordFor(t.fields, one.said.type)} <strong>{one.said.value}</strong>
                </>
              )}{" "}
              ↮{" "}
              {one.other && (
                <>
                  {wordFor(t.fields, one.other.type)} <strong>{one.other.value}</strong>
                </>
              )}
              <p>{said(one.sentence)}</p>
              <small>
                <At at={one.at} />
                {one.otherPerson !== person && (
                  <>
                    {" · "}
                    <Link to="/members/$person" params={{ person: one.otherPerson }}>
                      {t.identity.otherMember}
                    </Link>
                  </>
                )}
              </small>
            </div>
          </li>
        ))}
      </ul>
    </>
  );
}
