-- Days since something are now days of the shop's calendar: such figures are worked out again for everybody.
update traits_trait set state = 'filling', after_bucket = -1, after_id = '00000000-0000-0000-0000-000000000000', done = 0,
  total = (select count(*) from people_person)
where definition->>'fn' = 'days_since' and state <> 'going';
insert into timer (bucket, person_id, kind, key, due_at, data)
select 0, '00000000-0000-0000-0000-000000000000', 'traits.fill', 'trait ' || name, now(),
  jsonb_build_object('kind', 'trait', 'name', name)
from traits_trait where definition->>'fn' = 'days_since' and state = 'filling'
on conflict do nothing;
