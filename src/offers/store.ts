// Every SQL statement that writes campaigns, budgets and coupons, and their own reads.
import type { PersonKey, Reader, Tx } from "#kernel/sql.ts";
import type { Benefit, CouponState, Sentence } from "./rules.ts";

export type Campaign = {
  id: string;
  name: Sentence;
  benefit: Benefit;
  minSpendMinor: bigint;
  currency: string;
  ttlDays: number;
  perPerson: number;
  open: boolean;
  heldMinor: bigint;
  state: "running" | "stopped";
  at: Date;
};
type Stored = Omit<Campaign, "benefit"> & {
  benefit:
    | { kind: "percent"; valueBp: number; maxOffMinor: string | null }
    | { kind: "amount"; amountMinor: string };
};
/** Amounts inside JSON are text there: a number would be rounded above 2^53. */
const benefitFrom = (stored: Stored["benefit"]): Benefit =>
  stored.kind === "amount"
    ? { kind: "amount", amountMinor: BigInt(stored.amountMinor) }
    : {
        ...stored,
        maxOffMinor: stored.maxOffMinor === null ? null : BigInt(stored.maxOffMinor),
      };

export async function campaigns(reader: Reader, ids: string[]): Promise<Map<string, Campaign>> {
  if (ids.length === 0) return new Map();
  const rows = await reader<Stored[]>`select * from offers_campaign where id = any(${ids}::uuid[])`;
  return new Map(rows.map((row) => [row.id, { ...row, benefit: benefitFrom(row.benefit) }]));
}
export async function allCampaigns(reader: Reader): Promise<Campaign[]> {
  const rows = await reader<
    Stored[]
  >`select * from offers_campaign order by at desc, id desc limit 500`;
  return rows.map((row) => ({ ...row, benefit: benefitFrom(row.benefit) }));
}

export async function addCampaign(
  tx: Tx,
  { name, benefit, ...campaign }: Campaign,
  limits: { couponLimit: number | null; minorLimit: bigint | null },
): Promise<void> {
  const text =
    benefit.kind === "amount"
      ? { kind: benefit.kind, amountMinor: String(benefit.amountMinor) }
      : {
          ...benefit,
          maxOffMinor: benefit.maxOffMinor === null ? null : String(benefit.maxOffMinor),
        };
  await tx`
    insert into offers_campaign ${tx({ ...campaign, name: tx.json(name), benefit: tx.json(text) })}`;
  await tx`insert into offers_budget ${tx({ campaignId: campaign.id, ...limits })}`;
}
export const stopCampaign = (tx: Tx, id: string) =>
  tx`update offers_campaign set state = 'stopped' where id = ${id}`;

export type Budget = {
  campaignId: string;
  couponLimit: number | null;
  coupons: number;
  minorLimit: bigint | null;
  minor: bigint;
};
export const budgets = (reader: Reader, ids: string[]) =>
  reader<Budget[]>`
    select campaign_id, coupon_limit, coupons, minor_limit, minor
    from offers_budget where campaign_id = any(${ids}::uuid[])`;
/** All of `coupons`, or nothing and false. The campaign's budget row is taken here: let it be the last thing. */
export const takeBudget = async (
  tx: Tx,
  campaignId: string,
  coupons: bigint,
  heldMinor: bigint,
): Promise<boolean> => {
  const rows = await tx`
    update offers_budget set coupons = coupons + ${coupons}::int, minor = minor + ${coupons * heldMinor}
    where campaign_id = ${campaignId}
      and (coupon_limit is null or coupons + ${coupons}::bigint <= coupon_limit)
      and (minor_limit is null or minor + ${coupons * heldMinor} <= minor_limit)`;
  return rows.count === 1;
};
/** The budget row, held until the transaction ends, for when not all of what is asked is left. */
export const lockBudget = (tx: Tx, campaignId: string) =>
  tx<Budget[]>`
    select campaign_id, coupon_limit, coupons, minor_limit, minor
    from offers_budget where campaign_id = ${campaignId} for update`;
export const giveBack = (tx: Tx, campaignId: string, minor: bigint) =>
  tx`update offers_budget set minor = minor - ${minor} where campaign_id = ${campaignId}`;

/** Counts one coupon more for each of these people, each once in a call; those at the limit are not returned. */
export const countPeople = (tx: Tx, campaignId: string, limit: number, people: PersonKey[]) =>
  tx<{ personId: string }[]>`
    insert into offers_person as p (bucket, person_id, campaign_id, coupons)
    select bucket, person_id, ${campaignId}::uuid, 1 from unnest(
      ${people.map(({ bucket }) => bucket)}::smallint[],
      ${people.map(({ personId }) => personId)}::uuid[]) as n (bucket, person_id)
    order by person_id
    on conflict (bucket, person_id, campaign_id) do update set coupons = p.coupons + 1
    where p.coupons < ${limit}
    returning person_id`;
/** Takes the count back of people for whom the budget had nothing left. */
export const uncountPeople = (tx: Tx, campaignId: string, people: PersonKey[]) =>
  tx`
    update offers_person set coupons = coupons - 1
    where campaign_id = ${campaignId} and bucket = any(${people.map(({ bucket }) => bucket)}::smallint[])
      and person_id = any(${people.map(({ personId }) => personId)}::uuid[])`;

export type Coupon = PersonKey & {
  id: string;
  campaignId: string;
  state: CouponState;
  cause: string;
  heldMinor: bigint;
  issuedAt: Date;
  expiresAt: Date;
};
export async function addCoupons(tx: Tx, rows: (Coupon & { blind: Buffer })[]): Promise<void> {
  if (rows.length === 0) return;
  await tx`insert into offers_coupon ${tx(
    rows,
    "bucket",
    "personId",
    "id",
    "campaignId",
    "state",
    "cause",
    "heldMinor",
    "issuedAt",
    "expiresAt",
  )}`;
  await tx`insert into offers_code ${tx(
    rows.map(({ blind, bucket, personId, id }) => ({ blind, bucket, personId, couponId: id })),
  )}`;
}
/** Takes away coupons that this same transaction added: the budget was short, and nobody saw them. */
export async function dropCoupons(tx: Tx, rows: (Coupon & { blind: Buffer })[]): Promise<void> {
  await tx`delete from offers_code where blind in ${tx(rows.map(({ blind }) => blind))}`;
  await tx`
    delete from offers_coupon where bucket = any(${rows.map(({ bucket }) => bucket)}::smallint[])
      and person_id = any(${rows.map(({ personId }) => personId)}::uuid[])
      and id = any(${rows.map(({ id }) => id)}::uuid[])`;
}

export type Used = Coupon & {
  closedAt: Date | null;
  orderRef: string | null;
  orderMinor: bigint | null;
  discountMinor: bigint | null;
};
/** The coupon of a code, locked until the transaction ends: a second till waits here and then sees what became of it. */
export async function lockByCode(tx: Tx, blind: Buffer): Promise<Used | null> {
  const [way] = await tx<(PersonKey & { couponId: string })[]>`
    select bucket, person_id, coupon_id from offers_code where blind = ${blind}`;
  return way ? lockCoupon(tx, way, way.couponId) : null;
}
export async function lockCoupon(tx: Tx, person: PersonKey, id: string): Promise<Used | null> {
  const [coupon] = await tx<Used[]>`
    select bucket, person_id, id, campaign_id, state, cause, held_minor, issued_at, expires_at, closed_at,
      order_ref, order_minor, discount_minor
    from offers_coupon
    where bucket = ${person.bucket} and person_id = ${person.personId} and id = ${id} for update`;
  return coupon ?? null;
}
export const couponsOf = (reader: Reader, person: PersonKey) =>
  reader<Used[]>`
    select bucket, person_id, id, campaign_id, state, cause, held_minor, issued_at, expires_at, closed_at,
      order_ref, order_minor, discount_minor
    from offers_coupon where bucket = ${person.bucket} and person_id = ${person.personId}
    order by issued_at desc, id desc limit 200`;
/** Those of somebody that may still be used. */
export type Excess = { campaignId: string; coupons: number; perPerson: number };
/** Campaigns of which somebody has more than one person may have: they were several people. */
export const excessOf = (reader: Reader, { bucket, personId }: PersonKey) =>
  reader<Excess[]>`
    select p.campaign_id, p.coupons, c.per_person from offers_person p
    join offers_campaign c on c.id = p.campaign_id and p.coupons > c.per_person
    where p.bucket = ${bucket} and p.person_id = ${personId} order by c.at desc, c.id`;
/** How many people have more of a campaign than one person may have, and how many coupons that is too many. */
export async function excessIn(reader: Reader, campaignId: string) {
  const [row] = await reader<{ people: number; coupons: number }[]>`
    select count(*)::int as people, coalesce(sum(p.coupons - c.per_person), 0)::int as coupons
    from offers_campaign c
    join offers_person p on p.campaign_id = c.id and p.coupons > c.per_person
    where c.id = ${campaignId}`;
  return row!;
}
export const openOf = (reader: Reader, { bucket, personId }: PersonKey) =>
  reader<(PersonKey & { id: string; expiresAt: Date })[]>`
    select bucket, person_id, id, expires_at from offers_coupon
    where bucket = ${bucket} and person_id = ${personId} and state in ('issued', 'claimed')`;
export const couponsById = (reader: Reader, people: PersonKey[], ids: string[]) =>
  reader<Used[]>`
    select bucket, person_id, id, campaign_id, state, cause, held_minor, issued_at, expires_at, closed_at,
      order_ref, order_minor, discount_minor
    from offers_coupon where bucket = any(${people.map(({ bucket }) => bucket)}::smallint[])
      and person_id = any(${people.map(({ personId }) => personId)}::uuid[]) and id = any(${ids}::uuid[])`;

type Order = { at: Date; ref: string; amountMinor: bigint; discountMinor: bigint };
/** The one conditional update that spends a coupon; false where it is not there to be spent. */
export const spend = async (tx: Tx, coupon: Coupon, order: Order): Promise<boolean> => {
  const rows = await tx`
    update offers_coupon set state = 'redeemed', held_minor = 0, closed_at = ${order.at},
      order_ref = ${order.ref}, order_minor = ${order.amountMinor}, discount_minor = ${order.discountMinor}
    where bucket = ${coupon.bucket} and person_id = ${coupon.personId} and id = ${coupon.id}
      and state in ('issued', 'claimed') and expires_at > ${order.at}`;
  return rows.count === 1;
};
/** Ends coupons that were not used; returns what each held, for the budget to get back. */
export const close = (
  tx: Tx,
  to: "expired" | "revoked",
  at: Date,
  coupons: (PersonKey & { id: string })[],
) =>
  tx<{ campaignId: string; heldMinor: bigint }[]>`
    with held as (
      select bucket, person_id, id, campaign_id, held_minor from offers_coupon
      where bucket = any(${coupons.map(({ bucket }) => bucket)}::smallint[])
        and person_id = any(${coupons.map(({ personId }) => personId)}::uuid[])
        and id = any(${coupons.map(({ id }) => id)}::uuid[])
        and state in ('issued', 'claimed') and (${to} = 'revoked' or expires_at <= ${at})
      order by person_id, id for update
    )
    update offers_coupon c set state = ${to}, closed_at = ${at}, held_minor = 0 from held h
    where (c.bucket, c.person_id, c.id) = (h.bucket, h.person_id, h.id)
    returning h.campaign_id, h.held_minor`;

export const figures = (reader: Reader, campaignId: string) =>
  reader<{ state: CouponState; coupons: number; discountMinor: bigint; ordersMinor: bigint }[]>`
    select state, count(*)::int as coupons, coalesce(sum(discount_minor), 0)::bigint as discount_minor,
      coalesce(sum(order_minor), 0)::bigint as orders_minor
    from offers_coupon where campaign_id = ${campaignId} group by state`;

/** All coupons of one person; what they counted for stays in the budget as a sum, what they held goes back. Gives their ids. */
export async function eraseRows(tx: Tx, { bucket, personId }: PersonKey): Promise<string[]> {
  await tx`delete from offers_code where bucket = ${bucket} and person_id = ${personId}`;
  await tx`delete from offers_person where bucket = ${bucket} and person_id = ${personId}`;
  const gone = await tx<
    { id: string; campaignId: string; heldMinor: bigint; spentMinor: bigint }[]
  >`
    delete from offers_coupon where bucket = ${bucket} and person_id = ${personId}
    returning id, campaign_id, held_minor, coalesce(discount_minor, 0)::bigint as spent_minor`;
  for (const id of [...new Set(gone.map(({ campaignId }) => campaignId))].toSorted()) {
    const own = gone.filter(({ campaignId }) => campaignId === id);
    const held = own.reduce((sum, { heldMinor }) => sum + heldMinor, 0n);
    const spent = own.reduce((sum, { spentMinor }) => sum + spentMinor, 0n);
    await tx`
      update offers_budget set minor = minor - ${held}, erased_coupons = erased_coupons + ${own.length},
        erased_minor = erased_minor + case when minor_limit is null then 0 else ${spent}::bigint end
      where campaign_id = ${id}`;
  }
  return gone.map(({ id }) => id);
}

/** How many coupons of each campaign these people have had, counted anew. */
export async function addUpPeople(tx: Tx, people: readonly PersonKey[]): Promise<void> {
  for (const { bucket, personId } of people) {
    await tx`
      delete from offers_person p where bucket = ${bucket} and person_id = ${personId}
        and not exists (select from offers_coupon c
          where c.bucket = p.bucket and c.person_id = p.person_id and c.campaign_id = p.campaign_id)`;
    await tx`
      insert into offers_person as p (bucket, person_id, campaign_id, coupons)
      select bucket, person_id, campaign_id, count(*) from offers_coupon
      where bucket = ${bucket} and person_id = ${personId} group by 1, 2, 3
      on conflict (bucket, person_id, campaign_id) do update set coupons = excluded.coupons`;
  }
}
