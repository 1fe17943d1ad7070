import { Link } from "@tanstack/react-router";
import { api } from "../ui/call.ts";
import { Broken, Part } from "../ui/page.tsx";
import { useCall } from "../ui/session.tsx";
import { At } from "../ui/page.tsx";
import { useFormat, useWords } from "../ui/words.tsx";

/** Who a member knows, and whom two steps lead to; nothing where they have not agreed. */
export function Relations({ person }: { person: string }) {
  const { t } = useWords();
  const format = useFormat();
  const { data, error, refetch } = useCall(api.relations.ofMember, { person });
  const beyond = useCall(
    api.relations.roadOfMember,
    data?.agreed ? { person, road: "friends_of_friends", limit: 5 } : undefined,
  );
  return (
    <Part title={t.relations.title} className="reserve-2 grows">
      {error && <Broken error={error} again={refetch} />}
      {data && !data.agreed && <p className="quiet">{t.relations.notAgreed}</p>}
      {data?.agreed && data.edges.length === 0 && <p className="quiet">{t.relations.none}</p>}
      {data && data.counts.length > 0 && (
        <p>
          {data.counts
            .map(({ kind, count }) => `${t.relations.kinds[kind]} ${format.number(count)}`)
            .join(" · ")}
        </p>
      )}
      <ul className="rows">
        {data?.edges.slice(0, 8).map((edge) => (
          <li key={edge.kind + edge.person}>
            <div>
              <strong>{t.relations.kinds[edge.kind]}</strong>{" "}
              <Link to="/members/$person" params={{ person: edge.person }}>
                {edge.userId ?? edge.person.slice(0, 8)}
              </Link>{" "}
              <small>
                <At at={edge.since} day />
              </small>
            </div>
          </li>
        ))}
      </ul>
      {beyond.data && beyond.data.people.length > 0 && (
        <>
          <h3>{t.relations.beyond}</h3>
          <ul className="rows">
            {beyond.data.people.map(({ person: other, userId, through }) => (
              <li key={other}>
                <div>
                  <Link to="/members/$person" params={{ person: other }}>
                    {userId ?? other.slice(0, 8)}
                  </Link>{" "}
                  {t.relations.through(format.number(through))}
                </div>
              </li>
            ))}
          </ul>
        </>
      )}
    </Part>
  );
}
