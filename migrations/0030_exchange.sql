-- Every kind of file comes in the same way. The mapping is kept with the import, so that a refused line can be mended and
-- read again as its file was read.
alter table collect_import
  add column kind text not null default 'orders',
  add column mapping text not null default '{}';
create index collect_import_source on collect_import (source_id, started_at);

-- A refused line that was mended and sent again is closed, with what became of it.
alter table collect_rejected
  add column closed_at timestamptz, -- machine clock
  add column outcome text check (outcome in ('accepted', 'double')),
  add column event_id uuid,
  add constraint collect_rejected_closed check ((closed_at is null) = (outcome is null));
grant update on collect_rejected to liuke_app;

-- What goes on around the shop: what others ask for the same goods, the weather, the days of the calendar. No persons.
create table exchange_market (
  kind text not null check (kind in ('competitor_price', 'weather', 'calendar')),
  place text not null, -- a city, or the sku that a price is asked for
  key text not null, -- whose price, which measure, which day's name
  at timestamptz not null, -- the instant, or the day's beginning where the shop is
  value text not null,
  unit text not null default '',
  source_id uuid not null,
  event_id uuid not null, -- told twice of one instant, the event with the higher (told_at, id) counts
  told_at timestamptz not null,
  seen_at timestamptz not null, -- machine clock
  primary key (kind, place, key, at)
);
grant select, insert, update, delete on exchange_market to liuke_app;

-- A projection that is being worked out anew, and how far it has come: whoever is killed goes on from there.
create table exchange_rebuild (
  id uuid primary key,
  what text not null check (what in ('people', 'columns')),
  from_at timestamptz, -- people: only those with events in [from_at, until_at)
  until_at timestamptz,
  stage text not null check (stage in ('waiting', 'clearing', 'working', 'done')),
  after_bucket smallint not null default -1, -- people up to here are done with
  after_id uuid not null default '00000000-0000-0000-0000-000000000000',
  done bigint not null default 0,
  total bigint not null default 0,
  asked_at timestamptz not null, -- machine clock
  finished_at timestamptz
);
create unique index exchange_rebuild_open on exchange_rebuild (what) where finished_at is null;
grant select, insert, update, delete on exchange_rebuild to liuke_app;
