-- The tracking plan: what each source sends, by name and type. Values are never kept here, nor names that look like somebody.
-- An empty name stands for all beyond the limits of src/plan/rules.ts.
create table plan_event (
  source_id uuid not null,
  name text not null,
  first_at timestamptz not null, -- machine clock: when it was received
  last_at timestamptz not null,
  total bigint not null,
  blocked boolean not null default false, -- refused from now on
  planned jsonb, -- {property: {type, required}}; null: not planned
  primary key (source_id, name)
);
create table plan_day (
  source_id uuid not null,
  name text not null,
  day date not null, -- of receipt, where the shop is
  events bigint not null,
  looked bigint not null, -- events whose properties were looked at
  primary key (source_id, name, day)
);
create table plan_property (
  source_id uuid not null,
  name text not null,
  property text not null, -- a dotted path; "products[].price" for a list
  first_at timestamptz not null,
  last_at timestamptz not null,
  primary key (source_id, name, property)
);
create table plan_property_day (
  source_id uuid not null,
  name text not null,
  property text not null,
  day date not null,
  seen bigint not null, -- of the events looked at
  odd bigint not null, -- could not be what the vocabulary says
  types smallint not null, -- bits: 1 text, 2 number, 4 true or false, 8 list, 16 object, 32 nothing
  primary key (source_id, name, property, day)
);
create index plan_day_day on plan_day (day);
create index plan_property_day_day on plan_property_day (day);
grant select, insert, update, delete on plan_event, plan_day, plan_property, plan_property_day to liuke_app;
-- It reads the log on its own, so that nobody's profile waits for it.
insert into collect_consumer select bucket, 'plan', 1 from generate_series(0, 255) as bucket;
