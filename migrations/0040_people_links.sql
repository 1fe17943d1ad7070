-- Who is who: what joined nodes, what was refused, and what became of people who turned out to be one somebody.
-- The home of a node is the person that it is while it is alone; null: the one it was made with.
alter table people_node
  add column home_bucket smallint,
  add column home_id uuid,
  add column blocked boolean not null default false; -- a value that says nothing, such as "guest"
update people_node set home_bucket = person_bucket, home_id = person_id;
create index people_node_home on people_node (home_bucket, home_id);

-- Where somebody went who turned out to be another; what they were seen as waits here.
alter table people_way
  add column into_bucket smallint,
  add column into_id uuid,
  add column source_id uuid,
  add column seen_at timestamptz;
create index people_way_into on people_way (into_id) where into_id is not null;
grant update (into_bucket, into_id, source_id, seen_at) on people_way to liuke_app;

alter table people_field add column event_id uuid; -- that told it

create table people_link (
  bucket smallint not null check (bucket between 0 and 255), -- of the sender
  node_id uuid not null,
  other_bucket smallint not null,
  other_node_id uuid not null,
  event_id uuid not null, -- or the operator's act
  nth smallint not null, -- which of the event's links
  at timestamptz not null,
  kind text not null check (kind in ('identify', 'alias', 'bind', 'unbind', 'hand')),
  trusted boolean not null, -- said by a server of the shop's, or by an operator
  primary key (bucket, node_id, other_bucket, other_node_id, event_id)
);
create index people_link_other on people_link (other_bucket, other_node_id);
grant select, insert, delete on people_link to liuke_app;

create table people_refusal (
  bucket smallint not null check (bucket between 0 and 255),
  node_id uuid not null,
  other_bucket smallint not null,
  other_node_id uuid not null,
  event_id uuid not null,
  at timestamptz not null,
  reason text not null check (reason in ('blocked', 'two_people', 'limit', 'parted')),
  primary key (bucket, node_id, other_bucket, other_node_id, event_id)
);
create index people_refusal_other on people_refusal (other_bucket, other_node_id);
grant select, insert, delete on people_refusal to liuke_app;

create table people_merge (
  id uuid primary key,
  seq bigint generated always as identity,
  from_bucket smallint not null,
  from_id uuid not null,
  into_bucket smallint not null,
  into_id uuid not null,
  at timestamptz not null, -- shop clock
  cause uuid, -- the event, or the operator's act, by which it came about
  by text, -- the operator; null: an event
  state text not null check (state in ('merging', 'merged', 'parting', 'parted')),
  step smallint not null default 0,
  parted_at timestamptz
);
create index people_merge_from on people_merge (from_id);
create index people_merge_into on people_merge (into_id);
create index people_merge_open on people_merge (seq) where state in ('merging', 'parting');
grant select, insert, update, delete on people_merge to liuke_app;

-- What waits for the undoing of a merge: rows of the person who went, and what was done with those of the one who stayed.
create table people_parked (
  bucket smallint not null check (bucket between 0 and 255), -- of the person who went
  person_id uuid not null,
  merge_id uuid not null,
  place text not null,
  rows jsonb not null,
  primary key (bucket, person_id, merge_id, place)
);
grant select, insert, update, delete on people_parked to liuke_app;

-- Components of more than 10,000 links are worked out beside the log.
create table people_rework (
  bucket smallint not null check (bucket between 0 and 255),
  node_id uuid not null,
  asked_at timestamptz not null, -- machine clock
  primary key (bucket, node_id)
);
grant select, insert, delete on people_rework to liuke_app;

create table people_rules (
  single boolean primary key default true check (single),
  limits jsonb not null default '{}', -- {type: most}; what is missing is as usual
  blocked bytea[] not null default '{}' -- further values that say nothing, as blind indexes
);
insert into people_rules default values;
grant select, update (limits, blocked) on people_rules to liuke_app;

insert into lease (name) values ('people.resolve') on conflict do nothing;
