-- Whom a segment's rule is about: people, or companies. Never changes.
alter table segments_segment add column level text not null default 'person'
  check (level in ('person', 'company'));

-- A sample takes basis points: hundredths of a percent, whole ones.
create function segments_in_basis_points(r jsonb) returns jsonb language sql immutable as $$
  select case
    when r->>'kind' = 'sample' and r ? 'percent' then
      (r - 'percent') || jsonb_build_object('basisPoints', round((r->>'percent')::numeric * 100))
    when jsonb_typeof(r->'of') = 'array' then
      r || jsonb_build_object('of', (
        select jsonb_agg(segments_in_basis_points(one.value) order by one.ordinality)
        from jsonb_array_elements(r->'of') with ordinality one))
    when jsonb_typeof(r->'of') = 'object' then
      r || jsonb_build_object('of', segments_in_basis_points(r->'of'))
    else r end $$;
update segments_segment set rule = segments_in_basis_points(rule) where rule::text like '%"sample"%';
update segments_snapshot set rule = segments_in_basis_points(rule) where rule::text like '%"sample"%';
drop function segments_in_basis_points;

alter table segments_interest drop constraint segments_interest_kind_check;
alter table segments_interest add constraint segments_interest_kind_check
  check (kind in ('event', 'attribute', 'tag', 'segment', 'person', 'company'));

-- What a rule may ask of a company: its profile, and its figures under their names.
create view segments_company_profile as
select c.id as company_id, c.profile || jsonb_build_object(
    'members', jsonb_build_object('v', coalesce(f.members, 0)),
    'orders', jsonb_build_object('v', coalesce(f.orders, 0)),
    'spent_minor', jsonb_build_object('v', coalesce(f.spent_minor, 0)),
    'last_order_at', jsonb_build_object('v',
      to_char(f.last_order_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')))
  as attributes
from companies_company c left join companies_figure f on f.company_id = c.id;
grant select on segments_company_profile to liuke_app;

create table segments_company_member (
  company_id uuid not null,
  segment_id uuid not null,
  since timestamptz not null, -- shop clock
  cause_kind text check (cause_kind in ('tag', 'event')), -- a line of a tag log, or an event
  cause uuid,
  primary key (company_id, segment_id),
  check ((cause_kind is null) = (cause is null))
);
create index segments_company_member_segment on segments_company_member (segment_id, company_id);
create table segments_company_log (
  company_id uuid not null,
  id uuid not null,
  segment_id uuid not null,
  version int not null, -- of the rule that let it in or out
  change text not null check (change in ('entered', 'left')),
  cause_kind text check (cause_kind in ('tag', 'event')),
  cause uuid,
  at timestamptz not null, -- shop clock
  primary key (company_id, id)
);
create index segments_company_log_segment on segments_company_log (segment_id, at);
create table segments_snapshot_company (
  snapshot_id uuid not null,
  company_id uuid not null,
  primary key (snapshot_id, company_id)
);
grant select, insert, update, delete
  on segments_company_member, segments_company_log, segments_snapshot_company to liuke_app;

-- Which companies to look at again, and because of what; and of which the columns know less than we do.
create table segments_company_touched (
  company_id uuid not null,
  id bigint generated always as identity,
  cause_kind text,
  cause uuid,
  primary key (company_id, id)
);
create table segments_company_stale (
  company_id uuid not null,
  id bigint generated always as identity,
  primary key (company_id, id)
);
grant select, insert, update, delete on segments_company_touched, segments_company_stale to liuke_app;

-- What changed of a company, or of who belongs to it; what is written as it was is no change.
create function segments_company_changed() returns trigger language plpgsql as $$
declare
  ids uuid[];
begin
  if tg_table_name = 'companies_company' then
    if tg_op = 'UPDATE' then
      select array_agg(n.id) into ids from changed n join was w on w.id = n.id
        where n.profile is distinct from w.profile;
    else
      select array_agg(id) into ids from changed;
    end if;
  elsif tg_op <> 'UPDATE' then
    select array_agg(distinct company_id) into ids from changed;
  elsif tg_table_name = 'companies_figure' then
    select array_agg(n.company_id) into ids from changed n join was w on w.company_id = n.company_id
      where (n.members, n.orders, n.spent_minor, n.last_order_at)
        is distinct from (w.members, w.orders, w.spent_minor, w.last_order_at);
  else
    select array_agg(distinct n.company_id) into ids from changed n
      join was w on w.company_id = n.company_id and w.tag = n.tag
      where (n.value, n.expires_at) is distinct from (w.value, w.expires_at);
  end if;
  insert into segments_company_stale (company_id) select unnest(ids);
  if exists (select from segments_interest where kind = 'company') then
    insert into segments_company_touched (company_id) select unnest(ids);
  end if;
  return null;
end $$;
create function segments_belonging_changed() returns trigger language plpgsql as $$
begin
  insert into segments_stale (bucket, person_id) select distinct bucket, person_id from changed;
  if exists (select from segments_interest where kind = 'company') then
    insert into segments_touched (bucket, person_id, kind, name)
      select distinct bucket, person_id, 'company', '' from changed;
    insert into segments_company_touched (company_id) select distinct company_id from changed;
  end if;
  return null;
end $$;
create trigger segments_member_insert after insert on companies_member
  referencing new table as changed for each statement execute function segments_belonging_changed();
create trigger segments_member_update after update on companies_member
  referencing new table as changed for each statement execute function segments_belonging_changed();
create trigger segments_member_delete after delete on companies_member
  referencing old table as changed for each statement execute function segments_belonging_changed();
create trigger segments_company_insert after insert on companies_company
  referencing new table as changed for each statement execute function segments_company_changed();
create trigger segments_company_update after update on companies_company
  referencing old table as was new table as changed
  for each statement execute function segments_company_changed();
create trigger segments_company_delete after delete on companies_company
  referencing old table as changed for each statement execute function segments_company_changed();
create trigger segments_figure_insert after insert on companies_figure
  referencing new table as changed for each statement execute function segments_company_changed();
create trigger segments_figure_update after update on companies_figure
  referencing old table as was new table as changed
  for each statement execute function segments_company_changed();
create trigger segments_tag_insert after insert on companies_tag
  referencing new table as changed for each statement execute function segments_company_changed();
create trigger segments_tag_update after update on companies_tag
  referencing old table as was new table as changed
  for each statement execute function segments_company_changed();
create trigger segments_tag_delete after delete on companies_tag
  referencing old table as changed for each statement execute function segments_company_changed();
-- The line of the log is written beside the change: it says what brought it about.
create function segments_company_tagged() returns trigger language plpgsql as $$
begin
  if exists (select from segments_interest where kind = 'company') then
    insert into segments_company_touched (company_id, cause_kind, cause)
      select company_id, 'tag', id from changed;
  end if;
  return null;
end $$;
create trigger segments_tag_told after insert on companies_tag_log
  referencing new table as changed for each statement execute function segments_company_tagged();

insert into segments_company_stale (company_id) select id from companies_company;
insert into segments_stale (bucket, person_id) select distinct bucket, person_id from companies_member;
