import type { Reader } from "#kernel/sql.ts";

/**
 * Invariant I5: campaigns whose budget is exceeded or is not what their coupons add up to, and people who have more
 * than one person may. Whole and in order, there is none.
 */
export const broken = (reader: Reader) =>
  reader<{ campaignId: string; rule: string }[]>`
    select b.campaign_id, 'budget' as rule from offers_budget b
    left join lateral (
      select count(*) as coupons, coalesce(sum(held_minor), 0) as held,
        coalesce(sum(discount_minor), 0) as spent
      from offers_coupon c where c.campaign_id = b.campaign_id
    ) c on true
    where b.coupons <> c.coupons + b.erased_coupons
      or b.minor <> c.held + b.erased_minor + case when b.minor_limit is null then 0 else c.spent end
      or b.coupons > b.coupon_limit or b.minor > b.minor_limit
    union all
    select p.campaign_id, 'person' from offers_person p
    join offers_campaign m on m.id = p.campaign_id
    left join lateral (
      select count(*) as coupons from offers_coupon c
      where c.bucket = p.bucket and c.person_id = p.person_id and c.campaign_id = p.campaign_id
    ) c on true
    where p.coupons > m.per_person or p.coupons <> c.coupons`;
