// What the shop tells us is written down as it came, once, in order, before anybody makes anything of it.
import type { Identifier } from "#people/rules.ts";

/** One event on its way into the log. `direct` holds what names a person: it is sealed as one value. */
export type Incoming = {
  key: string; // the source's own name of this event: the same key again is the same event
  name: string;
  at: Date;
  data: Record<string, unknown>;
  direct?: Record<string, string>;
  sender?: Identifier;
};
export type Source = { id: string; kind: "server" | "public" | "import" };
export type Verdict = "accepted" | "double" | "erased";

/** One request brings at most so many events, and one event so many bytes of data. */
export const eventsLimit = 1000;
export const eventBytesLimit = 32 * 1024;
/** An event may be dated this much ahead of the shop's clock at most: clocks differ, time machines do not exist. */
export const aheadLimitMs = 24 * 3600 * 1000;

/** Text for COPY: tab, newline, carriage return and backslash are escaped, null is \N. */
export const copyText = (value: string): string =>
  /[\\\t\n\r]/.test(value)
    ? value
        .replaceAll("\\", "\\\\")
        .replaceAll("\t", "\\t")
        .replaceAll("\n", "\\n")
        .replaceAll("\r", "\\r")
    : value;
