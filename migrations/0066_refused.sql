-- What is refused is looked for by its event, and read again as it would have been read when it came.
alter table collect_rejected
  add column name text not null default '', -- of the event, where it could be read
  add column marks smallint not null default 0, -- what its coming says of it: flags of collect_event
  add column came_at timestamptz, -- shop's clock
  add column sent_at timestamptz; -- its client's clock
create index collect_rejected_open on collect_rejected (at, id) where closed_at is null;
create index collect_rejected_import on collect_rejected (import_id) where import_id is not null;
-- Lines of a file that the list had no room for.
alter table collect_import add column beyond bigint not null default 0;

-- One mending for all that is refused alike: tried first, begun when somebody says so, gone on with after a crash.
create table exchange_mending (
  id uuid primary key,
  filter text not null, -- JSON
  sealed bytea not null, -- the changes, as JSON: they may name people
  stage text not null check (stage in ('trying', 'tried', 'working', 'done', 'stopped')),
  after_at timestamptz, -- what was refused up to here is done with
  after_id uuid,
  total bigint not null default 0,
  done bigint not null default 0,
  accepted bigint not null default 0,
  doubles bigint not null default 0,
  refused bigint not null default 0,
  reasons text not null default '[]', -- JSON: why some are refused still, by reason and field
  asked_by text not null,
  asked_at timestamptz not null, -- machine clock; what is refused later is not among them
  finished_at timestamptz
);
create index exchange_mending_asked on exchange_mending (asked_at);
grant select, insert, update, delete on exchange_mending to liuke_app;

-- A file that is handed in to be imported. Its bytes are sealed, come in order, and go when it is done with.
create table exchange_file (
  id uuid primary key,
  name text not null,
  mark text not null, -- by which whoever hands it in knows it again
  bytes bigint not null,
  received bigint not null default 0,
  stage text not null check (stage in (
    'receiving', 'received', 'trying', 'tried', 'running', 'paused', 'done', 'cancelled', 'failed'
  )),
  kind text,
  mapping text, -- JSON
  source_id uuid,
  import_id uuid,
  read_bytes bigint not null default 0,
  lines bigint not null default 0, -- that were tried
  fit bigint not null default 0,
  found text not null default '{}', -- JSON: what a try found wrong, by reason and field, with numbers of lines
  fault text, -- a code: why it failed
  made_by text not null,
  made_at timestamptz not null, -- machine clock
  moved_at timestamptz not null,
  finished_at timestamptz
);
create index exchange_file_made on exchange_file (made_at);
grant select, insert, update, delete on exchange_file to liuke_app;
create table exchange_piece (
  file_id uuid not null,
  n int not null,
  bytes int not null,
  sealed bytea not null,
  primary key (file_id, n)
);
-- What is sealed cannot be made smaller.
alter table exchange_piece alter column sealed set storage external;
grant select, insert, delete on exchange_piece to liuke_app;
