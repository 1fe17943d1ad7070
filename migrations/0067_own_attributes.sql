-- Attributes that the shop asks people about itself.
create table traits_attribute (
  name text primary key, -- of the attribute in the profile
  definition jsonb not null, -- label, type, options
  declared_at timestamptz not null, -- machine clock
  by text not null
);
grant select, insert, update on traits_attribute to liuke_app;
-- How fast what people are drawn to fades is the shop's to say.
update traits_learned set definition = '{"halfLifeDays": 45}' where name = 'preference';
