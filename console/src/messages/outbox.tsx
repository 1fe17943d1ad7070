import { Link } from "@tanstack/react-router";
import { api } from "../ui/call.ts";
import { At, Broken, Empty, Page, Wait } from "../ui/page.tsx";
import { Person } from "../ui/people.tsx";
import { useCall } from "../ui/session.tsx";
import { useFormat, useSaid, useWords } from "../ui/words.tsx";

/** Mails that did not really leave: without a mail server, and all those to made-up addresses. */
export function Outbox() {
  const { t } = useWords();
  const format = useFormat();
  const said = useSaid();
  const { data, error, refetch } = useCall(api.messages.preview, {});
  return (
    <Page title={t.nav.outbox} says={t.outbox.says}>
      {error ? (
        <Broken error={error} again={refetch} />
      ) : data?.messages.length === 0 ? (
        <Empty says={t.outbox.empty}>
          <Link to="/programmes" className="button">
            {t.nav.programmes}
          </Link>
        </Empty>
      ) : (
        <>
          <p className="count">
            {data
              ? t.list.shownOf(format.number(data.messages.length), format.number(data.total))
              : "\u00a0"}
          </p>
          <ul className="cards">
            {data
              ? data.messages.map((message) => (
                  <li key={message.id} className="part">
                    <div className="part-head">
                      <h2 lang={message.language === "zh" ? "zh-CN" : "en"}>{message.subject}</h2>
                      <span className="quiet">
                        <At at={message.at} />
                      </span>
                    </div>
                    <p className="quiet">
                      {t.outbox.to} <Person personId={message.person} />
                      {message.reason && ` · ${said(message.reason)}`}
                    </p>
                    <details>
                      <summary>{t.outbox.read}</summary>
                      <pre lang={message.language === "zh" ? "zh-CN" : "en"}>{message.text}</pre>
                    </details>
                  </li>
                ))
              : Array.from({ length: 6 }, (_, row) => (
                  <li key={row} className="part">
                    <h2>
                      <Wait width={16} />
                    </h2>
                    <p>
                      <Wait width={32} />
                    </p>
                  </li>
                ))}
          </ul>
        </>
      )}
    </Page>
  );
}
