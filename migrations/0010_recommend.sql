-- What was learned from the purchases up to an instant of the shop's clock, and from how much.
create table recommend_fit (
  id uuid primary key,
  at timestamptz not null, -- shop clock: nothing later was read
  people int not null,
  goods int not null,
  purchases bigint not null,
  taste jsonb not null
);
grant select, insert, delete on recommend_fit to liuke_app;

create table recommend_pick (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  rank smallint not null check (rank > 0),
  sku text not null,
  kind text not null check (kind in ('again', 'alike')),
  score double precision not null,
  reason jsonb not null, -- figures that the sentence is made of
  at timestamptz not null, -- shop clock
  fit_id uuid not null,
  primary key (bucket, person_id, rank)
);
grant select, insert, update, delete on recommend_pick to liuke_app;
