-- A tag of companies that follows from rules: of several the first whose segment the company is in counts.
create table companies_tag_declared (
  tag text primary key,
  zh text not null,
  en text not null,
  declared_at timestamptz not null, -- shop clock
  by_actor text not null
);
create table companies_tag_rule (
  tag text not null,
  place int not null,
  value text not null,
  segment_id uuid not null, -- of companies
  primary key (tag, place)
);
create index companies_tag_rule_segment on companies_tag_rule (segment_id);
grant select, insert, update, delete on companies_tag_declared, companies_tag_rule to liuke_app;
