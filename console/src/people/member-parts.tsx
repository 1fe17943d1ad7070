// What was picked for a member, sent to them, given to them, and what they agreed to.
import { api, type Answer } from "../ui/call.ts";
import { wordFor } from "../ui/marks.tsx";
import { At, Broken, Part, Wait } from "../ui/page.tsx";
import { useCall } from "../ui/session.tsx";
import { useFormat, useSaid, useWords } from "../ui/words.tsx";

const Waiting = ({ rows }: { rows: number }) =>
  Array.from({ length: rows }, (_, row) => (
    <li key={row}>
      <div>
        <Wait width={16} />
        <p>
          <Wait width={16} />
        </p>
      </div>
    </li>
  ));

/** The goods most likely to bring them back, each with its reason. */
export function Bought({ person }: { person: string }) {
  const { t } = useWords();
  const format = useFormat();
  const said = useSaid();
  const { data, error } = useCall(api.recommend.picks, { person });
  return (
    <Part
      title={t.member.picks}
      says={
        data ? (
          data.at ? (
            t.member.pickedAt(format.at(data.at))
          ) : (
            t.member.noPicks
          )
        ) : (
          <Wait width={16} />
        )
      }
      className="reserve-picks grows"
    >
      {error && <Broken error={error} />}
      <ol className="rows">
        {data
          ? data.picks.map(({ rank, sku, name, kind, reason }) => (
              <li key={sku}>
                <div>
                  <strong>
                    {rank}. {name}
                  </strong>{" "}
                  <code>{sku}</code>
                  <p>{said(reason)}</p>
                  <small>{t.pickKinds[kind]}</small>
                </div>
              </li>
            ))
          : !error && <Waiting rows={3} />}
      </ol>
    </Part>
  );
}

type OfMember = Answer<typeof api.messages.ofMember>;
export function Messages({ data, error }: { data: OfMember | undefined; error: unknown }) {
  const { t } = useWords();
  const format = useFormat();
  const said = useSaid();
  return (
    <Part title={t.member.messages} className="reserve-2 grows">
      {error ? <Broken error={error} /> : null}
      {data?.messages.length === 0 && <p className="quiet">{t.member.noMessages}</p>}
      {data?.excess.map(({ purpose, days, sent, most }) => (
        <p key={`${purpose} ${days}`} className="quiet">
          {t.member.messagesExcess(
            t.purposes[purpose],
            format.number(days),
            format.number(sent),
            format.number(most),
          )}
        </p>
      ))}
      <ul className="rows">
        {data
          ? data.messages.map((message) => (
              <li key={message.id}>
                <div>
                  <strong>{said(message.subject)}</strong>
                  <p>
                    {message.reason
                      ? `${wordFor(t.messageStates, message.verdict)}: ${said(message.reason)}`
                      : wordFor(t.messageStates, message.verdict)}
                  </p>
                  {message.deliveries.map(({ channel, state, reason, readAt }) => (
                    <p key={channel}>
                      {wordFor(t.channels, channel)}: {wordFor(t.messageStates, state)}
                      {reason && ` · ${said(reason)}`}
                      {readAt && ` · ${t.member.read}`}
                    </p>
                  ))}
                  <small>
                    <At at={message.at} />
                  </small>
                </div>
              </li>
            ))
          : !error && <Waiting rows={1} />}
      </ul>
    </Part>
  );
}

export function Coupons({ person }: { person: string }) {
  const { t } = useWords();
  const format = useFormat();
  const said = useSaid();
  const { data, error } = useCall(api.offers.ofMember, { person });
  return (
    <Part title={t.member.coupons} className="reserve-2 grows">
      {error && <Broken error={error} />}
      {data?.coupons.length === 0 && <p className="quiet">{t.member.noCoupons}</p>}
      {data?.excess.map(({ campaign, name, coupons, perPerson }) => (
        <p key={campaign} className="quiet">
          {t.member.excess(said(name), format.number(coupons), format.number(perPerson))}
        </p>
      ))}
      <ul className="rows">
        {data
          ? data.coupons.map((one) => (
              <li key={one.coupon}>
                <div>
                  <strong>{said(one.name)}</strong> {t.couponStates[one.state]}
                  <p>{said(one.rule)}</p>
                  <small>
                    {t.span(format.dayOf(one.issuedAt), format.dayOf(one.expiresAt))}
                    {one.orderRef && ` · ${t.member.usedOn(one.orderRef)}`}
                    {one.discountMinor && ` · ${format.money(one.discountMinor, one.currency)}`}
                  </small>
                </div>
              </li>
            ))
          : !error && <Waiting rows={1} />}
      </ul>
    </Part>
  );
}

export function Consents({ data, error }: { data: OfMember | undefined; error: unknown }) {
  const { t } = useWords();
  return (
    <Part title={t.member.consents} className="reserve-2 grows">
      {data?.consents.length === 0 && <p className="quiet">{t.member.noConsents}</p>}
      <ul className="rows">
        {data
          ? data.consents.map(({ purpose, channel, granted, at, textVersion, proof, madeUp }) => (
              <li key={purpose + channel}>
                <div>
                  <strong>
                    {t.purposes[purpose]} · {wordFor(t.channels, channel)}
                  </strong>{" "}
                  {granted ? t.member.granted : t.member.refused}
                  {madeUp && <span className="chip still">{t.member.madeUp}</span>}
                  {at && (
                    <p>
                      <small>
                        <At at={at} />
                        {textVersion && ` · ${t.member.text} ${textVersion}`}
                        {/* Of what is made up the tag says all there is; another proof is in the shop’s own words. */}
                        {proof && !madeUp && ` · ${proof}`}
                      </small>
                    </p>
                  )}
                </div>
              </li>
            ))
          : !error && <Waiting rows={2} />}
      </ul>
    </Part>
  );
}
