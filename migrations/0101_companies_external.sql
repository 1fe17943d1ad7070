-- An id that other systems have of a company is the company's that said it last, whatever came in first. Of what was said
-- until now it is not known when: any word outweighs it.
alter table companies_external
  add column at timestamptz not null default '-infinity',
  add column event_id uuid not null default '00000000-0000-0000-0000-000000000000';
alter table companies_external alter column at drop default, alter column event_id drop default;
grant update on companies_external to liuke_app;
