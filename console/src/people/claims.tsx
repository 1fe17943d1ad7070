import { api } from "../ui/call.ts";
import { At, Part } from "../ui/page.tsx";
import { useCall } from "../ui/session.tsx";
import { useFormat, useWords } from "../ui/words.tsx";

/** Orders that only a page or an app told of: shown where there are any, and in no figure. */
export function Claims({ person }: { person: string }) {
  const { t } = useWords();
  const format = useFormat();
  const { data } = useCall(api.orders.ofMember, { person, limit: 1 });
  if (!data || data.claims.length === 0) return null;
  return (
    <Part title={t.member.claims} says={t.member.claimsSay}>
      <ul className="rows">
        {data.claims.map(({ event, ref, at, amountMinor, currency, confirmedBy }) => (
          <li key={event}>
            <div>
              <strong>{ref}</strong>{" "}
              <span className="chip still">
                {confirmedBy ? t.member.claimConfirmed : t.member.claimOpen}
              </span>
              {amountMinor !== null && <p>{format.money(amountMinor, currency)}</p>}
              <small>
                <At at={at} />
              </small>
            </div>
          </li>
        ))}
      </ul>
    </Part>
  );
}
