// A domain of one table, for tests of the kernel: tills that claim from a limited stock, and go wrong when they are told to.
import { z } from "zod";
import { bucketOfText } from "../src/kernel/crypto.ts";
import { endpoint, implement, answer, type Actor, type Route } from "../src/kernel/endpoint.ts";
import { fail, ok } from "../src/kernel/result.ts";
import { world } from "./database.ts";

export const claimed = { name: "till.claimed", data: z.object({ claim: z.uuid() }) };
export const failures = {
  "till.short": { status: 409, zh: "卖完了。", en: "Sold out." },
  "till.refused": { status: 422, zh: "不行。", en: "No." },
} as const;

const input = z.strictObject({
  person: z.string().min(1).max(40),
  amount: z.int().min(1).max(100).default(1),
  /** What happens after the claim's row is written. "lock" waits for a row that a test may hold. */
  step: z.enum(["ok", "refuse", "throw", "lock"]).default("ok"),
  note: z.string().max(40).default(""),
});
const base = { method: "POST", permission: "till:use", input, failures: [] } as const;
const summary = { zh: "领取", en: "Claim" };
const claim = endpoint({
  ...base,
  path: "/v1/till/:person/claims",
  summary,
  output: z.object({ claim: z.uuid(), amount: z.int() }),
  failures: ["till.short", "till.refused"],
});
const secret = endpoint({
  ...base,
  path: "/v1/till/:person/secrets",
  summary,
  output: z.object({ shown: z.string() }),
  failures: ["till.refused"],
  secret: true,
});
const free = endpoint({
  method: "GET",
  path: "/v1/till/stock",
  permission: "public",
  summary,
  input: z.strictObject({ atLeast: z.coerce.number().int().min(0).default(0) }),
  output: z.object({ used: z.int() }),
  failures: ["till.refused"],
});

/** What was taken from the hot row in one go, in order: a test reads how often it was touched. */
export type Takes = bigint[];
/** Everybody is in one lane, or each person in one of their own. */
export const routesOf = (takes: Takes, lane: "one" | "own" = "one"): Route[] => [
  implement(
    claim,
    async ({ tx, newId, emit, reserve, header }, { person, amount, step, note }) => {
      const id = newId();
      await tx`
        insert into till_claim (id, person, amount, note, xid)
        values (${id}, ${person}, ${amount}, ${note}, pg_current_xact_id()::text)`;
      emit(claimed, { bucket: 7, personId: id }, { claim: id });
      header("x-till", person);
      if (step === "throw") throw new Error("till broke");
      if (step === "lock") await tx`update till_held set n = n + 1`;
      if (step === "refuse") return fail("till.refused", { note });
      reserve({
        key: "till",
        amount: BigInt(amount),
        code: "till.short",
        take: async (last, total) => {
          takes.push(total);
          const rows = await last`
            update till_stock set used = used + ${total} where used + ${total} <= size`;
          return rows.count === 1;
        },
      });
      return ok({ claim: id, amount });
    },
    ({ person }) => ({ bucket: lane === "one" ? 7 : bucketOfText(person), person }),
  ),
  implement(secret, async (_, { step, note }) =>
    step === "refuse" ? fail("till.refused", { note }) : ok({ shown: `secret of ${note}` }),
  ),
  answer(free, async ({ house }) => {
    const [row] = await house.sql<{ used: bigint }[]>`select used from till_stock`;
    return ok({ used: Number(row!.used) });
  }),
];
export const clerk = (id = "operator:clerk"): Actor => ({
  id,
  permissions: new Set(["till:use"]),
  scope: { kind: "all" },
});

/** A world with a stock of `size`. A note "late" makes its transaction fail at the very moment of its commit. */
export async function tills(size = 1000) {
  const shop = await world();
  await shop.owner.unsafe(`
    create table till_stock (size bigint not null, used bigint not null default 0);
    insert into till_stock values (${size});
    create table till_held (n int not null);
    insert into till_held values (0);
    create table till_claim (
      seq bigint generated always as identity, id uuid primary key, person text not null,
      amount int not null, note text not null, xid text not null);
    create function till_late() returns trigger language plpgsql as
      $$ begin raise exception 'late' using errcode = 'P0001'; end $$;
    create constraint trigger till_late after insert on till_claim deferrable initially deferred
      for each row when (new.note = 'late') execute function till_late();
    grant select, insert, update, delete on till_stock, till_held, till_claim to liuke_app;`);
  const used = async (): Promise<bigint> => {
    const [row] = await shop.owner<{ used: bigint }[]>`select used from till_stock`;
    return row!.used;
  };
  const claims = () =>
    shop.owner<{ id: string; person: string; amount: number; note: string; xid: string }[]>`
      select id, person, amount, note, xid from till_claim order by seq`;
  return Object.assign(shop, { used, claims });
}
