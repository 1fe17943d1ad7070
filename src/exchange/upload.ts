// A file is handed in over the network: its bytes come in order, each helping is committed, and whoever was cut off goes
// on from there. They lie sealed beside everything else, so that any process can read them, and go when the file is done
// with. It is imported by the same reader as a file of the command line.
import { Readable } from "node:stream";
import * as collect from "#collect/service.ts";
import { open as unlock, seal as lock } from "#kernel/crypto.ts";
import type { Context, House } from "#kernel/endpoint.ts";
import { dropLease, takeLease } from "#kernel/lease.ts";
import { fail, ok, type Result } from "#kernel/result.ts";
import { encodingOf, importFile, look as lookAt, type FileOptions, type Stored } from "./import.ts";
import { namesSomebody } from "./model/mending.ts";
import {
  fieldsOf,
  fileIdleDays,
  filesLimit,
  isKind,
  missingColumns,
  type Kind,
  type Mapping,
} from "./rules.ts";
import * as store from "./store.ts";
import * as views from "./views.ts";

const pieceBytes = 1024 * 1024;
const key = (house: House) => house.keys.signing("exchange_file");
const pieceAt = (id: string, n: number) => `exchange_piece|sealed|${id}|${n}`;

/** A workbook is no text; it is told so before it is sent. */
const workbook = /\.(xlsx?|xlsm|ods|numbers|zip|rar|7z|pdf)$/i;
export async function begin(
  { tx, at, actor, newId }: Context,
  { name, bytes, mark }: { name: string; bytes: number; mark: string },
): Promise<Result<{ id: string }, "exchange.files_full" | "exchange.not_text">> {
  if (workbook.test(name)) return fail("exchange.not_text");
  if ((await store.openFiles(tx)) >= filesLimit) return fail("exchange.files_full");
  const id = newId();
  await store.addFile(tx, {
    ...{ id, name, mark, bytes: BigInt(bytes), stage: "receiving" },
    ...{ madeBy: actor.id, madeAt: at, movedAt: at },
  });
  return ok({ id });
}

type Received = Result<
  { received: number; bytes: number },
  "exchange.gone" | "exchange.offset" | "request.too_large"
>;
/** Takes bytes as they come, at most one piece of them in memory; what was committed stays, however this ends. */
export async function receive(
  house: House,
  id: string,
  offset: number,
  body: AsyncIterable<Uint8Array>,
): Promise<Received> {
  const [file] = await store.fileById(house.sql, id);
  if (!file || file.stage !== "receiving")
    return file && Number(file.received) === Number(file.bytes)
      ? ok({ received: Number(file.received), bytes: Number(file.bytes) })
      : fail("exchange.gone");
  if (offset !== Number(file.received))
    return fail("exchange.offset", { received: Number(file.received) });
  const bytes = Number(file.bytes);
  let received = offset;
  let waiting: Uint8Array[] = [];
  let size = 0;
  const commit = async (): Promise<boolean> => {
    if (size === 0) return true;
    const sealedOf = Buffer.concat(waiting);
    const done = await house.sql.begin(async (tx) => {
      const [held] = await store.heldFile(tx, id);
      // Somebody else sends the same file: one of both goes on.
      if (!held || held.stage !== "receiving" || Number(held.received) !== received) return false;
      const n = await store.pieces(tx, id);
      const sealed = lock(key(house), sealedOf, pieceAt(id, n));
      await store.addPiece(tx, { fileId: id, n, bytes: size, sealed });
      await store.moveFile(tx, {
        id,
        received: BigInt(received + size),
        movedAt: house.clocks.machine(),
        ...(received + size === bytes ? { stage: "received" } : {}),
      });
      return true;
    });
    if (done) received += size;
    waiting = [];
    size = 0;
    return done;
  };
  for await (const chunk of body) {
    if (received + size + chunk.length > bytes) return fail("request.too_large");
    for (let from = 0; from < chunk.length;) {
      const part = chunk.subarray(from, from + pieceBytes - size);
      waiting.push(part);
      size += part.length;
      from += part.length;
      if (size >= pieceBytes && !(await commit()))
        return fail("exchange.offset", { received: await receivedOf(house, id) });
    }
  }
  if (!(await commit())) return fail("exchange.offset", { received: await receivedOf(house, id) });
  return ok({ received, bytes });
}
const receivedOf = async (house: House, id: string): Promise<number> =>
  Number((await store.fileById(house.sql, id))[0]?.received ?? 0);

/** A file's bytes, a piece at a time, and how many of them were asked for at the last reading. */
async function storedOf(house: House, file: store.FileRow) {
  const pieceOf = async (n: number): Promise<Buffer | null> => {
    const [row] = await store.piece(house.sql, file.id, n);
    return row ? unlock(key(house), row.sealed, pieceAt(file.id, n)) : null;
  };
  const head = await pieceOf(0);
  let passed = 0;
  async function* bytes() {
    // Each reading counts for itself: one that was left early may still be fetching when the next begins.
    let given = 0;
    for (let n = 0; given < Number(file.bytes); n++) {
      const piece = await pieceOf(n);
      if (!piece) throw new Error("The file is gone.", { cause: "import" });
      given += piece.length;
      passed = given;
      yield piece;
    }
  }
  const stored: Stored = {
    bytes: Number(file.bytes),
    gzip: head?.[0] === 0x1f && head[1] === 0x8b,
    read: () => Readable.from(bytes()),
  };
  return { stored, passed: () => BigInt(passed) };
}

type Asked = { kind: Kind; mapping: Mapping; source?: string | undefined };
const lookLimit = 1000;
/** The beginning of a file, as it would be read by a mapping. What names a guest is left out unless `names`. */
export async function look(
  house: House,
  id: string,
  { kind, mapping: asked, source }: Asked,
  names: boolean,
) {
  const [file] = await store.fileById(house.sql, id);
  if (!file || file.stage === "done" || file.stage === "cancelled") return fail("exchange.gone");
  if (file.stage === "receiving") return fail("exchange.not_whole");
  const { stored } = await storedOf(house, file);
  const at = { path: file.name, stored, kind };
  try {
    const encoding = (await encodingOf(file.name, stored)) ?? "utf-8";
    const mapping = { ...asked, encoding: asked.encoding ?? encoding };
    const known = source === undefined ? undefined : await named(house, source);
    const seen = await lookAt(house, {
      ...{ ...at, mapping, limit: lookLimit },
      judge: judgeOf(house, known),
    });
    const hide = (field: string, value: string) =>
      !names && namesSomebody(field, value) ? "•••" : value;
    return ok({
      encoding,
      columns: seen.columns.slice(0, 500),
      separator: seen.separator,
      twice: seen.twice.slice(0, 20),
      guess: seen.guess,
      missing: missingColumns(seen.columns, kind, mapping),
      fields: [...fieldsOf[kind].fields],
      needed: [...fieldsOf[kind].needed],
      preview: seen.preview.map(({ values, ...row }) => ({
        ...row,
        values: Object.fromEntries(
          Object.entries(values).map(([field, value]) => [field, hide(field, value)]),
        ),
      })),
      ...{ lines: seen.lines, fit: seen.fit, reasons: seen.reasons },
    });
  } catch (thrown) {
    const fault = faultOf(thrown);
    if (!fault) throw thrown;
    return fail(isHeadingFault(fault) ? `exchange.${fault}` : "exchange.unreadable");
  }
}
const named = async (house: House, name: string) =>
  [...(await collect.knownSources(house)).values()].find((one) => one.name === name);
const nobodyYet = { id: "00000000-0000-0000-0000-000000000000", kind: "import" } as const;
const judgeOf =
  (house: House, source: { id: string; kind: "server" | "public" | "import" } = nobodyYet) =>
  (events: Parameters<typeof collect.judgeAll>[3]) =>
    collect.judgeAll(house, house.sql, source, events);

const headingFaults = ["empty", "heading", "columns"] as const;
const isHeadingFault = (fault: string): fault is (typeof headingFaults)[number] =>
  (headingFaults as readonly string[]).includes(fault);
/** Why a file cannot be read, as a code; null where it is not the file's fault. */
function faultOf(thrown: unknown): string | null {
  const { code, cause, message, fault } = thrown as Error & { code?: string; fault?: string };
  if (/^Z_|^ERR_.*ZLIB|unexpected end of file/i.test(code ?? "") || /end of file/.test(message))
    return "packed";
  if (code === "ERR_ENCODING_INVALID_ENCODED_DATA") return "encoding";
  if (cause !== "import") return null;
  return fault ?? (/larger|20 GiB/.test(message) ? "large" : "gone");
}

type To = { file: string; to: "trying" | "running" | "paused" | "cancelled" } & Partial<{
  [K in keyof Asked]: Asked[K] | undefined;
}>;
type Moved = Result<
  Record<string, never>,
  `exchange.${"gone" | "not_whole" | "stage" | "begun" | "no_kind"}` | "collect.name_taken"
>;
const from: Record<To["to"], readonly store.FileRow["stage"][]> = {
  trying: ["received", "tried", "failed"],
  running: ["received", "tried", "paused", "failed"],
  paused: ["running", "trying"],
  cancelled: ["receiving", "received", "trying", "tried", "running", "paused", "failed"],
};
export async function move(
  { tx, house, at }: Context,
  { file: id, to, kind, mapping, source }: To,
): Promise<Moved> {
  const [file] = await store.heldFile(tx, id);
  if (!file) return fail("exchange.gone");
  if (file.stage === to) return ok({});
  if (to !== "cancelled" && file.stage === "receiving") return fail("exchange.not_whole");
  if (!from[to].includes(file.stage)) return fail("exchange.stage");
  if (to === "cancelled") {
    await store.dropPieces(tx, id);
    await store.moveFile(tx, { id, stage: to, movedAt: at, finishedAt: at });
    return ok({});
  }
  if (to === "paused") {
    const stage = file.stage === "trying" ? "received" : to;
    await store.moveFile(tx, { id, stage, movedAt: at });
    return ok({});
  }
  const asked = kind ?? file.kind;
  if (asked === null) return fail("exchange.no_kind");
  const text = mapping ? JSON.stringify(mapping) : (file.mapping ?? "{}");
  let sourceId = source === undefined ? file.sourceId : null;
  if (sourceId === null) {
    const own = await collect.sourceNamed(house, tx, source ?? "import", "import");
    // A name that a server or a page has is not for files.
    if (own.kind !== "import") return fail("collect.name_taken");
    sourceId = own.id;
  }
  // Lines that were taken were read by the mapping of then, as that source's.
  const isOther = asked !== file.kind || text !== file.mapping || sourceId !== file.sourceId;
  if (file.importId !== null && isOther) {
    const [counts] = await views.countsOf(tx, file.importId);
    if (counts && counts.lines > 0) return fail("exchange.begun");
  }
  await store.moveFile(tx, {
    ...{ id, stage: to, kind: asked, mapping: text, sourceId, movedAt: at, fault: null },
    ...(to === "trying" ? { lines: 0n, fit: 0n, found: "{}", readBytes: 0n } : { readBytes: 0n }),
  });
  return ok({});
}

const leaseMs = 15_000;
/**
 * Reads one file at a time, in one process at a time. `run` does what there is to do and says how much; `stop` lets the
 * batch end that is under way.
 */
export function reader(house: House) {
  const ending = new AbortController();
  const me = house.newId();
  return {
    stop: () => ending.abort(),
    run: async (): Promise<number> => {
      if (ending.signal.aborted) return 0;
      const [file] = await store.nextFile(house.sql);
      if (!file) return 0;
      const lease = await takeLease(house.sql, "files", me, leaseMs);
      if (!lease) return 0;
      try {
        await work(house, file, ending.signal, async () =>
          Boolean(await takeLease(house.sql, "files", me, leaseMs)),
        );
      } finally {
        await dropLease(house.sql, lease);
      }
      return 1;
    },
  };
}
async function work(
  house: House,
  file: store.FileRow,
  ending: AbortSignal,
  renew: () => Promise<boolean>,
): Promise<void> {
  const { id, stage } = file;
  const leaving = new AbortController();
  const signal = AbortSignal.any([ending, leaving.signal]);
  const { stored, passed } = await storedOf(house, file);
  /** Still wanted, and still ours? */
  const goOn = async (more: { lines?: bigint; fit?: bigint } = {}) => {
    const row = { id, stage, readBytes: passed(), movedAt: house.clocks.machine() };
    if (!(await store.readOn(house.sql, { ...row, ...more })) || !(await renew())) leaving.abort();
  };
  const at: Pick<FileOptions, "path" | "stored" | "kind" | "mapping" | "signal"> = {
    ...{ path: file.name, stored, kind: file.kind as Kind, signal },
    mapping: JSON.parse(file.mapping ?? "{}") as Mapping,
  };
  const source = await collect.knownSource(house, { id: file.sourceId!, kind: "import" });
  const end = (row: Partial<store.FileRow>) =>
    house.sql.begin(async (tx) => {
      const [held] = await store.heldFile(tx, id);
      if (held?.stage !== stage) return;
      const movedAt = house.clocks.machine();
      await store.moveFile(tx, { id, movedAt, ...row });
      if (row.stage === "done") await store.dropPieces(tx, id);
    });
  try {
    if (stage === "trying") {
      const seen = await lookAt(house, {
        ...{ ...at, limit: Number.MAX_SAFE_INTEGER, judge: judgeOf(house, source) },
        onRows: ({ lines, fit }) => goOn({ lines: BigInt(lines), fit: BigInt(fit) }),
      });
      if (signal.aborted) return;
      const { lines, fit, reasons, refused } = seen;
      const found = JSON.stringify({
        reasons: reasons.toSorted((a, b) => b.count - a.count).slice(0, 100),
        refused,
      });
      await end({ stage: "tried", lines: BigInt(lines), fit: BigInt(fit), found });
      return;
    }
    await importFile(house, {
      ...{ ...at, source: { id: source.id, name: source.name, kind: source.kind, demo: false } },
      onOpen: async (running) => {
        await store.moveFile(house.sql, { id, importId: running.id });
      },
      onBatch: async () => {
        await goOn();
        house.wake?.(collect.workOnPeople);
      },
    });
    if (signal.aborted) return;
    await end({ stage: "done", finishedAt: house.clocks.machine(), readBytes: file.bytes });
  } catch (thrown) {
    const fault = faultOf(thrown);
    if (!fault) throw thrown;
    // Another process went on with it, or it was cancelled meanwhile: then it is not where it was.
    if (fault === "gone") house.log.info({ event: "import.left", file: id });
    else await end({ stage: "failed", fault });
  }
}

const day = 86_400_000;
const rememberedDays = 400;
/** Gives up what nobody touches, and forgets what was done long ago; says how many. */
export async function sweep(house: House): Promise<number> {
  const now = house.clocks.machine();
  const idle = await store.idleFiles(house.sql, new Date(now.getTime() - fileIdleDays * day));
  for (const { id } of idle)
    await house.sql.begin(async (tx) => {
      await store.dropPieces(tx, id);
      await store.moveFile(tx, { id, stage: "cancelled", finishedAt: now });
    });
  await store.forgetFiles(house.sql, new Date(now.getTime() - rememberedDays * day));
  return idle.length;
}

/** A file as a screen shows it. */
export async function shown(house: House, id: string) {
  const [file] = await store.fileById(house.sql, id);
  if (!file) return null;
  const found = JSON.parse(file.found) as Partial<{
    reasons: { reason: string; field: string; count: number }[];
    refused: { line: number; reason: string; field: string }[];
  }>;
  const known = await collect.knownSources(house);
  const [counts] = file.importId ? await views.countsOf(house.sql, file.importId) : [];
  return {
    ...{ id, name: file.name, mark: file.mark, stage: file.stage, fault: file.fault },
    ...{ bytes: Number(file.bytes), received: Number(file.received) },
    kind: file.kind !== null && isKind(file.kind) ? file.kind : null,
    mapping: file.mapping === null ? null : (JSON.parse(file.mapping) as Mapping),
    source: file.sourceId === null ? null : (known.get(file.sourceId)?.name ?? null),
    run: file.importId,
    readBytes: Number(file.readBytes),
    tried: {
      ...{ lines: Number(file.lines), fit: Number(file.fit) },
      ...{ reasons: found.reasons ?? [], refused: found.refused ?? [] },
    },
    counts: counts ?? null,
    madeAt: file.madeAt.toISOString(),
    finishedAt: file.finishedAt?.toISOString() ?? null,
  };
}
