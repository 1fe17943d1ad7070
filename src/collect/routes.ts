import { answer, direct, implement } from "#kernel/endpoint.ts";
import type { Item } from "#kernel/json.ts";
import { fail, ok } from "#kernel/result.ts";
import * as api from "./api.ts";
import {
  eventBytesLimit,
  isAllowedOrigin,
  isRefused,
  markOf,
  originOf,
  readEvent,
  withoutAddresses,
  type Incoming,
  type Refused,
} from "./rules.ts";
import * as service from "./service.ts";
import * as views from "./views.ts";

/** One event as it came: read, or the field that cannot be. */
function eventOf(
  item: Item,
  kind: "server" | "public" | "import",
  now: Date,
  mayBeLong: boolean,
): Incoming | Refused {
  if (item.bad !== null) return { reason: "invalid", field: item.bad };
  if (mayBeLong && Buffer.byteLength(JSON.stringify(item.value)) > eventBytesLimit)
    return { reason: "too_large", field: "" };
  const read = api.event.safeParse(item.value);
  if (!read.success) return { reason: "invalid", field: service.fieldIn(read.error) };
  const { data = {}, traits = {}, at, ...rest } = read.data;
  return readEvent({ ...rest, at: new Date(at), data, traits }, kind, now);
}

const send = direct(api.send, async ({ house, actor, body, request, remote, now }) => {
  const list = await service.listOf({ body }, "events");
  if (!list.ok) return list;
  // The body first: what is wrong with it is told to anybody who may send at all.
  if (!actor.source) return fail("collect.no_source");
  const source = await service.knownSource(house, actor.source);
  const { settings } = source;
  const count = list.value.length;
  const refuse = (reason: string) =>
    service.refuse(house, { sourceId: source.id, reason, field: "", count });
  if (source.disabled) {
    await refuse("disabled");
    return fail("collect.disabled");
  }
  const { headers } = request;
  const from = originOf(headers.get("origin"), headers.get("referer"));
  if (source.kind === "public" && !isAllowedOrigin(from, settings)) {
    await refuse("origin");
    return fail("collect.origin");
  }
  const seconds = service.waitOf(house, source, count);
  if (seconds > 0) {
    await refuse("rate");
    return fail("request.too_many", { retryAfterSeconds: seconds });
  }
  const items = list.value.map(({ value, bad }) => ({
    value: withoutAddresses(value, settings.ip),
    bad,
  }));
  // In a request that is shorter than an event may be, none is too long.
  const mayBeLong = Number(headers.get("content-length") ?? Infinity) > eventBytesLimit;
  const agent = source.kind === "public" ? (headers.get("user-agent") ?? "") : "";
  const read = items.map((item) => {
    const event = eventOf(item, source.kind, now, mayBeLong);
    if (isRefused(event)) return event;
    const user = event.sender?.type === "user_id" ? event.sender.value : undefined;
    const email = event.direct?.["traits.email"];
    const ip = source.kind === "public" ? remote : "";
    const marks = markOf({ agent, ip, user, email }, settings);
    return marks === 0 ? event : { ...event, flags: (event.flags ?? 0) | marks };
  });
  return ok(await service.take(house, source, "events", items, read));
});

const makeSource = implement(api.makeSource, service.makeSource);
const sources = answer(api.sources, async ({ house, at }) =>
  ok({
    sources: (await views.sources(house.sql)).map(
      ({ lastReason, lastField, lastErrorAt, ...source }) => ({
        ...source,
        createdAt: source.createdAt.toISOString(),
        lastAt: source.lastAt?.toISOString() ?? null,
        lastRejectedAt: source.lastRejectedAt?.toISOString() ?? null,
        lastError:
          lastReason !== null && lastErrorAt !== null
            ? { reason: lastReason, field: lastField ?? "", at: lastErrorAt.toISOString() }
            : null,
      }),
    ),
    strangers: await views.strangers(house.sql, new Date(at.getTime() - 30 * 86_400_000)),
  }),
);
const source = answer(api.source, async ({ house }, { source: id }) => {
  const [row] = await views.sharesOf(house.sql, id);
  if (!row) return fail("collect.source_unknown");
  const { name, kind, protocol, disabled, settings } = await service.knownSource(house, {
    id,
    kind: "server",
  });
  const refused = [...(await views.refusedOf(house.sql, id))];
  return ok({ id, name, kind, protocol, shares: row.shares, disabled, settings, refused });
});
const changeSource = implement(api.changeSource, service.changeSource);

function afterOf(cursor: string | undefined): { at: Date; id: string } | null {
  const [, at, id] = /^(\d{4}-\d\d-\d\dT[\d:.]+Z)_([0-9a-f-]{36})$/.exec(cursor ?? "") ?? [];
  return at && id && !Number.isNaN(Date.parse(at)) ? { at: new Date(at), id } : null;
}
const rejected = answer(
  api.rejected,
  async ({ house }, { after, limit, from, until, ...asked }) => {
    const day = (text: string | undefined) => (text === undefined ? undefined : new Date(text));
    const filter = { ...asked, from: day(from), until: day(until) };
    const [reasons, names, beyond, rows] = await Promise.all([
      service.refusalsBy(house.sql, "reason", filter),
      service.refusalsBy(house.sql, "name", filter),
      service.beyond(house.sql, filter),
      service.refusalsPage(house.sql, filter, afterOf(after), limit + 1),
    ]);
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    return ok({
      total: Number(await service.countRefusals(house.sql, filter)),
      reasons: reasons.map(({ value, count }) => ({ reason: value, count })),
      names: names.map(({ value, count }) => ({ name: value, count })),
      beyond,
      rejected: page.map(({ line, at, ...row }) => ({
        ...row,
        line: line === null ? null : Number(line),
        at: at.toISOString(),
      })),
      next: rows.length > limit && last ? `${last.at.toISOString()}_${last.id}` : null,
    });
  },
);

export const routes = [send, sources, source, makeSource, changeSource, rejected];
