-- How much somebody is drawn to a category: the logarithm to base 2 of the sum of what they did there, each weighed and
-- halved every 45 days, as of the beginning of 2020. All of it fades alike, so that nothing is written for time to pass.
create table traits_preference (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  category text not null,
  score double precision not null,
  times int not null, -- what they did there
  bought int not null, -- of it, what they bought
  last_at timestamptz not null,
  last_id uuid not null,
  primary key (bucket, person_id, category)
);
grant select, insert, update, delete on traits_preference to liuke_app;

-- What is worked out for everybody without being declared, and how far everybody was gone through.
create table traits_learned (
  name text primary key,
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
grant select, insert, update, delete on traits_learned to liuke_app;
-- Everybody there is already is gone through once.
insert into traits_learned (name, definition, version, state, declared_at, by, total)
values ('preference', '{}', 1, 'filling', now(), 'system:migration', (select count(*) from people_person));
insert into timer (bucket, person_id, kind, key, due_at, data)
values (0, '00000000-0000-0000-0000-000000000000', 'traits.fill', 'preference preference', now(),
  '{"kind": "preference", "name": "preference"}');
