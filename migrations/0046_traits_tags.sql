-- Tags that follow from rules: whoever is in a segment carries the value of the first rule that fits.
create table traits_tag (
  tag text primary key,
  definition jsonb not null,
  version int not null,
  state text not null check (state in ('filling', 'ready', 'going')),
  declared_at timestamptz not null, -- machine clock
  by text not null,
  after_bucket smallint not null default -1,
  after_id uuid not null default '00000000-0000-0000-0000-000000000000',
  done bigint not null default 0,
  total bigint not null default 0
);
grant select, insert, update, delete on traits_tag to liuke_app;

-- How a tag changed over time, of everybody.
create index people_tag_log_tag on people_tag_log (tag, at, id);
-- Who has a tag, in order of person.
create index people_tag_who on people_tag (tag, bucket, person_id);

-- A tag that ends has a timer of its person.
insert into timer (bucket, person_id, kind, key, due_at, data)
select bucket, person_id, 'people.tag_ends', tag, expires_at, '{}' from people_tag where expires_at is not null
on conflict do nothing;
