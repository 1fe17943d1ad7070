// What can be asked of webhooks and the feed. Each function works in the transaction it is given.
import { bucketOfText, open, seal } from "#kernel/crypto.ts";
import type { Context, House } from "#kernel/endpoint.ts";
import { nobody } from "#kernel/ids.ts";
import { emitAll } from "#kernel/outbox.ts";
import { refusedUrl, type Refused } from "#kernel/outgoing.ts";
import { fail, ok, type Result } from "#kernel/result.ts";
import type { Reader, Tx } from "#kernel/sql.ts";
import { setTimers } from "#kernel/timers.ts";
import * as segments from "#segments/service.ts";
import { disabled } from "./events.ts";
import { newSigningKey } from "./model/signature.ts";
import { limits, testType, type Format, type Reason, type Signature } from "./rules.ts";
import * as store from "./store.ts";

const after = (at: Date, ms: number) => new Date(at.getTime() + ms);

// ── webhooks ───────────────────────────────────────────────────────────────────────────────────────────────────────

const failures = {
  address: "feeds.url_broken",
  scheme: "feeds.url_scheme",
  credentials: "feeds.url_credentials",
  port: "feeds.url_port",
  internal: "feeds.url_internal",
} as const satisfies Record<Refused, string>;
type Unfit = (typeof failures)[Refused] | "feeds.type_unknown" | "feeds.segment_unknown";

type Wanted = {
  url?: string | undefined;
  types?: string[] | undefined;
  segment?: string | null | undefined;
};
async function unfit(
  { tx, house }: Context,
  offered: ReadonlySet<string>,
  { url, types = [], segment }: Wanted,
): Promise<Result<null, Unfit>> {
  const refused = url === undefined ? null : refusedUrl(url, house.settings.feedAllow);
  if (refused) return fail(failures[refused], { fields: ["url"] });
  const strange = types.findIndex((type) => !offered.has(type));
  if (strange >= 0) return fail("feeds.type_unknown", { fields: [`types.${strange}`] });
  if (segment) {
    await segments.hold(tx);
    if (!(await segments.all(tx)).some(({ id }) => id === segment))
      return fail("feeds.segment_unknown", { fields: ["segment"] });
  }
  return ok(null);
}

type Make = {
  name: string;
  url: string;
  types: string[];
  segment: string | null;
  format: Format;
  signature: Signature;
};
export async function make(
  context: Context,
  offered: ReadonlySet<string>,
  { segment, ...asked }: Make,
): Promise<
  Result<{ id: string; secret: string; publicKey: string | null }, Unfit | "feeds.too_many">
> {
  const { tx, house, at } = context;
  const fit = await unfit(context, offered, { ...asked, segment });
  if (!fit.ok) return fit;
  if ((await store.countWebhooks(tx)) >= limits.webhooks) return fail("feeds.too_many");
  const id = house.newId();
  const none = { reason: null, failingSince: null, takenAt: null, restUntil: null };
  const types = [...new Set(asked.types)];
  const row = {
    ...asked,
    ...none,
    types,
    id,
    segmentId: segment,
    state: "on",
    madeAt: at,
  } as const;
  await store.putWebhook(tx, row);
  return ok({ id, ...(await addSecret(house, tx, row, at)) });
}
async function addSecret(
  house: House,
  tx: Tx,
  { id: webhookId, signature }: Pick<store.Webhook, "id" | "signature">,
  at: Date,
) {
  const { secret, publicKey } = newSigningKey(signature);
  const id = house.newId();
  const sealed = seal(house.keys.signing("feeds.secret"), secret, secretAt(id));
  await store.addSecret(tx, { id, webhookId, sealed, publicKey, madeAt: at, until: null });
  return { secret, publicKey };
}
const secretAt = (id: string) => `feeds_secret|sealed|${id}`;

type Change = Wanted & {
  name?: string | undefined;
  format?: Format | undefined;
  on?: boolean | undefined;
};
export async function change(
  context: Context,
  offered: ReadonlySet<string>,
  { webhook: id, segment, on, ...asked }: Change & { webhook: string },
): Promise<Result<Record<string, never>, Unfit | "feeds.unknown">> {
  const { tx, at } = context;
  const had = await store.lockWebhook(tx, id);
  if (!had) return fail("feeds.unknown");
  const fit = await unfit(context, offered, { ...asked, segment });
  if (!fit.ok) return fit;
  const turned =
    on === undefined || on === (had.state === "on")
      ? {}
      : on
        ? ({ state: "on", reason: null, failingSince: null, restUntil: null } as const)
        : ({ state: "off", reason: "operator" } as const);
  const told = Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined));
  const segmentId = segment === undefined ? had.segmentId : segment;
  await store.putWebhook(tx, { ...had, ...told, segmentId, ...turned });
  if (on === false) await store.failWaiting(tx, id, at);
  return ok({});
}

/** What is on its way is given up. Its log goes with the rest of its time. */
export async function remove({ tx, at }: Context, { webhook: id }: { webhook: string }) {
  const had = await store.lockWebhook(tx, id);
  if (!had) return fail("feeds.unknown");
  await store.putWebhook(tx, { ...had, state: "deleted", reason: null });
  await store.failWaiting(tx, id, at);
  await store.dropSecrets(tx, id);
  return ok({});
}

/** From now on both sign, and the old one for a day more. */
export async function rotate(
  { tx, house, at }: Context,
  { webhook: id }: { webhook: string },
): Promise<
  Result<{ secret: string; publicKey: string | null; oldUntil: string }, "feeds.unknown">
> {
  const had = await store.lockWebhook(tx, id);
  if (!had) return fail("feeds.unknown");
  const until = after(at, limits.oldSecretMs);
  await store.dropOldSecrets(tx, id);
  await store.endSecrets(tx, id, until);
  return ok({ ...(await addSecret(house, tx, had, at)), oldUntil: until.toISOString() });
}

/** The secrets that sign now, of each webhook, the newest first. */
export async function secretsOf(
  house: House,
  reader: Reader,
  ids: readonly string[],
): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  for (const { id, webhookId, sealed } of await store.secrets(
    reader,
    ids,
    house.clocks.machine(),
  )) {
    const secret = open(house.keys.signing("feeds.secret"), sealed, secretAt(id)).toString();
    found.set(webhookId, [...(found.get(webhookId) ?? []), secret]);
  }
  return found;
}

/** Turned off by itself: said to other systems, and to the owners by mail. */
export async function disable(
  house: House,
  tx: Tx,
  { id, name }: store.Webhook,
  reason: Exclude<Reason, "operator">,
): Promise<void> {
  const at = house.clocks.machine();
  if (!(await store.turnOff(tx, id, reason, at))) return;
  house.log.warn({ event: "feeds.disabled", webhook: id, reason });
  const person = { bucket: bucketOfText(id), personId: nobody };
  await emitAll(house, tx, disabled, [{ person, data: { webhook: id, reason } }]);
  await setTimers(tx, [{ kind: noticeTimer, key: id, dueAt: at, data: { name, reason } }]);
}
export const noticeTimer = "feeds.notice";

// ── messages by hand ───────────────────────────────────────────────────────────────────────────────────────────────

/** A message of no consequence, to see that the other side takes it and verifies it. */
export async function test(
  { tx, house, at, now }: Context,
  { webhook: id }: { webhook: string },
): Promise<Result<{ event: string }, "feeds.unknown" | "feeds.is_off">> {
  const had = await store.lockWebhook(tx, id);
  if (!had) return fail("feeds.unknown");
  if (had.state !== "on") return fail("feeds.is_off");
  const event = house.newId();
  const place = { bucket: bucketOfText(event), personId: nobody };
  const data = { webhook: id };
  await store.addEvents(tx, [{ ...place, id: event, type: testType, at: now, data }], at, null);
  await store.addDeliveries(tx, [{ ...place, eventId: event, webhookId: id }], at);
  return ok({ event });
}

export async function replay(
  { tx, at }: Context,
  { webhook: id, event }: { webhook: string; event: string },
): Promise<Result<Record<string, never>, "feeds.unknown" | "feeds.is_off" | "feeds.no_delivery">> {
  const had = await store.lockWebhook(tx, id);
  if (!had) return fail("feeds.unknown");
  if (had.state !== "on") return fail("feeds.is_off");
  return (await store.replayOne(tx, id, event, at)) ? ok({}) : fail("feeds.no_delivery");
}
/** All that failed since an instant: at most 100,000 at a time. */
export async function replayFailed(
  { tx, at }: Context,
  { webhook: id, since }: { webhook: string; since: string },
): Promise<Result<{ messages: number }, "feeds.unknown" | "feeds.is_off">> {
  const had = await store.lockWebhook(tx, id);
  if (!had) return fail("feeds.unknown");
  if (had.state !== "on") return fail("feeds.is_off");
  return ok({ messages: await store.replayFailed(tx, id, new Date(since), at) });
}

// ── the feed ───────────────────────────────────────────────────────────────────────────────────────────────────────

export async function keepFeed({ tx }: Context, { kept }: { kept: boolean }) {
  await store.keepFeed(tx, kept);
  return ok({});
}

/** Names this installation in CloudEvents: the same for as long as its master key is, whatever its address. */
export const sourceOf = (house: House): string =>
  `urn:liuke:${house.keys.check.toString("hex").slice(0, 16)}`;

export const erase = store.erasePerson;

/** Does anybody want to hear of this? For whoever would rather not tell nobody. */
export async function isHeard(reader: Reader, name: string): Promise<boolean> {
  const { kept, webhooks } = await store.listening(reader);
  return kept || webhooks.some(({ types }) => types.includes(name));
}
/** Who wants to hear of what happens, and whether the feed is kept: for whoever would rather not tell nobody. */
export const listening = (reader: Reader) => store.listening(reader);
