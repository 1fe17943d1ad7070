-- An attribute that the shop declares is filled out of what was said before, and what it filled goes when it is deleted:
-- everybody is gone through in helpings, as for traits and tags.
alter table traits_attribute
  add version int not null default 1, -- counts its changes
  add state text not null default 'filling' check (state in ('filling', 'ready', 'going')),
  add after_bucket smallint not null default -1,
  add after_id uuid not null default '00000000-0000-0000-0000-000000000000',
  add done bigint not null default 0,
  add total bigint not null default 0;
grant delete on traits_attribute to liuke_app;
-- What is declared already is filled out of what the shop's servers said.
update traits_attribute set total = (select count(*) from people_person);
insert into timer (bucket, person_id, kind, key, due_at, data)
select 0, '00000000-0000-0000-0000-000000000000', 'traits.fill', 'attribute ' || name, now(),
  jsonb_build_object('kind', 'attribute', 'name', name)
from traits_attribute
on conflict do nothing;
