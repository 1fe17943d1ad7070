// A line of a file of consents: who said it, to what, whether they agreed or took it back, on which words, and when. What
// gives no time could pass for later than a withdrawal: it is refused.
import { isRefused, readEvent, type Incoming, type Refused } from "#collect/rules.ts";
import { consentOf, consentTold } from "#messages/rules.ts";
import { whenOf, type Here } from "../rules.ts";
import { carriedEvent, carriedOf, withOrigin, type Get } from "./carried.ts";
import { jsonOf, knownOf } from "./person.ts";

const text = (value: unknown): string =>
  value === undefined || value === null ? "" : String(value).trim();
/** A file that names neither is its own proof. */
const byFile = "file";

export function readConsent(get: Get, here: Here): Incoming | Refused {
  const known = knownOf(jsonOf(get("identifiers")));
  if (!known) return { reason: "invalid", field: "identifiers" };
  for (const field of ["purpose", "channel", "granted", "at"])
    if (text(get(field)) === "") return { reason: "missing" as Refused["reason"], field };
  const granted = text(get("granted"));
  const said = consentOf({
    ...{ purpose: text(get("purpose")), channel: text(get("channel")) },
    granted: granted === "true" ? true : granted === "false" ? false : granted,
    textVersion: text(get("textVersion")) || byFile,
    proof: text(get("proof")) || byFile,
  });
  if ("unfit" in said) return { reason: "invalid", field: said.unfit };
  const at = whenOf(text(get("at")), here.timeZone);
  // A word of tomorrow would outweigh what is said today.
  if (at === null || at > here.now) return { reason: "invalid", field: "at" };
  const carried = carriedOf(get, here.trust);
  if (isRefused(carried)) return carried;
  // No page's word is a consent.
  if (carried.open) return { reason: "server_only", field: here.trust === "page" ? "" : "origin" };
  const [main] = known;
  const user = text(get("user")) || undefined;
  const anonymous = text(get("anonymous")) || undefined;
  if (!main && user === undefined && anonymous === undefined)
    return { reason: "missing" as Refused["reason"], field: "user" };
  const event = {
    ...{ key: text(get("key")) || here.key, name: consentTold, at, data: { ...said }, traits: {} },
    // Two names of one line do not make one somebody of two.
    ...(user === undefined ? { user, anonymous } : { user, anonymous: undefined }),
  };
  if (!carried.from) {
    const read = readEvent(event, "import", here.now);
    return isRefused(read) ? read : withOrigin(read, carried);
  }
  const sender = main && { type: main.type, value: main.value };
  return carriedEvent({ ...event, ...(sender ? { sender } : {}) }, carried, here.now);
}
