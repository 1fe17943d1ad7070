-- Addresses of the shop's other systems, which are told what happened.
create table feeds_webhook (
  id uuid primary key,
  name text not null,
  url text not null,
  format text not null check (format in ('webhook', 'structured', 'binary')),
  signature text not null check (signature in ('v1', 'v1a')),
  types text[] not null, -- names of events
  segment_id uuid, -- only what happens to its members; null: to anybody
  state text not null check (state in ('on', 'off', 'deleted')),
  reason text check (reason in ('operator', 'gone', 'failing')), -- why it is off
  made_at timestamptz not null, -- machine clock, as all times of deliveries
  failing_since timestamptz, -- the first failure that no success came after
  taken_at timestamptz, -- about the last success, to a minute
  rest_until timestamptz, -- the other side asked for a pause
  check ((state = 'off') = (reason is not null))
);
grant select, insert, update on feeds_webhook to liuke_app;

-- What a webhook's messages are signed with. While one is being exchanged, both sign.
create table feeds_secret (
  id uuid primary key,
  webhook_id uuid not null,
  sealed bytea not null,
  public_key text, -- of an ed25519 pair
  made_at timestamptz not null,
  until timestamptz -- of one that was exchanged
);
create index feeds_secret_webhook on feeds_secret (webhook_id);
grant select, insert, update (until), delete on feeds_secret to liuke_app;

-- One row: whether the feed is kept, the position that comes next and the oldest that is there. Held while positions are
-- given, last before commit, so that they become visible in their order.
create table feeds_feed (
  single boolean primary key default true check (single),
  kept boolean not null default false,
  next bigint not null default 1,
  oldest bigint not null default 1
);
insert into feeds_feed default values;
grant select, update (kept, next, oldest) on feeds_feed to liuke_app;

-- What was told, or is in the feed: ids, figures and codes only. Kept 30 days.
create table feeds_event (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  id uuid not null, -- of the outbox: a receiver knows a double by it
  type text not null,
  at timestamptz not null, -- shop clock
  recorded_at timestamptz not null, -- machine clock
  position bigint, -- in the feed; null where none was kept
  data jsonb not null,
  primary key (bucket, person_id, id)
);
create index feeds_event_position on feeds_event (position) where position is not null;
create index feeds_event_recorded on feeds_event (recorded_at);
grant select, insert, delete on feeds_event to liuke_app;

create table feeds_delivery (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  event_id uuid not null,
  webhook_id uuid not null,
  state text not null default 'waiting' check (state in ('waiting', 'taken', 'failed')),
  attempts smallint not null default 0,
  next_at timestamptz not null, -- when it is due; while it is on its way, when its sender is given up
  made_at timestamptz not null,
  done_at timestamptz,
  status smallint, -- of the last answer
  code text, -- why there was none
  primary key (bucket, person_id, event_id, webhook_id)
);
create index feeds_delivery_due on feeds_delivery (webhook_id, next_at) where state = 'waiting';
create index feeds_delivery_failed on feeds_delivery (webhook_id, made_at) where state = 'failed';
create index feeds_delivery_page on feeds_delivery (webhook_id, event_id); -- in order of their making
create index feeds_delivery_made on feeds_delivery (made_at);
grant select, insert, update (state, attempts, next_at, done_at, status, code), delete
  on feeds_delivery to liuke_app;

create table feeds_attempt (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  event_id uuid not null,
  webhook_id uuid not null,
  id uuid not null,
  at timestamptz not null,
  ms int not null,
  status smallint,
  code text,
  body bytea, -- of the answer: of a failure up to 64 KiB, of a success 2
  cut boolean not null default false, -- there was more
  primary key (bucket, person_id, event_id, webhook_id, id)
);
create index feeds_attempt_at on feeds_attempt (at);
grant select, insert, delete on feeds_attempt to liuke_app;
