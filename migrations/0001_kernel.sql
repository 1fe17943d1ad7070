-- The program's own role, liuke_app, owns no table: it may add to what must not change, and alter none of it.

-- Looked up by a value, so unique by it, in a narrow table distributed by the hash of `key`. Kept 7 days.
create table idempotency (
  key text not null,
  actor text not null,
  endpoint text not null,
  request bytea not null, -- SHA-256 of what was asked: the same key with another body is an error
  answer jsonb, -- null once committed: the answer held a secret and was shown once
  at timestamptz not null, -- machine clock
  primary key (key, actor, endpoint)
);
create index idempotency_at on idempotency (at);
grant select, insert, update (answer), delete on idempotency to liuke_app;

create table audit (
  id bigint generated always as identity primary key,
  at timestamptz not null, -- machine clock
  actor text not null,
  endpoint text not null,
  target jsonb not null, -- ids only: no direct personal field stands here in clear
  outcome text not null,
  request_id uuid,
  line uuid not null, -- the line's own id, given where it was made: a copy of a line has the same one
  mac bytea not null -- HMAC-SHA-256 of all the above but id, under a key that is in no database
);
grant select, insert on audit to liuke_app;

create table outbox (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  id uuid not null,
  name text not null,
  data jsonb not null, -- ids, figures and codes only
  at timestamptz not null, -- shop clock
  attempts smallint not null default 0,
  next_at timestamptz not null default now(), -- machine clock
  dead_at timestamptz,
  primary key (bucket, person_id, id)
);
create index outbox_due on outbox (bucket, next_at) where dead_at is null;
grant select, insert, delete, update (attempts, next_at, dead_at) on outbox to liuke_app;

create table timer (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  kind text not null,
  key text not null,
  due_at timestamptz not null, -- of the clock that its kind goes by
  data jsonb not null,
  attempts smallint not null default 0,
  failed_at timestamptz, -- machine clock
  primary key (bucket, person_id, kind, key)
);
create index timer_due on timer (kind, bucket, due_at);
grant select, insert, update, delete on timer to liuke_app;

create table lease (
  name text primary key,
  holder text,
  until timestamptz,
  fence bigint not null default 0
);
grant select, insert, update on lease to liuke_app;

-- Whoever works on people of a bucket holds its row until commit, so that two workers never wait for each other.
create table worker_bucket (
  bucket smallint primary key check (bucket between 0 and 255)
);
insert into worker_bucket select bucket from generate_series(0, 255) as bucket;
grant select, update on worker_bucket to liuke_app;

-- One row: what the shop's clock shows. `real` follows the machine's; `hand` stands until it is moved.
create table shop_clock (
  single boolean primary key default true check (single),
  mode text not null check (mode in ('real', 'hand')),
  at timestamptz, -- where the hand stands
  check ((mode = 'hand') = (at is not null))
);
insert into shop_clock (mode) values ('real');
grant select, update (mode, at) on shop_clock to liuke_app;

-- What the installation is, set once: the master key's check value, the shop's time zone and currency.
create table installation (
  name text primary key,
  value jsonb not null
);
grant select, insert, update, delete on installation to liuke_app;
