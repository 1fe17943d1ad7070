-- How a source speaks, what it may, and what became of what it sent.
alter table collect_source
  add column protocol text not null default 'liuke',
  add column shares uuid, -- the source whose numbers of people are this one's too; null: its own
  add column disabled boolean not null default false,
  add column settings bytea; -- sealed: they may name people and networks; null: as a new source has them
alter table collect_source add constraint collect_source_protocol check (protocol in (
  'liuke', 'segment', 'rudderstack', 'customerio', 'posthog', 'jitsu', 'snowplow', 'dittofeed', 'sensors', 'cloudevents'
));

-- Every refusal is counted at its source, also one of which nothing is kept.
create table collect_refused (
  source_id uuid not null,
  day date not null, -- UTC, of the machine's clock
  reason text not null,
  refused bigint not null,
  primary key (source_id, day, reason)
);
grant select, insert, update, delete on collect_refused to liuke_app;

-- What the rejected list took of a day, and how many it had no room for.
create table collect_kept (
  source_id uuid not null,
  day date not null,
  rows int not null,
  bytes bigint not null,
  beyond bigint not null,
  primary key (source_id, day)
);
grant select, insert, update, delete on collect_kept to liuke_app;

-- The last thing that went wrong with a source.
create table collect_fault (
  source_id uuid primary key,
  reason text not null,
  field text not null,
  at timestamptz not null -- machine clock
);
grant select, insert, update, delete on collect_fault to liuke_app;

-- Requests whose key is none of ours: a count, and nothing of what they brought.
create table doors_unknown (
  day date not null, -- UTC, of the machine's clock
  reason text not null check (reason in ('no_key', 'unknown_key')),
  requests bigint not null,
  primary key (day, reason)
);
grant select, insert, update, delete on doors_unknown to liuke_app;
