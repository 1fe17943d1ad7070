import { answer, implement, type Route, type Scope } from "#kernel/endpoint.ts";
import { fail, ok, type Result } from "#kernel/result.ts";
import type { PersonKey, Reader } from "#kernel/sql.ts";
import * as people from "#people/service.ts";
import * as api from "./api.ts";
import { ruleText } from "./rules.ts";
import * as service from "./service.ts";
import * as store from "./store.ts";

/** A person's own token, and nothing else, speaks for the person. */
const self = (scope: Scope): Result<PersonKey, "request.forbidden"> =>
  scope.kind === "person" ? ok(scope.person) : fail("request.forbidden");
async function seen(
  reader: Reader,
  scope: Scope,
  personId: string,
): Promise<Result<PersonKey, "people.unknown" | "request.forbidden">> {
  if (scope.kind === "cases" && !scope.people.includes(personId)) return fail("request.forbidden");
  return people.find(reader, personId);
}

const shown = (campaign: store.Campaign, budgets: readonly store.Budget[]) => {
  const { couponLimit, coupons, minorLimit, minor } = budgets.find(
    ({ campaignId }) => campaignId === campaign.id,
  )!;
  const { id, name, currency, ttlDays, perPerson, open, state, at } = campaign;
  return {
    id,
    name,
    currency,
    ttlDays,
    perPerson,
    open,
    state,
    rule: ruleText(campaign),
    at: at.toISOString(),
    budget: { couponLimit, coupons, minorLimit, minor },
  };
};

export const routes: Route[] = [
  answer(api.list, async ({ house: { sql } }) => {
    const campaigns = await store.allCampaigns(sql);
    const budgets = await store.budgets(
      sql,
      campaigns.map(({ id }) => id),
    );
    return ok({ campaigns: campaigns.map((campaign) => shown(campaign, budgets)) });
  }),
  implement(api.create, (context, { benefit, minSpendMinor, ...rest }) =>
    service.create(context, { ...rest, benefit, minSpendMinor }),
  ),
  answer(api.one, async ({ house: { sql } }, { campaign: id }) => {
    const campaign = (await store.campaigns(sql, [id])).get(id);
    if (!campaign) return fail("offers.unknown");
    const [budgets, rows] = await Promise.all([store.budgets(sql, [id]), store.figures(sql, id)]);
    const figures = {
      issued: 0,
      claimed: 0,
      redeemed: 0,
      expired: 0,
      revoked: 0,
      ...Object.fromEntries(rows.map(({ state, coupons }) => [state, coupons])),
      excess: await store.excessIn(sql, id),
      discountMinor: rows.reduce((sum, row) => sum + row.discountMinor, 0n),
      ordersMinor: rows.reduce((sum, row) => sum + row.ordersMinor, 0n),
    };
    return ok({ ...shown(campaign, budgets), figures });
  }),
  implement(api.stop, service.stop),
  implement(api.issue, service.issueOne),
  implement(api.revoke, service.revoke),
  implement(api.redeem, service.redeem),
  answer(api.ofMember, async ({ house: { sql }, scope }, { person: personId }) => {
    const person = await seen(sql, scope, personId);
    if (!person.ok) return person;
    const [coupons, excess] = await Promise.all([
      store.couponsOf(sql, person.value),
      store.excessOf(sql, person.value),
    ]);
    const campaigns = await store.campaigns(
      sql,
      [...coupons, ...excess].map(({ campaignId }) => campaignId),
    );
    return ok({
      excess: excess.map(({ campaignId, ...counts }) => ({
        campaign: campaignId,
        name: campaigns.get(campaignId)!.name,
        ...counts,
      })),
      coupons: coupons.map((coupon) => {
        const campaign = campaigns.get(coupon.campaignId)!;
        const { id, state, cause, orderRef, discountMinor, closedAt } = coupon;
        return {
          coupon: id,
          state,
          cause,
          orderRef,
          discountMinor,
          campaign: campaign.id,
          name: campaign.name,
          currency: campaign.currency,
          rule: ruleText(campaign),
          issuedAt: coupon.issuedAt.toISOString(),
          expiresAt: coupon.expiresAt.toISOString(),
          redeemedAt: state === "redeemed" ? closedAt!.toISOString() : null,
        };
      }),
    });
  }),
  answer(api.myCoupons, async ({ house, scope, now }) => {
    const person = self(scope);
    if (!person.ok) return person;
    const coupons = await store.couponsOf(house.sql, person.value);
    const campaigns = await store.campaigns(
      house.sql,
      coupons.map(({ campaignId }) => campaignId),
    );
    return ok({
      coupons: coupons.map(({ id, campaignId, state, expiresAt }) => {
        const campaign = campaigns.get(campaignId)!;
        const over = (state === "issued" || state === "claimed") && expiresAt <= now;
        return {
          coupon: id,
          code: service.codeOfCoupon(house, id),
          name: campaign.name,
          rule: ruleText(campaign),
          currency: campaign.currency,
          state: over ? ("expired" as const) : state,
          expiresAt: expiresAt.toISOString(),
        };
      }),
    });
  }),
  implement(api.claim, async (context, { campaign }) => {
    const person = self(context.actor.scope);
    return person.ok ? service.claim(context, person.value, campaign) : person;
  }),
];
