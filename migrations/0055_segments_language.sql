-- A number of JSON as rules compare it: below 10^18 in size, as the double nearest to it; what is smaller than 1e-300 is 0.
create function segments_number(v jsonb) returns double precision
  language sql immutable parallel safe
  return case when jsonb_typeof(v) = 'number' then
    case when abs(v::numeric) >= 1000000000000000000 then null
      when abs(v::numeric) < 1e-300 then 0::double precision
      else v::double precision end end;

-- What somebody did, by name and time: windows are counted by it. Takes the place of the index on the node alone.
create index collect_event_did on collect_event (bucket, node_id, name, at) where node_id is not null;
drop index collect_event_node;
-- What everybody did of one name.
create index collect_event_name on collect_event (name, at) where node_id is not null;

-- Counts every change of what segments there are and what they ask: who has read the rules knows whether to read again.
create table segments_state (
  one boolean primary key default true check (one),
  generation bigint not null default 1
);
insert into segments_state default values;
grant select, update (generation) on segments_state to liuke_app;

-- What is asked of people by any segment, and who listens to whoever comes or goes.
create table segments_interest (
  kind text not null check (kind in ('event', 'attribute', 'tag', 'segment', 'person')),
  name text not null,
  segment_id uuid not null,
  primary key (kind, name, segment_id)
);
create index segments_interest_segment on segments_interest (segment_id);
grant select, insert, delete on segments_interest to liuke_app;

-- Who wants to be told of whoever comes and goes: of one segment, or (null) of any.
create table segments_listener (
  listener text not null, -- domain and what of it: "feeds:<id>"
  segment_id uuid not null, -- all zeros: any
  primary key (listener, segment_id)
);
grant select, insert, delete on segments_listener to liuke_app;

-- Whom to look at again, and because of what. Written by the triggers below beside the change, read away by the worker.
create table segments_touched (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  id bigint generated always as identity,
  kind text not null, -- attribute, tag, person
  name text not null,
  cause_kind text, -- a line of the tag log, or an event
  cause uuid,
  primary key (bucket, person_id, id)
);
grant select, insert, update, delete on segments_touched to liuke_app;
-- Of whom the columns know less than we do.
create table segments_stale (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  id bigint generated always as identity,
  primary key (bucket, person_id, id)
);
grant select, insert, update, delete on segments_stale to liuke_app;
create sequence segments_version;
grant usage on sequence segments_version to liuke_app;

create function segments_profile_changed() returns trigger language plpgsql as $$
begin
  insert into segments_stale (bucket, person_id)
    select bucket, person_id from now_is order by bucket, person_id;
  if exists (select from segments_interest where kind = 'attribute') then
    if tg_op = 'INSERT' then
      insert into segments_touched (bucket, person_id, kind, name)
        select n.bucket, n.person_id, 'attribute', a.key
        from now_is n, jsonb_object_keys(n.attributes) a(key)
        where exists (select from segments_interest i where i.kind = 'attribute' and i.name = a.key);
    else
      insert into segments_touched (bucket, person_id, kind, name)
        select n.bucket, n.person_id, 'attribute', a.key
        from now_is n
        join was w on w.bucket = n.bucket and w.person_id = n.person_id,
          jsonb_each(n.attributes) a
        where a.value->'v' is distinct from w.attributes->a.key->'v'
          and exists (select from segments_interest i where i.kind = 'attribute' and i.name = a.key)
        union
        select w.bucket, w.person_id, 'attribute', a.key
        from was w
        join now_is n on w.bucket = n.bucket and w.person_id = n.person_id,
          jsonb_each(w.attributes) a
        where not n.attributes ? a.key
          and exists (select from segments_interest i where i.kind = 'attribute' and i.name = a.key);
    end if;
  end if;
  return null;
end $$;
create trigger segments_profile_insert after insert on people_profile
  referencing new table as now_is for each statement execute function segments_profile_changed();
create trigger segments_profile_update after update on people_profile
  referencing old table as was new table as now_is for each statement execute function segments_profile_changed();

create function segments_tag_changed() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then
    insert into segments_stale (bucket, person_id) select distinct bucket, person_id from was;
    insert into segments_touched (bucket, person_id, kind, name)
      select w.bucket, w.person_id, 'tag', w.tag from was w
      where exists (select from segments_interest i where i.kind = 'tag' and i.name = w.tag);
  elsif tg_op = 'INSERT' then
    insert into segments_stale (bucket, person_id) select distinct bucket, person_id from now_is;
    insert into segments_touched (bucket, person_id, kind, name, cause_kind, cause)
      select n.bucket, n.person_id, 'tag', n.tag, 'tag', n.log_id from now_is n
      where exists (select from segments_interest i where i.kind = 'tag' and i.name = n.tag);
  else
    insert into segments_stale (bucket, person_id)
      select distinct n.bucket, n.person_id from now_is n
      join was w on (w.bucket, w.person_id, w.tag) = (n.bucket, n.person_id, n.tag)
      where (n.value, n.expires_at) is distinct from (w.value, w.expires_at);
    insert into segments_touched (bucket, person_id, kind, name, cause_kind, cause)
      select n.bucket, n.person_id, 'tag', n.tag, 'tag', n.log_id from now_is n
      join was w on (w.bucket, w.person_id, w.tag) = (n.bucket, n.person_id, n.tag)
      where (n.value, n.expires_at) is distinct from (w.value, w.expires_at)
        and exists (select from segments_interest i where i.kind = 'tag' and i.name = n.tag);
  end if;
  return null;
end $$;
create trigger segments_tag_insert after insert on people_tag
  referencing new table as now_is for each statement execute function segments_tag_changed();
create trigger segments_tag_update after update on people_tag
  referencing old table as was new table as now_is for each statement execute function segments_tag_changed();
create trigger segments_tag_delete after delete on people_tag
  referencing old table as was for each statement execute function segments_tag_changed();

-- A new person is asked once by every segment that somebody of whom nothing is known may be in.
create function segments_person_changed() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then
    insert into segments_stale (bucket, person_id) select bucket, person_id from was;
  else
    insert into segments_stale (bucket, person_id) select bucket, person_id from now_is;
    if exists (select from segments_interest where kind = 'person') then
      insert into segments_touched (bucket, person_id, kind, name)
        select bucket, person_id, 'person', '' from now_is;
    end if;
  end if;
  return null;
end $$;
create trigger segments_person_insert after insert on people_person
  referencing new table as now_is for each statement execute function segments_person_changed();
create trigger segments_person_delete after delete on people_person
  referencing old table as was for each statement execute function segments_person_changed();

create function segments_span_changed() returns trigger language plpgsql as $$
begin
  if tg_op <> 'INSERT' then
    insert into segments_stale (bucket, person_id) select distinct person_bucket, person_id from was;
  end if;
  if tg_op <> 'DELETE' then
    insert into segments_stale (bucket, person_id)
      select distinct person_bucket, person_id from now_is;
  end if;
  return null;
end $$;
create trigger segments_span_insert after insert on people_span
  referencing new table as now_is for each statement execute function segments_span_changed();
create trigger segments_span_update after update on people_span
  referencing old table as was new table as now_is for each statement execute function segments_span_changed();
create trigger segments_span_delete after delete on people_span
  referencing old table as was for each statement execute function segments_span_changed();

-- Everybody there is already.
insert into segments_stale (bucket, person_id) select bucket, person_id from people_person;

-- A list as it was at one instant.
create table segments_snapshot (
  id uuid primary key,
  segment_id uuid not null,
  name text not null,
  rule jsonb not null,
  version int not null,
  taken_at timestamptz not null, -- shop clock
  people int not null
);
create index segments_snapshot_segment on segments_snapshot (segment_id, taken_at);
create table segments_snapshot_member (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  snapshot_id uuid not null,
  primary key (bucket, person_id, snapshot_id)
);
create index segments_snapshot_member_list on segments_snapshot_member (snapshot_id, bucket, person_id);
grant select, insert, delete on segments_snapshot, segments_snapshot_member to liuke_app;
