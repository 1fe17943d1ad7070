-- What a property of an event is as a number: one of JSON below 10^15 in size, or a text that is a plain decimal; rounded
-- half away from zero to nine places. The same as `decimalOf` of src/traits/rules.ts.
create function traits_number(v jsonb) returns numeric
  language sql immutable parallel safe
  return case jsonb_typeof(v)
    when 'number' then case when abs(v::numeric) < 1000000000000000 then round(v::numeric, 9) end
    when 'string' then case when v #>> '{}' ~ '^-?[0-9]{1,15}(\.[0-9]{1,9})?$' then (v #>> '{}')::numeric end end;
-- What a property says, as text with its type before it: of equal values the same. The same as `keyOf` there.
create function traits_key(v jsonb) returns text
  language sql immutable parallel safe
  return case jsonb_typeof(v)
    when 'string' then case when char_length(v #>> '{}') between 1 and 200 then 's' || (v #>> '{}') end
    when 'number' then 'n' || trim_scale(case when abs(v::numeric) < 1000000000000000 then round(v::numeric, 9) end)::text
    when 'boolean' then 'b' || (v #>> '{}') end;

-- Figures that the shop declared: worked out for everybody from what they did.
create table traits_trait (
  name text primary key, -- of the attribute too
  definition jsonb not null,
  version int not null, -- counts its changes
  state text not null check (state in ('filling', 'ready', 'going')),
  declared_at timestamptz not null, -- machine clock
  by text not null,
  -- How far everybody was gone through since it was declared or changed.
  after_bucket smallint not null default -1,
  after_id uuid not null default '00000000-0000-0000-0000-000000000000',
  done bigint not null default 0,
  total bigint not null default 0
);
grant select, insert, update, delete on traits_trait to liuke_app;

-- Counts every change of what is declared: who has read it knows whether to read again.
create table traits_state (
  one boolean primary key default true check (one),
  generation bigint not null default 1
);
insert into traits_state default values;
grant select, update (generation) on traits_state to liuke_app;
