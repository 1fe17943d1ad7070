create table offers_campaign (
  id uuid primary key,
  name jsonb not null, -- {zh, en}
  benefit jsonb not null, -- {kind: percent, valueBp, maxOffMinor} or {kind: amount, amountMinor}
  min_spend_minor bigint not null check (min_spend_minor >= 0),
  currency text not null,
  ttl_days int not null check (ttl_days > 0),
  per_person int not null check (per_person > 0),
  open boolean not null, -- may a person take one by themselves?
  held_minor bigint not null check (held_minor >= 0), -- what a coupon can cost at most; 0 where the budget is in coupons alone
  state text not null check (state in ('running', 'stopped')),
  at timestamptz not null -- shop clock
);
grant select, insert, update (state), delete on offers_campaign to liuke_app;

-- Shared and hot, so in a row of its own, taken last. `coupons` counts what was ever given out; `minor` is what was
-- taken off orders plus what is held for coupons that may still be used.
create table offers_budget (
  campaign_id uuid primary key,
  coupon_limit int,
  coupons int not null default 0 check (coupons >= 0),
  minor_limit bigint,
  minor bigint not null default 0 check (minor >= 0),
  -- Of erased people, so that the sum over the rows that are left still agrees.
  erased_coupons int not null default 0,
  erased_minor bigint not null default 0,
  check (coupon_limit is not null or minor_limit is not null),
  check (coupons <= coupon_limit),
  check (minor <= minor_limit)
);
grant select, insert, delete, update (coupons, minor, erased_coupons, erased_minor) on offers_budget to liuke_app;

-- How many a person has had of a campaign.
create table offers_person (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  campaign_id uuid not null,
  coupons int not null check (coupons >= 0),
  primary key (bucket, person_id, campaign_id)
);
grant select, insert, update (coupons), delete on offers_person to liuke_app;

create table offers_coupon (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  id uuid not null,
  campaign_id uuid not null,
  state text not null check (state in ('issued', 'claimed', 'redeemed', 'expired', 'revoked')),
  cause text not null, -- who or what gave it: an operator, an enrolment, the person
  held_minor bigint not null check (held_minor >= 0), -- given back once the coupon is used or gone
  issued_at timestamptz not null, -- shop clock
  expires_at timestamptz not null, -- shop clock; not good at this instant any more
  closed_at timestamptz, -- shop clock: used, expired or taken back
  order_ref text,
  order_minor bigint, -- before the coupon
  discount_minor bigint,
  primary key (bucket, person_id, id),
  check ((state = 'redeemed') = (order_ref is not null)),
  check ((state = 'redeemed') = (discount_minor is not null)),
  check ((state in ('issued', 'claimed')) = (closed_at is null))
);
create index offers_coupon_campaign on offers_coupon (campaign_id, state);
grant select, insert, delete,
  update (state, held_minor, closed_at, order_ref, order_minor, discount_minor) on offers_coupon to liuke_app;

-- Looked up by a value: the blind index of a code holds only the way. The code itself is stored nowhere: it is worked
-- out of the coupon's id with a key that is in no database.
create table offers_code (
  blind bytea primary key,
  bucket smallint not null,
  person_id uuid not null,
  coupon_id uuid not null
);
create index offers_code_person on offers_code (bucket, person_id);
grant select, insert, delete on offers_code to liuke_app;
