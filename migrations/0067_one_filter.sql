-- Segments and computed figures ask properties of events in one language: "exists" is "known", as segments say it.
update traits_trait set definition = jsonb_set(definition, '{where}', (
  select jsonb_agg(case when f.one->>'is' = 'exists' then jsonb_set(f.one, '{is}', '"known"') else f.one end order by f.place)
  from jsonb_array_elements(definition->'where') with ordinality as f(one, place)))
where definition->'where' @> '[{"is": "exists"}]';
update traits_state set generation = generation + 1;

-- A text that is a number, as both compare it: a plain decimal as JSON writes one, of at most 15 digits, 9 of them behind
-- the point. The same as `isDecimal` of src/segments/model/filter.ts.
create function segments_decimal(v jsonb) returns numeric
  language sql immutable parallel safe
  return case when jsonb_typeof(v) = 'string' and v #>> '{}' ~ '^-?(0|[1-9][0-9]*)(\.[0-9]{1,9})?$'
    and char_length(translate(v #>> '{}', '-.', '')) <= 15 then (v #>> '{}')::numeric end;
-- What a computed figure adds: a number of JSON below 10^15 in size, rounded half away from zero to nine places, or such a
-- text. The same as `decimalOf` of src/traits/rules.ts.
create or replace function traits_number(v jsonb) returns numeric
  language sql immutable parallel safe
  return case jsonb_typeof(v)
    when 'number' then case when abs(v::numeric) < 1000000000000000 then round(v::numeric, 9) end
    when 'string' then segments_decimal(v) end;
