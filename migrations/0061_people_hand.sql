-- What an operator says of who is who: their words stand among the others, with who said it and why.
alter table people_link drop constraint people_link_kind_check;
alter table people_link
  add constraint people_link_kind_check
    check (kind in ('identify', 'alias', 'bind', 'unbind', 'hand', 'part')),
  add column by text, -- the operator, of their own words only
  add column why text;

-- A merge says by which word it came about, what went along, and by which word it was undone.
alter table people_merge
  add column word text, -- the kind of that link
  add column why text,
  add column moved jsonb not null default '{}', -- {kind: how many}, as it was when it came about
  add column parted_cause uuid,
  add column parted_by text,
  add column parted_why text;

-- Values that say nothing of who somebody is, beside those that everybody knows. Looked up by blind index; the value
-- itself is sealed, because it may be the address of the shop's own counter.
alter table people_rules drop column blocked;
create table people_blocked (
  blind bytea primary key,
  id uuid not null unique,
  type text not null,
  sealed bytea not null,
  by text not null,
  why text not null,
  at timestamptz not null -- shop clock
);
grant select, insert, delete on people_blocked to liuke_app;

-- What is worked out beside the log: first who is who, component by component, then what follows from it, some people at
-- a time. It goes on from where it was, whatever ends it.
create table people_job (
  id uuid primary key,
  kind text not null check (kind in ('component', 'hand', 'rules')),
  by text,
  asked_at timestamptz not null, -- machine clock
  links int not null default 0, -- gone through
  nodes int not null default 0, -- asked for
  nodes_done int not null default 0,
  people int not null default 0, -- of whom something else is true now
  people_done int not null default 0,
  ended_at timestamptz
);
create index people_job_open on people_job (asked_at) where ended_at is null;
grant select, insert, update, delete on people_job to liuke_app;
-- What waited before there were jobs waits for none.
alter table people_rework
  add column job_id uuid not null default '00000000-0000-0000-0000-000000000000',
  drop constraint people_rework_pkey,
  add primary key (bucket, node_id, job_id);
grant update on people_rework to liuke_app; -- whoever takes one holds it
create table people_refold (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  job_id uuid not null,
  primary key (bucket, person_id, job_id)
);
create index people_refold_job on people_refold (job_id);
grant select, insert, update, delete on people_refold to liuke_app;
