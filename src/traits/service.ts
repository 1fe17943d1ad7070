// What a caller can ask of traits. Each function works in the transaction it is given.
import type { Context, House } from "#kernel/endpoint.ts";
import { fail, ok, type Result } from "#kernel/result.ts";
import type { Reader, Tx } from "#kernel/sql.ts";
import { setTimers } from "#kernel/timers.ts";
import { derivedFields } from "#privacy/rules.ts";
import { sentenceOf } from "./model/sentence.ts";
import { traitsLimit, type Sentence, type Trait } from "./rules.ts";
import * as store from "./store.ts";

/** Attributes that somebody else says: no trait may have such a name. */
const taken: ReadonlySet<string> = new Set([
  ...derivedFields,
  "orders",
  "refunds",
  "purchase_days",
  "items",
  "spent_minor",
  "refunded_minor",
  "first_order_at",
  "last_order_at",
  "last_event",
  "spend_score",
  "order_chance_90d",
  "expected_orders_90d",
  "p_alive",
  "category_preference",
  "top_category",
]);
/** As the source of an attribute. */
export const sourceOf = (name: string): string => `trait:${name}`;

/** The timer of a helping of what follows from a declaration: one a trait. */
export const fillTimer = "traits.fill";
export const setFill = (house: House, tx: Tx, name: string) =>
  setTimers(tx, [{ kind: fillTimer, key: name, dueAt: house.clocks.machine() }]);

type Refused = "traits.name_taken" | "traits.too_many" | "traits.going";
/** Declares a trait, or changes the one of that name. Everybody has it once they were gone through, in helpings. */
export async function declare(
  { tx, house, at, actor }: Context,
  trait: Trait,
): Promise<Result<{ name: string; version: number; sentence: Sentence }, Refused>> {
  if (taken.has(trait.name)) return fail("traits.name_taken");
  await store.nextGeneration(tx);
  const all = await store.all(tx);
  const had = all.find(({ name }) => name === trait.name);
  if (had?.state === "going") return fail("traits.going");
  if (!had && all.length >= traitsLimit) return fail("traits.too_many");
  const version = (had?.version ?? 0) + 1;
  await store.put(tx, {
    name: trait.name,
    definition: trait,
    version,
    by: actor.id,
    declaredAt: at,
    total: await store.everybodyCount(tx),
  });
  await setFill(house, tx, trait.name);
  return ok({ name: trait.name, version, sentence: sentenceOf(trait) });
}

/** Takes a trait away; its figures go with it, in helpings. */
export async function remove(
  { tx, house }: Context,
  { trait: name }: { trait: string },
): Promise<Result<Record<string, never>, "traits.unknown">> {
  await store.nextGeneration(tx);
  const had = await store.byName(tx, name);
  if (!had || had.state === "going") return fail("traits.unknown");
  await store.leave(tx, name, await store.everybodyCount(tx));
  await setFill(house, tx, name);
  return ok({});
}

/** How each attribute that is a trait was worked out, by its source. */
export async function hows(
  reader: Reader,
): Promise<Map<string, { label: Sentence; unit: string | null; how: Sentence }>> {
  return new Map(
    (await store.all(reader)).map(({ name, definition }) => [
      sourceOf(name),
      {
        label: definition.label,
        unit: definition.unit ?? null,
        how: sentenceOf(definition),
      },
    ]),
  );
}
