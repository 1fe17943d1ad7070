import { answer, direct, implement } from "#kernel/endpoint.ts";
import type { Item } from "#kernel/json.ts";
import { fail, ok } from "#kernel/result.ts";
import * as api from "./api.ts";
import { eventBytesLimit, readEvent, type Incoming, type Refused } from "./rules.ts";
import * as service from "./service.ts";
import * as views from "./views.ts";

/** One event as it came: read, or the field that cannot be. */
function eventOf(item: Item, kind: "server" | "public" | "import", now: Date): Incoming | Refused {
  if (item.bad !== null) return { reason: "invalid", field: item.bad };
  if (Buffer.byteLength(JSON.stringify(item.value)) > eventBytesLimit)
    return { reason: "too_large", field: "" };
  const read = api.event.safeParse(item.value);
  if (!read.success) return { reason: "invalid", field: service.fieldIn(read.error) };
  const { data = {}, traits = {}, at, ...rest } = read.data;
  return readEvent({ ...rest, at: new Date(at), data, traits }, kind, now);
}

const send = direct(api.send, async ({ house, actor, body, now }) => {
  const list = await service.listOf({ body }, "events");
  if (!list.ok) return list;
  // The body first: what is wrong with it is told to anybody who may send at all.
  if (!actor.source) return fail("collect.no_source");
  const { source } = actor;
  const read = list.value.map((item) => eventOf(item, source.kind, now));
  return ok(await service.take(house, source, "events", list.value, read));
});

const makeSource = implement(api.makeSource, service.makeSource);
const sources = answer(api.sources, async ({ house }) =>
  ok({
    sources: (await views.sources(house.sql)).map((source) => ({
      ...source,
      createdAt: source.createdAt.toISOString(),
      lastAt: source.lastAt?.toISOString() ?? null,
      lastRejectedAt: source.lastRejectedAt?.toISOString() ?? null,
    })),
  }),
);

function afterOf(cursor: string | undefined): { at: Date; id: string } | null {
  const [, at, id] = /^(\d{4}-\d\d-\d\dT[\d:.]+Z)_([0-9a-f-]{36})$/.exec(cursor ?? "") ?? [];
  return at && id && !Number.isNaN(Date.parse(at)) ? { at: new Date(at), id } : null;
}
const rejected = answer(api.rejected, async ({ house, actor }, { source, after, limit }) => {
  if (!(await views.hasSource(house.sql, source))) return fail("collect.source_unknown");
  const [total, rows] = await Promise.all([
    views.rejectedTotal(house.sql, source),
    views.rejected(house.sql, source, afterOf(after), limit + 1),
  ]);
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  const may = actor.permissions.has("house:write");
  return ok({
    total,
    rejected: page.map(({ id, importId, line, reason, field, sealed, at }) => ({
      id,
      import: importId,
      line: line === null ? null : Number(line),
      reason,
      field,
      at: at.toISOString(),
      payload: may ? service.openRejected(house, id, sealed) : null,
    })),
    next: rows.length > limit && last ? `${last.at.toISOString()}_${last.id}` : null,
  });
});

const imports = answer(api.imports, async ({ house }) =>
  ok({
    imports: (await views.imports(house.sql)).map((one) => ({
      ...one,
      fromAt: one.fromAt?.toISOString() ?? null,
      untilAt: one.untilAt?.toISOString() ?? null,
      startedAt: one.startedAt.toISOString(),
      finishedAt: one.finishedAt?.toISOString() ?? null,
    })),
  }),
);

export const routes = [send, sources, makeSource, rejected, imports];
