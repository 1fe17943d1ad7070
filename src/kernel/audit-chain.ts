// Nobody changes what was done here without its being seen: each line of the audit is sealed onto the one before, by
// one writer, and the latest seal is published outside the database, so that a chain cut short shows too.
import { createHmac } from "node:crypto";
import { appendFile, chmod, mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { auditMac } from "./audit.ts";
import { sameBytes, type Keys } from "./crypto.ts";
import type { House } from "./endpoint.ts";
import { holds, takeLease } from "./lease.ts";
import type { Reader, Sql } from "./sql.ts";

/** The last seal at some instant: where whoever published it saw the chain end. */
export type Head = { seq: string; hash: string; at: string };
/** A line as it stands in the table; texts are PostgreSQL's own, so that nothing is lost on the way. */
type Row = {
  id: bigint;
  said: string; // at (µs), actor, endpoint, target, outcome, request_id, line, as JSON text
  at: Date;
  actor: string;
  endpoint: string;
  target: Record<string, unknown>;
  outcome: string;
  requestId: string | null;
  line: string;
  mac: Buffer;
};
const columns = (reader: Reader) => reader`
  a.id, a.at, a.actor, a.endpoint, a.target, a.outcome, a.request_id, a.line, a.mac,
  json_build_array(to_char(a.at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), a.actor, a.endpoint,
    a.target::text, a.outcome, a.request_id, a.line, encode(a.mac, 'hex'))::text as said`;

const sealOf = (keys: Keys, before: Buffer, seq: bigint, { id, said }: Row): Buffer =>
  createHmac("sha256", keys.signing("audit.chain"))
    .update(before)
    .update(JSON.stringify([String(seq), String(id), said]))
    .digest();
const start = Buffer.alloc(32);

/** One transaction seals at most so many lines. */
const sealLimit = 1000;
const leaseMs = 10_000;
const leaseName = "audit.seal";

/**
 * Seals what waits, in the order in which it is found: a line committed late is found late, and none is found twice.
 * Says how many were sealed, 0 while another process does it; call again until it says 0. `holder` names this process.
 */
export async function sealAudit(house: House, holder: string): Promise<number> {
  const { sql, keys } = house;
  if ((await sql`select from audit_due limit 1`).count === 0) return 0; // an idle house writes nothing
  const lease = await takeLease(sql, leaseName, holder, leaseMs);
  if (!lease) return 0;
  return sql.begin(async (tx) => {
    if (!(await holds(tx, lease))) return 0;
    const rows = await tx<Row[]>`
      select ${columns(tx)} from audit_due d join audit a on a.id = d.audit_id
      order by a.id limit ${sealLimit}`;
    if (rows.length === 0) return 0;
    const last = await lastSeal(tx);
    let { seq, hash } = last ?? { seq: 0n, hash: start };
    const seals = rows.map((row) => {
      hash = sealOf(keys, hash, ++seq, row);
      return { seq, auditId: row.id, hash };
    });
    await tx`insert into audit_seal ${tx(seals)}`;
    await tx`delete from audit_due where audit_id = any(${rows.map(({ id }) => String(id))}::bigint[])`;
    return rows.length;
  });
}
const lastSeal = async (reader: Reader) => {
  const [seal] = await reader<{ seq: bigint; hash: Buffer }[]>`
    select seq, hash from audit_seal order by seq desc limit 1`;
  return seal ?? null;
};

/** Where the chain ends now, to be kept elsewhere; null before the first seal. */
export async function auditHead(house: House): Promise<Head | null> {
  const seal = await lastSeal(house.sql);
  if (!seal) return null;
  const at = house.clocks.machine().toISOString();
  return { seq: String(seal.seq), hash: seal.hash.toString("hex"), at };
}
export async function auditWaiting(reader: Reader): Promise<number> {
  const [row] = await reader<{ waiting: number }[]>`
    select count(*)::int as waiting from audit_due`;
  return row!.waiting;
}

/** A head is published again after this, if the chain has grown. */
const publishMs = 60_000;
/**
 * Publishes the head to the log and to a file, one JSON line each; call it as often as you like. Says whether it did.
 * The file only grows: about 190 bytes a minute while something is done.
 */
export function headPublisher(house: House, file: string): (now?: boolean) => Promise<boolean> {
  let last: Head | null = null;
  return async (now = false) => {
    const at = house.clocks.machine().getTime();
    if (!now && last && at - Date.parse(last.at) < publishMs) return false;
    const head = await auditHead(house);
    if (!head || head.seq === last?.seq) return false;
    // A crash may have cut the line before: the first one of a process begins anew.
    const text = `${last ? "" : "\n"}${JSON.stringify(head)}\n`;
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await appendFile(file, text, { mode: 0o600, flush: true });
    await chmod(file, 0o600);
    house.log.info({ event: "audit.head", seq: head.seq, hash: head.hash });
    last = head;
    return true;
  };
}
/** What was published to that file; a last line that a crash cut off is left out. */
export async function publishedHeads(file: string): Promise<Head[]> {
  const text = await readFile(file, "utf8").catch((thrown: { code?: string }) => {
    if (thrown.code === "ENOENT") return "";
    throw thrown;
  });
  return text.split("\n").flatMap((line) => {
    try {
      const { seq, hash, at } = JSON.parse(line) as Head;
      return /^\d+$/.test(seq) && /^[0-9a-f]{64}$/.test(hash) ? [{ seq, hash, at }] : [];
    } catch {
      return [];
    }
  });
}

/** `seal` and `line` are ids as text, where they are known. */
export type ChainFault =
  | {
      what: "line_missing" | "line_changed" | "line_forged" | "line_twice" | "line_unsealed";
      line: string;
    }
  | { what: "seal_missing" | "seal_broken"; seal: string }
  | { what: "head_missing" | "head_differs"; seal: string };
export type Verdict = { ok: boolean; sealed: number; waiting: number; faults: ChainFault[] };

const pageRows = 5000;
const faultLimit = 100;

/**
 * Reads the whole audit in one snapshot and holds it against its seals, its own codes and the published heads. Of what
 * was published it shows every edit, deletion, insertion, reordering and truncation by whoever has no master key. What
 * no head has seen yet can be cut off at its end, for a minute at most; nothing else can be done to it. Stops at 100
 * faults.
 */
export async function verifyAudit(sql: Sql, keys: Keys, heads: readonly Head[]): Promise<Verdict> {
  return sql.begin("isolation level repeatable read read only", async (tx) => {
    await tx`set local statement_timeout = '10min'`;
    const faults: ChainFault[] = [];
    const published = new Map(heads.map(({ seq, hash }) => [seq, hash]));
    const conflicting = heads.filter(({ seq, hash }) => published.get(seq) !== hash);
    for (const { seq } of conflicting) faults.push({ what: "head_differs", seal: seq });

    let before: Buffer = start;
    let seq = 0n;
    for (;;) {
      const page = await tx<(Partial<Row> & { seq: bigint; auditId: bigint; hash: Buffer })[]>`
        select s.seq, s.audit_id, s.hash, ${columns(tx)} from audit_seal s
        left join audit a on a.id = s.audit_id
        where s.seq > ${String(seq)}::bigint order by s.seq limit ${pageRows}`;
      for (const { seq: found, auditId, hash, ...row } of page) {
        if (found !== seq + 1n) faults.push({ what: "seal_missing", seal: String(seq + 1n) });
        const intact = found === seq + 1n;
        seq = found;
        const line = String(auditId);
        if (!row.line) faults.push({ what: "line_missing", line });
        else {
          const sealed = sameBytes(sealOf(keys, before, seq, row as Row), hash);
          const ours = sameBytes(auditMac(keys, row as Row), row.mac!);
          if (!ours) faults.push({ what: sealed ? "line_forged" : "line_changed", line });
          else if (!sealed && intact) faults.push({ what: "seal_broken", seal: String(seq) });
        }
        const said = published.get(String(seq));
        if (said !== undefined && said !== hash.toString("hex"))
          faults.push({ what: "head_differs", seal: String(seq) });
        published.delete(String(seq));
        before = hash;
        if (faults.length >= faultLimit) break;
      }
      if (page.length < pageRows || faults.length >= faultLimit) break;
    }
    for (const head of published.keys())
      if (BigInt(head) > seq) faults.push({ what: "head_missing", seal: head });

    const open = await tx<(Row & { due: boolean })[]>`
      select ${columns(tx)}, d.audit_id is not null as due from audit a
      left join audit_seal s on s.audit_id = a.id left join audit_due d on d.audit_id = a.id
      where s.audit_id is null order by a.id limit 100000`;
    for (const row of open) {
      if (!row.due) faults.push({ what: "line_unsealed", line: String(row.id) });
      if (!sameBytes(auditMac(keys, row), row.mac))
        faults.push({ what: "line_forged", line: String(row.id) });
    }
    const lost = await tx<{ id: bigint }[]>`
      select d.audit_id as id from audit_due d left join audit a on a.id = d.audit_id
      where a.id is null limit ${faultLimit}`;
    for (const { id } of lost) faults.push({ what: "line_missing", line: String(id) });
    const twice = await tx<{ id: bigint }[]>`
      select max(id) as id from audit group by line having count(*) > 1 limit ${faultLimit}`;
    for (const { id } of twice) faults.push({ what: "line_twice", line: String(id) });
    return {
      ok: faults.length === 0,
      sealed: Number(seq),
      waiting: open.length,
      faults: faults.slice(0, faultLimit),
    };
  });
}
