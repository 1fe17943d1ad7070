-- A company is its group id within a source, and is never merged with another.
create table companies_company (
  id uuid primary key, -- of source and group id, so that it is known before anything is asked
  source_id uuid not null,
  ref text not null, -- the group id
  name text, -- a company's name is not a person's
  -- {name: {v: value, s: source, at, id: event, c: confidence 0 to 1}}; what names or reaches a person is not in it.
  profile jsonb not null default '{}',
  seen_at timestamptz not null,
  unique (source_id, ref)
);
grant select, insert, update, delete on companies_company to liuke_app;
create table companies_external (
  source_id uuid not null,
  type text not null, -- tax_id, duns, crm …
  value text not null,
  company_id uuid not null,
  primary key (source_id, type, value)
);
create index companies_external_company on companies_external (company_id);
grant select, insert, delete on companies_external to liuke_app;
-- How the people there are reached: sealed under the key of the node that told it, and gone with that person.
create table companies_contact (
  company_id uuid not null,
  field text not null,
  node_bucket smallint not null,
  node_id uuid not null,
  sealed bytea not null,
  at timestamptz not null,
  event_id uuid not null,
  primary key (company_id, field)
);
create index companies_contact_node on companies_contact (node_bucket, node_id);
grant select, insert, update, delete on companies_contact to liuke_app;

-- What a node's events say of its belonging; written once. Membership is worked out from it.
create table companies_fact (
  bucket smallint not null check (bucket between 0 and 255),
  node_id uuid not null,
  company_id uuid not null,
  id uuid not null, -- the event
  act text not null check (act in ('joined', 'left')),
  roles text[] not null,
  at timestamptz not null,
  primary key (bucket, node_id, company_id, id)
);
grant select, insert, delete on companies_fact to liuke_app;
create table companies_member (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  company_id uuid not null,
  role text not null,
  since timestamptz not null, -- inclusive
  until timestamptz, -- exclusive; null: still
  primary key (bucket, person_id, company_id, role, since)
);
create index companies_member_company on companies_member (company_id);
grant select, insert, update, delete on companies_member to liuke_app;
-- What a member bought for the company: orders of the time in which they belonged to it.
create table companies_spend (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  company_id uuid not null,
  currency text not null,
  orders int not null,
  spent_minor bigint not null, -- refunds taken off
  last_order_at timestamptz,
  primary key (bucket, person_id, company_id, currency)
);
create index companies_spend_company on companies_spend (company_id);
grant select, insert, update, delete on companies_spend to liuke_app;
create table companies_figure (
  company_id uuid primary key,
  members int not null default 0, -- who belong to it now
  orders bigint not null default 0,
  spent_minor bigint not null default 0, -- in this currency, the shop's
  currency text not null,
  last_order_at timestamptz
);
grant select, insert, update, delete on companies_figure to liuke_app;

create table companies_tag (
  company_id uuid not null,
  tag text not null,
  value text not null,
  kind text not null check (kind in ('rule', 'statistic', 'model', 'hand')),
  source text not null,
  reason jsonb not null,
  confidence real not null default 1,
  at timestamptz not null, -- shop clock
  expires_at timestamptz,
  primary key (company_id, tag)
);
create table companies_tag_log (
  company_id uuid not null,
  id uuid not null,
  tag text not null,
  before text,
  after text, -- null: taken away
  kind text not null,
  source text not null,
  reason jsonb not null,
  at timestamptz not null, -- shop clock
  primary key (company_id, id)
);
grant select, insert, update, delete on companies_tag, companies_tag_log to liuke_app;

-- What somebody may do for their company. Codes are the shop's own; these are where it begins.
create table companies_role (
  code text primary key,
  zh text not null,
  en text not null
);
insert into companies_role values
  ('member', '成员', 'Member'), ('buyer', '采购', 'Buyer'), ('approver', '审批', 'Approver'),
  ('finance', '财务', 'Finance'), ('admin', '管理员', 'Admin');
grant select, insert, update on companies_role to liuke_app;
