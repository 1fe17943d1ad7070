-- What a product usually costs: the middle of the prices at which it was sold in a year, and how many of those sales came
-- at least a twentieth below it. Learned every night.
create table traits_price (
  source_id uuid not null,
  sku text not null,
  usual bigint not null, -- ten-thousandths of the currency's major unit
  reduced double precision not null, -- share of sales
  primary key (source_id, sku)
);
grant select, insert, delete on traits_price to liuke_app;
-- Nothing is learned yet: the next night does.
insert into traits_learned (name, definition, version, state, declared_at, by)
values ('behaviour', '{}', 1, 'ready', now(), 'system:migration');
