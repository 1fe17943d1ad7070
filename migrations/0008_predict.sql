-- What was learned from the shop's own orders, one row a run: thresholds, curves, bounds and models as data.
create table predict_fit (
  id uuid primary key,
  at timestamptz not null, -- shop clock
  as_of date not null, -- orders of earlier days were read, where the shop is
  version smallint not null, -- of the shape of `learned`
  people int not null,
  learned jsonb not null
);
create index predict_fit_at on predict_fit (at, id);
grant select, insert, delete on predict_fit to liuke_app;

-- What the latest look at a person came to, as figures to count and add up. The words are tags and attributes of people.
create table predict_person (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  fit_id uuid not null,
  r smallint, -- null where nothing could be learned yet
  f smallint,
  m smallint,
  orders int not null,
  amount_minor bigint not null,
  chance double precision, -- of an order within the horizon, 0 to 1
  expected double precision, -- orders within the horizon
  at timestamptz not null, -- shop clock
  primary key (bucket, person_id)
);
grant select, insert, update, delete on predict_person to liuke_app;

-- The board's changes of the last 30 days, and the people behind each number.
create index people_tag_log_change on people_tag_log (tag, at, id);
