// SMTP, by nodemailer: a pool, an end to every wait, and three answers: taken, try again later, never.
import { createTransport } from "nodemailer";

export type Mail = {
  to: string;
  subject: string;
  text: string;
  html: string;
  /** Without brackets. The same mail sent again has the same one, so that whoever gets it twice can tell. */
  messageId: string;
  headers: Record<string, string>;
};
type Posted =
  | { kind: "accepted" }
  /** The server is away, busy or does not let us in: nothing is wrong with this mail. */
  | { kind: "later"; code: string }
  | { kind: "refused"; code: string };
export type Post = { send: (mail: Mail) => Promise<Posted>; close: () => void };

const waitMs = 20_000;

export function connectMail(smtpUrl: string, from: string): Post {
  const transport = createTransport(
    {
      url: smtpUrl,
      pool: true,
      maxConnections: 4,
      connectionTimeout: waitMs,
      greetingTimeout: waitMs,
      socketTimeout: waitMs,
      dnsTimeout: waitMs,
      disableFileAccess: true,
      disableUrlAccess: true,
    },
    { from },
  );
  return {
    send: async ({ to, subject, text, html, messageId, headers }) => {
      try {
        await transport.sendMail({
          to: { name: "", address: to },
          subject,
          text,
          html,
          messageId: `<${messageId}>`,
          headers,
        });
        return { kind: "accepted" };
      } catch (thrown) {
        return answerOf(thrown as { code?: string; responseCode?: number });
      }
    },
    close: () => transport.close(),
  };
}

/** A 5xx about the recipient or the message is final; one about us (sign-in, TLS) is a setting that can be mended. */
function answerOf({
  code = "unknown",
  responseCode,
}: {
  code?: string;
  responseCode?: number;
}): Posted {
  const about = code === "EENVELOPE" || code === "EMESSAGE";
  const final = about && (responseCode === undefined || responseCode >= 500);
  return { kind: final ? "refused" : "later", code: String(responseCode ?? code) };
}
