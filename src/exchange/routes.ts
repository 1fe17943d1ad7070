import { audit } from "#kernel/audit.ts";
import { answer, direct, implement } from "#kernel/endpoint.ts";
import { fail, ok } from "#kernel/result.ts";
import * as api from "./api.ts";
import { exportText } from "./export.ts";
import * as mending from "./mend.ts";
import { whenOf } from "./rules.ts";
import * as service from "./service.ts";
import * as upload from "./upload.ts";
import * as views from "./views.ts";

/** A line of the audit for what does not go through the write path. */
const lineOf = (
  { method, path }: { method: string; path: string },
  actor: string,
  at: Date,
  target: Record<string, unknown>,
) => ({ at, actor, endpoint: `${method} ${path}`, target, outcome: "ok", requestId: null });

const types = { csv: "text/csv; charset=utf-8", jsonl: "application/jsonl; charset=utf-8" };
const exported = direct(api.exported, async ({ house, actor, at }, asked) => {
  const { kind, format, purpose, segment, snapshot, from, until } = asked;
  if (
    kind === "segment" &&
    !(segment && (await views.hasSegment(house.sql, segment, snapshot ?? null)))
  )
    return fail("exchange.no_segment");
  const names = actor.permissions.has("members:find");
  // Written before the first row leaves the house.
  await house.sql.begin((tx) =>
    audit(house, tx, [
      lineOf(api.exported, actor.id, at, {
        ...{ kind, format, purpose, names },
        ...(segment ? { segment } : {}),
        ...(snapshot ? { snapshot } : {}),
        ...(from ? { from } : {}),
        ...(until ? { until } : {}),
      }),
    ]),
  );
  const pieces = exportText(house, {
    ...{ kind, format, segment, snapshot, names },
    from: from === undefined ? undefined : whenOf(from, house.clocks.timeZone)!,
    until: until === undefined ? undefined : whenOf(until, house.clocks.timeZone)!,
  });
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

const openRefused = direct(api.openRefused, async ({ house, actor, at }, { rejected }) => {
  const seen = await mending.opened(house, rejected, actor.permissions.has("members:find"));
  if (!seen) return fail("exchange.gone");
  // Written before anything of it leaves the house.
  const target = { rejected, source: seen.source, names: seen.text !== null };
  await house.sql.begin((tx) => audit(house, tx, [lineOf(api.openRefused, actor.id, at, target)]));
  return ok(seen);
});
const mend = implement(api.mend, async ({ house, tx }, { ids, changes, texts }) => {
  const given = new Map(Object.entries(texts));
  const results = await mending.sendAgain(house, tx, [...new Set(ids)], { changes, texts: given });
  return ok({ results });
});
const askMending = implement(api.askMending, mending.askMending);
const mendings = answer(api.mendings, async ({ house, actor }) => {
  const all = await mending.mendings(house);
  // A value that is set may name somebody.
  const names = actor.permissions.has("members:find");
  return ok({
    mendings: all.map((one) => ({ ...one, changes: names ? one.changes : [] })),
  });
});
const moveMending = implement(api.moveMending, mending.moveMending);

const beginFile = implement(api.beginFile, upload.begin);
const sendBytes = direct(api.sendBytes, ({ house, request }, { file, offset }) =>
  upload.receive(house, file, offset, request.body ?? none()),
);
async function* none(): AsyncGenerator<Uint8Array> {}
const file = answer(api.file, async ({ house }, { file: id }) => {
  const shown = await upload.shown(house, id);
  return shown ? ok(shown) : fail("exchange.gone");
});
const lookAtFile = direct(api.lookAtFile, async ({ house, actor, at }, { file: id, ...asked }) => {
  const names = actor.permissions.has("members:find");
  // Written before anything of it leaves the house.
  const target = { file: id, kind: asked.kind, names };
  await house.sql.begin((tx) => audit(house, tx, [lineOf(api.lookAtFile, actor.id, at, target)]));
  return upload.look(house, id, asked, names);
});
const moveFile = implement(api.moveFile, upload.move);
const imports = answer(api.imports, async ({ house }) =>
  ok({
    imports: (await views.imports(house.sql)).map(({ startedAt, finishedAt, ...one }) => ({
      ...one,
      startedAt: startedAt.toISOString(),
      finishedAt: finishedAt?.toISOString() ?? null,
    })),
  }),
);

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

export const routes = [
  ...[exported, market, mend, askMending, mendings, moveMending, openRefused],
  ...[beginFile, sendBytes, file, lookAtFile, moveFile, imports],
  ...[askRebuild, rebuilds],
];
