// What a caller can ask of offers. Each function works in the transaction it is given.
import type { Context, House } from "#kernel/endpoint.ts";
import * as feeds from "#feeds/service.ts";
import { emitAll } from "#kernel/outbox.ts";
import { fail, ok, type Result } from "#kernel/result.ts";
import type { PersonKey, Reader, Tx } from "#kernel/sql.ts";
import { dropTimer, resetTimers, setTimers } from "#kernel/timers.ts";
import * as people from "#people/service.ts";
import * as events from "./events.ts";
import {
  codeOf,
  discount,
  expiry,
  holding,
  normalCode,
  room,
  ruleText,
  type Benefit,
  type CouponState,
  type Limits,
  type Rule,
  type Sentence,
} from "./rules.ts";
import * as store from "./store.ts";

/** A code is worked out of the coupon's id and the installation's key: no table holds it, and none can leak it. */
export const codeOfCoupon = (house: House, couponId: string): string =>
  codeOf(house.keys.blind("offers_coupon|code", couponId));
const blindOf = (house: House, code: string): Buffer =>
  house.keys.blind("offers_code|blind", normalCode(code));

export type NewCampaign = Rule &
  Limits & { name: Sentence; benefit: Benefit; perPerson: number; open: boolean };
/** Makes a campaign with its budget. Amounts in minor units of its currency. */
export async function makeCampaign(
  tx: Tx,
  campaign: NewCampaign & { id: string; at: Date },
): Promise<Result<{ id: string; rule: Sentence }, "offers.no_budget" | "offers.unbounded">> {
  const held = holding(campaign.benefit, campaign);
  if (!held.ok) return held;
  const { couponLimit, budgetMinor, ...rest } = campaign;
  await store.addCampaign(
    tx,
    { ...rest, heldMinor: held.value, state: "running" },
    { couponLimit, minorLimit: budgetMinor },
  );
  return ok({ id: campaign.id, rule: ruleText(campaign) });
}
export const create = ({ tx, newId, now }: Context, campaign: NewCampaign) =>
  makeCampaign(tx, { ...campaign, id: newId(), at: now });

export async function stop(
  { tx }: Context,
  { campaign }: { campaign: string },
): Promise<Result<{ state: "stopped" }, "offers.unknown">> {
  const stopped = await store.stopCampaign(tx, campaign);
  return stopped.count === 1 ? ok({ state: "stopped" }) : fail("offers.unknown");
}

/**
 * How many of `n` coupons the campaign's budget still has room for; they are taken in one update, and its row is held
 * until the transaction ends: let it be the last thing that a transaction does. `issue` calls it by itself.
 */
async function takeBudget(tx: Tx, campaignId: string, n: number): Promise<number> {
  const campaign = (await store.campaigns(tx, [campaignId])).get(campaignId);
  if (!campaign || n === 0) return 0;
  if (await store.takeBudget(tx, campaignId, BigInt(n), campaign.heldMinor)) return n;
  const [budget] = await store.lockBudget(tx, campaignId);
  const left = room(budget!, campaign.heldMinor, n);
  if (left > 0 && !(await store.takeBudget(tx, campaignId, BigInt(left), campaign.heldMinor)))
    throw new Error("a held budget row changed");
  return left;
}

export type Ask = { person: PersonKey; campaignId: string; cause: string };
export type Given = { couponId: string; expiresAt: Date };
export type NotGiven =
  | "offers.unknown"
  | "offers.stopped"
  | "offers.person_limit"
  | "offers.budget_spent";
type Made = store.Coupon & { blind: Buffer };

const coupon = (
  house: House,
  campaign: store.Campaign,
  { person, cause }: Pick<Ask, "person" | "cause">,
  state: CouponState,
  now: Date,
): Made => {
  const id = house.newId();
  return {
    bucket: person.bucket,
    personId: person.personId,
    id,
    campaignId: campaign.id,
    state,
    cause,
    heldMinor: campaign.heldMinor,
    issuedAt: now,
    expiresAt: expiry(now, campaign.ttlDays),
    blind: blindOf(house, codeOfCoupon(house, id)),
  };
};
async function put(tx: Tx, coupons: Made[]): Promise<void> {
  await store.addCoupons(tx, coupons);
  await setTimers(
    tx,
    coupons.map(({ bucket, personId, id, expiresAt }) => ({
      bucket,
      personId,
      kind: "offers.expire",
      key: id,
      dueAt: expiresAt,
    })),
  );
}

/**
 * Gives coupons to many people within the caller's transaction: verdicts in the order asked, where a budget does not
 * reach for all, the first in that order have it. Budget rows are taken last, once a campaign, in order of campaign;
 * what the caller does after this it does while holding them, so let that be little.
 */
export async function issue(
  house: House,
  tx: Tx,
  now: Date,
  asked: Ask[],
): Promise<Result<Given, NotGiven>[]> {
  const verdicts = Array.from<Result<Given, NotGiven>>({ length: asked.length });
  const isHeard = await feeds.isHeard(tx, events.issued.name); // asked before a budget is held
  const ids = [...new Set(asked.map(({ campaignId }) => campaignId))].toSorted();
  const campaigns = await store.campaigns(tx, ids);
  const made = new Map<string, { at: number; coupon: Made }[]>();
  for (const id of ids) {
    const campaign = campaigns.get(id);
    const mine = asked.flatMap((ask, at) => (ask.campaignId === id ? [{ ...ask, at }] : []));
    if (!campaign || campaign.state === "stopped") {
      for (const { at } of mine)
        verdicts[at] = fail(campaign ? "offers.stopped" : "offers.unknown");
      continue;
    }
    const coupons: { at: number; coupon: Made }[] = [];
    // A person who is asked for twice is counted twice: each round holds everybody once.
    for (let left = mine; left.length > 0;) {
      const seen = new Set<string>();
      const round = left.filter(({ person: { personId } }) => {
        const first = !seen.has(personId);
        seen.add(personId);
        return first;
      });
      left = left.filter((ask) => !round.includes(ask));
      const counted = await store.countPeople(
        tx,
        id,
        campaign.perPerson,
        round.map(({ person }) => person),
      );
      const may = new Set(counted.map(({ personId }) => personId));
      for (const ask of round)
        if (may.has(ask.person.personId))
          coupons.push({ at: ask.at, coupon: coupon(house, campaign, ask, "issued", now) });
        else verdicts[ask.at] = fail("offers.person_limit");
    }
    coupons.sort((a, b) => a.at - b.at);
    await put(
      tx,
      coupons.map((one) => one.coupon),
    );
    made.set(id, coupons);
  }
  for (const [id, coupons] of made) {
    const reached = await takeBudget(tx, id, coupons.length);
    for (const {
      at,
      coupon: { id: couponId, expiresAt },
    } of coupons.slice(0, reached))
      verdicts[at] = ok({ couponId, expiresAt });
    const short = coupons.slice(reached);
    for (const { at } of short) verdicts[at] = fail("offers.budget_spent");
    if (short.length > 0)
      await takeBack(
        tx,
        id,
        short.map((one) => one.coupon),
      );
  }
  if (isHeard) await tell(house, tx, asked, verdicts);
  return verdicts;
}
/** What was given, for other systems. */
const tell = (
  house: House,
  tx: Tx,
  asked: readonly Ask[],
  verdicts: readonly Result<Given, NotGiven>[],
): Promise<void> =>
  emitAll(
    house,
    tx,
    events.issued,
    asked.flatMap(({ person, campaignId: campaign, cause }, i) => {
      const verdict = verdicts[i]!;
      if (!verdict.ok) return [];
      const { couponId, expiresAt } = verdict.value;
      const { bucket, personId } = person;
      const data = { coupon: couponId, campaign, cause, expiresAt: expiresAt.toISOString() };
      return [{ person: { bucket, personId }, data }];
    }),
  );
async function takeBack(tx: Tx, campaignId: string, coupons: Made[]): Promise<void> {
  await store.dropCoupons(tx, coupons);
  await store.uncountPeople(tx, campaignId, coupons);
  for (const one of coupons) await dropTimer(tx, one, "offers.expire", one.id);
}

/** One coupon by a command of its own: the budget row is taken by the write path, once for a whole group. */
async function give(
  { tx, house, now, reserve, emit }: Context,
  person: PersonKey,
  campaignId: string,
  cause: string,
  by: "operator" | "person",
): Promise<Result<{ coupon: string; expiresAt: string }, NotGiven>> {
  const campaign = (await store.campaigns(tx, [campaignId])).get(campaignId);
  // To a person, a campaign that is not open is one that does not exist.
  if (!campaign || (by === "person" && !campaign.open)) return fail("offers.unknown");
  if (campaign.state === "stopped") return fail("offers.stopped");
  const counted = await store.countPeople(tx, campaignId, campaign.perPerson, [person]);
  if (counted.length === 0) return fail("offers.person_limit");
  const state = by === "person" ? "claimed" : "issued";
  const made = coupon(house, campaign, { person, cause }, state, now);
  await put(tx, [made]);
  reserve({
    key: `offers:${campaignId}:a`,
    amount: 1n,
    take: (last, total) => store.takeBudget(last, campaignId, total, campaign.heldMinor),
    code: "offers.budget_spent",
  });
  const expiresAt = made.expiresAt.toISOString();
  if (await feeds.isHeard(tx, events.issued.name))
    emit(events.issued, person, { coupon: made.id, campaign: campaignId, cause, expiresAt });
  return ok({ coupon: made.id, expiresAt });
}
export async function issueOne(
  context: Context,
  { campaign, person: personId }: { campaign: string; person: string },
): Promise<Result<{ coupon: string; expiresAt: string }, "people.unknown" | NotGiven>> {
  const person = await people.find(context.tx, personId);
  if (!person.ok) return person;
  return give(context, person.value, campaign, context.actor.id, "operator");
}
export const claim = (context: Context, person: PersonKey, campaign: string) =>
  give(context, person, campaign, "claim", "person");

type Redeem = { code: string; order: string; amountMinor: bigint; currency: string };
type Redeemed = { coupon: string; campaign: string; person: string; discountMinor: bigint };
export async function redeem(
  { tx, house, actor, now, emit, reserve }: Context,
  { code, order, amountMinor, currency }: Redeem,
): Promise<
  Result<
    Redeemed,
    | "offers.server_only"
    | "offers.code_unknown"
    | "offers.coupon_used"
    | "offers.coupon_expired"
    | "offers.coupon_revoked"
    | "offers.currency"
    | "offers.spend_short"
  >
> {
  if (actor.source?.kind !== "server") return fail("offers.server_only");
  const had = await store.lockByCode(tx, blindOf(house, code));
  if (!had) return fail("offers.code_unknown");
  const answer = (discountMinor: bigint) =>
    ok({ coupon: had.id, campaign: had.campaignId, person: had.personId, discountMinor });
  if (had.state === "redeemed")
    return had.orderRef === order ? answer(had.discountMinor!) : fail("offers.coupon_used");
  if (had.state === "revoked") return fail("offers.coupon_revoked");
  if (had.state === "expired" || had.expiresAt <= now) return fail("offers.coupon_expired");
  const campaign = (await store.campaigns(tx, [had.campaignId])).get(had.campaignId)!;
  const off = discount(campaign, { amountMinor, currency });
  if (!off.ok) return off;
  const spent = await store.spend(tx, had, {
    at: now,
    ref: order,
    amountMinor,
    discountMinor: off.value,
  });
  if (!spent) return fail("offers.coupon_used");
  await dropTimer(tx, had, "offers.expire", had.id);
  if (had.heldMinor > off.value)
    reserve({
      key: `offers:${had.campaignId}:b`,
      amount: had.heldMinor - off.value,
      take: async (last, total) => (await store.giveBack(last, had.campaignId, total)).count === 1,
      code: "offers.coupon_used",
    });
  emit(
    events.redeemed,
    { bucket: had.bucket, personId: had.personId },
    {
      coupon: had.id,
      campaign: had.campaignId,
      cause: had.cause,
      order,
      discountMinor: String(off.value),
      currency,
    },
  );
  return answer(off.value);
}

export async function revoke(
  { tx, now, reserve }: Context,
  { person: personId, coupon: id }: { person: string; coupon: string },
): Promise<
  Result<{ state: "revoked" }, "people.unknown" | "offers.coupon_unknown" | "offers.coupon_used">
> {
  const person = await people.find(tx, personId);
  if (!person.ok) return person;
  const had = await store.lockCoupon(tx, person.value, id);
  if (!had) return fail("offers.coupon_unknown");
  if (had.state === "redeemed" || had.state === "expired") return fail("offers.coupon_used");
  const [closed] = await store.close(tx, "revoked", now, [{ ...person.value, id }]);
  await dropTimer(tx, person.value, "offers.expire", id);
  if (closed && closed.heldMinor > 0n)
    reserve({
      key: `offers:${closed.campaignId}:b`,
      amount: closed.heldMinor,
      take: async (last, total) =>
        (await store.giveBack(last, closed.campaignId, total)).count === 1,
      code: "offers.coupon_unknown",
    });
  return ok({ state: "revoked" });
}

/** Ends coupons that ran out by `now`, and gives back what they held, once a campaign. */
export async function expire(
  tx: Tx,
  now: Date,
  coupons: (PersonKey & { id: string })[],
): Promise<void> {
  const closed = await store.close(tx, "expired", now, coupons);
  for (const id of [...new Set(closed.map(({ campaignId }) => campaignId))].toSorted()) {
    const held = closed
      .filter(({ campaignId }) => campaignId === id)
      .reduce((sum, { heldMinor }) => sum + heldMinor, 0n);
    if (held > 0n) await store.giveBack(tx, id, held);
  }
}

export type Shown = {
  code: string;
  name: Sentence;
  rule: Sentence;
  expiresAt: Date;
  state: CouponState;
};
/** Coupons as their own person may see them, with the code: for the person's screens, mails and the till alone. */
export async function show(
  house: House,
  reader: Reader,
  asked: { person: PersonKey; couponId: string }[],
): Promise<Map<string, Shown>> {
  if (asked.length === 0) return new Map();
  const coupons = await store.couponsById(
    reader,
    asked.map(({ person }) => person),
    asked.map(({ couponId }) => couponId),
  );
  const campaigns = await store.campaigns(
    reader,
    coupons.map(({ campaignId }) => campaignId),
  );
  return new Map(
    coupons.map(({ id, campaignId, expiresAt, state }) => {
      const campaign = campaigns.get(campaignId)!;
      const code = codeOfCoupon(house, id);
      return [id, { code, name: campaign.name, rule: ruleText(campaign), expiresAt, state }];
    }),
  );
}

/** All rows of one person. */
export async function erase(tx: Tx, person: PersonKey): Promise<void> {
  for (const id of await store.eraseRows(tx, person))
    await dropTimer(tx, person, "offers.expire", id);
}

const rows = people.moverOf({ moved: { offers_coupon: ["id"], offers_code: ["blind"] } });
/** Counts anew what these people have had, and lets each of their coupons end when it does, and none else. */
async function recount(tx: Tx, those: readonly PersonKey[]): Promise<void> {
  await store.addUpPeople(tx, those);
  for (const person of those)
    await resetTimers(
      tx,
      person,
      "offers.expire",
      (await store.openOf(tx, person)).map(({ id, expiresAt }) => ({ key: id, dueAt: expiresAt })),
    );
}
/**
 * Coupons go to the one who stays, and count towards what one person may have; an excess is shown, never taken back.
 * Undone, each goes back to whoever it was issued to, spent or not; what was issued meanwhile stays where it was issued.
 */
export const movers: people.Mover = {
  merge: async (house, tx, merges) => recount(tx, await rows.merge(house, tx, merges)),
  unmerge: async (house, tx, merge) => {
    await rows.unmerge(house, tx, merge);
    const holder = await people.find(tx, merge.into.personId);
    await recount(tx, [merge.from, merge.into, ...(holder.ok ? [holder.value] : [])]);
  },
};
