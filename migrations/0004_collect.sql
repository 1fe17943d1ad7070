-- Where events come from. A server's key may say everything; a public one (browser, app) behaviour only.
create table collect_source (
  id uuid primary key,
  name text not null unique,
  kind text not null check (kind in ('server', 'public', 'import')),
  demo boolean not null default false,
  created_at timestamptz not null -- machine clock
);
grant select, insert, update, delete on collect_source to liuke_app;

-- The raw log. An offset is given under the row of its bucket, last before commit, so that offsets become
-- visible in their own order: an identity column would not do that.
create table collect_event (
  bucket smallint not null check (bucket between 0 and 255),
  "offset" bigint not null,
  id uuid not null, -- of source and message key: the same event has the same id wherever it is sent again
  source_id uuid not null,
  node_id uuid, -- the sending identifier; null where the shop speaks of nobody
  name text not null,
  at timestamptz not null, -- when it happened
  received_at timestamptz not null, -- machine clock
  data jsonb not null, -- derived fields only
  sealed bytea, -- every direct field of the event as one value under its node's key
  primary key (bucket, "offset")
);
create index collect_event_node on collect_event (bucket, node_id) where node_id is not null;
grant select, insert, delete on collect_event to liuke_app;

create table collect_offset (
  bucket smallint primary key check (bucket between 0 and 255),
  next bigint not null
);
insert into collect_offset select bucket, 1 from generate_series(0, 255) as bucket;
grant select, update (next) on collect_offset to liuke_app;

-- Message keys are a table of their own, kept 35 days: the log is cut by time and has no global unique key.
create table collect_message_key (
  id uuid primary key,
  at timestamptz not null -- machine clock
);
create index collect_message_key_at on collect_message_key (at);
grant select, insert, delete on collect_message_key to liuke_app;

-- How far a consumer of the log has come, saved in the transaction of what it did.
create table collect_consumer (
  bucket smallint not null check (bucket between 0 and 255),
  consumer text not null,
  next bigint not null,
  primary key (bucket, consumer)
);
insert into collect_consumer select bucket, 'people', 1 from generate_series(0, 255) as bucket;
grant select, update (next) on collect_consumer to liuke_app;

-- What ClickHouse gets: a batch of offset ranges, written down before it is sent.
create table collect_batch (
  id bigint generated always as identity primary key,
  target text not null,
  buckets smallint[] not null,
  froms bigint[] not null, -- inclusive
  tos bigint[] not null, -- inclusive
  rows bigint not null,
  attempt int not null default 1,
  state text not null check (state in ('cut', 'sent', 'checkpoint'))
);
create index collect_batch_open on collect_batch (id) where state <> 'checkpoint';
create table collect_cut (
  bucket smallint not null check (bucket between 0 and 255),
  target text not null,
  next bigint not null,
  primary key (bucket, target)
);
insert into collect_cut select bucket, 'event', 1 from generate_series(0, 255) as bucket;
grant select, insert, update, delete on collect_batch to liuke_app;
grant select, update (next) on collect_cut to liuke_app;

-- What came in and could not be taken, with its number and the reason; the payload is sealed.
create table collect_rejected (
  id uuid primary key,
  source_id uuid not null,
  import_id uuid,
  line bigint, -- its number in the file
  reason text not null, -- a code
  field text,
  sealed bytea not null,
  at timestamptz not null -- machine clock
);
create index collect_rejected_source on collect_rejected (source_id, at);
create index collect_rejected_at on collect_rejected (at);
grant select, insert, delete on collect_rejected to liuke_app;

create table collect_import (
  id uuid primary key,
  source_id uuid not null,
  digest bytea not null, -- SHA-256 of the file
  from_at timestamptz, -- only lines that happened in [from_at, until_at)
  until_at timestamptz,
  line bigint not null default 0, -- lines read and done with
  accepted bigint not null default 0,
  rejected bigint not null default 0,
  outside bigint not null default 0, -- lines outside the window
  doubles bigint not null default 0, -- lines that were there already
  finished_at timestamptz,
  started_at timestamptz not null
);
grant select, insert, update, delete on collect_import to liuke_app;
