import * as collect from "#collect/service.ts";
import { readEvent } from "#collect/rules.ts";
import { reread as heardAgain } from "#doors/service.ts";
import { audit } from "#kernel/audit.ts";
import { answer, direct, implement } from "#kernel/endpoint.ts";
import { fail, ok } from "#kernel/result.ts";
import * as api from "./api.ts";
import { exportText } from "./export.ts";
import { rereadRecord } from "./import.ts";
import * as service from "./service.ts";
import * as views from "./views.ts";

const types = { csv: "text/csv; charset=utf-8", jsonl: "application/jsonl; charset=utf-8" };
const exported = direct(api.exported, async ({ house, actor, at }, asked) => {
  const { kind, format, purpose, segment } = asked;
  if (kind === "segment" && !(segment && (await views.hasSegment(house.sql, segment))))
    return fail("exchange.no_segment");
  const names = actor.permissions.has("members:find");
  // Written before the first row leaves the house.
  await house.sql.begin((tx) =>
    audit(house, tx, [
      {
        at,
        actor: actor.id,
        endpoint: `${api.exported.method} ${api.exported.path}`,
        target: { kind, format, purpose, names, ...(segment ? { segment } : {}) },
        outcome: "ok",
        requestId: null,
      },
    ]),
  );
  const pieces = exportText(house, { kind, format, segment, names });
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    pull: async (to) => {
      const { done, value } = await pieces.next();
      if (done) to.close();
      else to.enqueue(encoder.encode(value));
    },
    cancel: async () => void (await pieces.return(undefined)),
  });
  return new Response(body, {
    headers: {
      "content-type": types[format],
      "content-disposition": `attachment; filename="${kind}.${format}"`,
      "cache-control": "no-store",
    },
  });
});

const market = answer(api.market, async ({ house }, { kind, place, from, until, limit }) => {
  const day = (text: string | undefined) => (text ? new Date(text) : null);
  const rows = await views.market(
    house.sql,
    { kind, place, from: day(from), until: day(until) },
    limit,
  );
  return ok({
    market: rows.map(({ at, seenAt, sourceId, ...row }) => ({
      ...row,
      source: sourceId,
      at: at.toISOString(),
      seenAt: seenAt.toISOString(),
    })),
  });
});

/** An item goes the way by which it came: a file's line by its import's mapping, an event by its source's protocol. */
const mend = implement(api.mend, async ({ house, tx, now }, { ids, texts }) => {
  const reread: collect.Reread = async (source, refusal, text) => {
    if (refusal.importId !== null) return rereadRecord(house, refusal, text);
    let item: unknown;
    try {
      item = JSON.parse(text);
    } catch {
      return [{ reason: "unreadable", field: "" }];
    }
    const own = api.event.safeParse(item);
    if (!own.success && (source.protocol !== "liuke" || service.isForeign(item)))
      return heardAgain(house, source, item, refusal.id);
    if (!own.success) return [{ reason: "invalid", field: collect.fieldIn(own.error) }];
    const { data = {}, traits = {}, at, ...rest } = own.data;
    return [readEvent({ ...rest, at: new Date(at), data, traits }, source.kind, now)];
  };
  const mended = new Map(Object.entries(texts));
  return ok({ results: await collect.resend(house, tx, [...new Set(ids)], mended, reread) });
});

const askRebuild = implement(api.askRebuild, service.askRebuild);
const rebuilds = answer(api.rebuilds, async ({ house }) =>
  ok({
    rebuilds: (await service.rebuilds(house)).map((one) => ({
      id: one.id,
      what: one.what,
      from: one.fromAt?.toISOString() ?? null,
      until: one.untilAt?.toISOString() ?? null,
      stage: one.stage,
      done: Number(one.done),
      total: Number(one.total),
      askedAt: one.askedAt.toISOString(),
      finishedAt: one.finishedAt?.toISOString() ?? null,
    })),
  }),
);

export const routes = [exported, market, mend, askRebuild, rebuilds];
