// Who did what to what, and what came of it: written in the transaction of the deed, sealed soon after (audit-chain.ts).
import { createHmac } from "node:crypto";
import type { Keys } from "./crypto.ts";
import type { House } from "./endpoint.ts";
import type { Tx } from "./sql.ts";

/** Ids and codes only. `at` is of the machine's clock. */
export type AuditLine = {
  at: Date;
  actor: string;
  endpoint: string;
  target: Record<string, unknown>;
  outcome: string;
  requestId: string | null;
};
/** A line and its own id: a copy of a line in the table has the same one, and is told by it. */
export type Marked = AuditLine & { line: string };

/** The write path does it for every command; a direct route that changes something calls it in its own transaction. */
export async function audit(house: House, tx: Tx, lines: AuditLine[]): Promise<void> {
  const rows = lines.map((said) => {
    const line = { ...said, line: house.newId() };
    return { ...line, target: tx.json(line.target as never), mac: auditMac(house.keys, line) };
  });
  await tx`
    with said as (insert into audit ${tx(rows)} returning id)
    insert into audit_due select id from said`;
}

/**
 * HMAC-SHA-256 that only a holder of the master key can make: whoever can write to the table, but has no key, cannot
 * make a line. Lists in JSON keep the parts apart.
 */
export function auditMac(keys: Keys, line: Marked): Buffer {
  const { at, actor, endpoint, target, outcome, requestId, line: id } = line;
  const said = [
    at.toISOString(),
    actor,
    endpoint,
    sorted(JSON.parse(JSON.stringify(target))),
    outcome,
    requestId,
    id,
  ];
  return createHmac("sha256", keys.signing("audit.line")).update(JSON.stringify(said)).digest();
}
/** jsonb keeps no order of keys. */
const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return entries.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, item]) => [key, sorted(item)]);
};
