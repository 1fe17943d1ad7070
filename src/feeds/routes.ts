import { wait } from "#kernel/clock.ts";
import { answer, direct, implement, type Route } from "#kernel/endpoint.ts";
import { nobody } from "#kernel/ids.ts";
import { fail, ok } from "#kernel/result.ts";
import * as api from "./api.ts";
import { cloudEventOf, cursorOf, limits, messageOf } from "./rules.ts";
import * as service from "./service.ts";
import * as store from "./store.ts";
import * as views from "./views.ts";

const iso = (at: Date | null) => at?.toISOString() ?? null;

const list = answer(api.list, async ({ house, at }) => {
  const hooks = await store.webhooks(house.sql);
  const [secrets, standings, { kept }] = await Promise.all([
    store.secrets(
      house.sql,
      hooks.map(({ id }) => id),
      at,
    ),
    views.standings(house.sql),
    store.feed(house.sql),
  ]);
  const standing = new Map(standings.map((one) => [one.webhookId, one]));
  return ok({
    webhooks: hooks.map(({ segmentId, state, ...hook }) => {
      const own = secrets.filter(({ webhookId }) => webhookId === hook.id);
      return {
        ...hook,
        segment: segmentId,
        state: state === "on" ? ("on" as const) : ("off" as const),
        publicKey: own.find(({ until }) => until === null)?.publicKey ?? null,
        oldSecretUntil: iso(own.find(({ until }) => until !== null)?.until ?? null),
        madeAt: hook.madeAt.toISOString(),
        takenAt: iso(hook.takenAt),
        failingSince: iso(hook.failingSince),
        waiting: standing.get(hook.id)?.waiting ?? 0,
        failed: standing.get(hook.id)?.failed ?? 0,
      };
    }),
    feed: { kept },
  });
});

const deliveries = answer(
  api.deliveries,
  async ({ house }, { webhook, state = null, before = null, limit }) => {
    if (!(await store.webhook(house.sql, webhook))) return fail("feeds.unknown");
    const rows = await views.deliveries(house.sql, webhook, state, before, limit + 1);
    const page = rows.slice(0, limit);
    return ok({
      deliveries: page.map(({ eventId, at, nextAt, doneAt, ...row }) => ({
        ...row,
        event: eventId,
        at: at.toISOString(),
        nextAt: row.state === "waiting" ? nextAt.toISOString() : null,
        doneAt: iso(doneAt),
      })),
      next: rows.length > limit ? page.at(-1)!.eventId : null,
    });
  },
);

const delivery = answer(api.delivery, async ({ house }, { webhook, event }) => {
  const hook = await store.webhook(house.sql, webhook);
  if (!hook) return fail("feeds.unknown");
  const found = await views.delivery(house.sql, webhook, event, limits.shownBytes);
  if (!found) return fail("feeds.no_delivery");
  const { type, at, data, personId, state, attempts } = found;
  const told = { id: event, type, at, person: personId === nobody ? null : personId, data };
  return ok({
    state,
    body: messageOf(told, hook.format, service.sourceOf(house)).body,
    attempts: attempts.map(({ at: when, ms, status, code, body, bytes, cut }) => ({
      at: when.toISOString(),
      ms,
      status,
      code,
      answer: body?.toString("utf8") ?? null,
      cut: cut || (bytes ?? 0) > limits.shownBytes,
    })),
  });
});

/** How often a reader who waits is looked after, and how many may wait at once in one process. */
const lookMs = 500;
const waitingLimit = 200;
let waiting = 0;

const feedOf = (names: ReadonlySet<string>) =>
  direct(api.feed, async ({ house, request }, { after, types, limit, wait: seconds }) => {
    const from = after === undefined ? null : cursorOf(after);
    if (after !== undefined && from === null) return fail("request.invalid", { fields: ["after"] });
    const asked = types?.split(",").map((type) => type.trim()) ?? null;
    if (asked?.some((type) => !names.has(type)))
      return fail("feeds.type_unknown", { fields: ["types"] });
    const start = await store.feed(house.sql);
    if (!start.kept) return fail("feeds.feed_off");
    const cursor = from ?? start.oldest - 1n;
    if (cursor < start.oldest - 1n)
      return fail("feeds.cursor_old", { oldest: String(start.oldest - 1n) });
    if (cursor >= start.next) return fail("request.invalid", { fields: ["after"] });

    let found = await store.read(house.sql, cursor, asked, limit);
    const looks = waiting < waitingLimit ? (seconds * 1000) / lookMs : 0;
    waiting++;
    try {
      for (let look = 0; look < looks && found.rows.length === 0; look++) {
        await wait(lookMs, request.signal);
        if (request.signal.aborted) break;
        found = await store.read(house.sql, cursor, asked, limit);
      }
    } finally {
      waiting--;
    }
    const { rows, feed } = found;
    // A whole page ends at its last event; one that is not has seen all there was.
    const next = rows.length === limit ? rows.at(-1)!.position : feed.next - 1n;
    const source = service.sourceOf(house);
    const events = rows.map(({ id, type, at, personId, data, position }) => {
      const person = personId === nobody ? null : personId;
      return cloudEventOf({ id, type, at, person, data }, source, position);
    });
    return new Response(JSON.stringify(events), {
      headers: {
        "content-type": "application/cloudevents-batch+json",
        "liuke-cursor": String(next),
      },
    });
  });

export function routesWith(offered: readonly api.Offered[]): Route[] {
  const names = new Set(offered.map(({ name }) => name));
  return [
    answer(api.eventTypes, async () => ok({ types: offered.map(api.described) })),
    list,
    implement(api.make, (context, asked) => service.make(context, names, asked)),
    implement(api.change, (context, asked) => service.change(context, names, asked)),
    implement(api.remove, service.remove),
    implement(api.rotate, service.rotate),
    implement(api.test, service.test),
    deliveries,
    delivery,
    implement(api.replay, service.replay),
    implement(api.replayFailed, service.replayFailed),
    feedOf(names),
    implement(api.keepFeed, service.keepFeed),
  ];
}
