-- An event may say truthfully that several identifiers are one somebody: its sender's node and these further ones.
alter table collect_event
  add column link_buckets smallint[],
  add column link_ids uuid[],
  -- 1 bot, 2 staff, 4 sent without a key of its own, 8 late, 16 clock corrected, 32 sent again after mending, 64 a claim
  add column flags smallint not null default 0,
  add constraint collect_event_links check (
    (link_ids is null) = (link_buckets is null)
    and (link_ids is null or cardinality(link_ids) = cardinality(link_buckets))
  );

-- A device on which several people signed in is each one's for a span of its events, in the order of (at, id).
alter table people_node add column split boolean not null default false;
create table people_span (
  bucket smallint not null check (bucket between 0 and 255),
  node_id uuid not null,
  from_at timestamptz not null, -- inclusive, with from_id
  from_id uuid not null,
  until_at timestamptz not null, -- exclusive, with until_id
  until_id uuid not null,
  person_bucket smallint not null,
  person_id uuid not null,
  primary key (bucket, node_id, from_at, from_id)
);
create index people_span_person on people_span (person_bucket, person_id);
grant select, insert, update, delete on people_span to liuke_app;

-- Whose a node is, over which of its events.
create view people_owner as
  select bucket, node_id, '-infinity'::timestamptz as from_at,
    '00000000-0000-0000-0000-000000000000'::uuid as from_id, 'infinity'::timestamptz as until_at,
    'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid as until_id, person_bucket, person_id
  from people_node where not split
  union all
  select bucket, node_id, from_at, from_id, until_at, until_id, person_bucket, person_id
  from people_span;
grant select on people_owner to liuke_app;
