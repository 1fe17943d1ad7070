-- The design is written down before a result can be seen, and nothing of it can be changed afterwards: a series can
-- only be taken away whole, as demo data is.
create table experiments_experiment (
  id uuid primary key,
  series text not null, -- the act that is tried; its runs are pooled and counted
  number int not null check (number >= 1),
  seed text not null,
  hash_version smallint not null,
  treated_share_bp int not null check (treated_share_bp between 1 and 9999),
  primary_metric text not null check (primary_metric = 'return_rate'),
  secondary_metric text not null check (secondary_metric = 'revenue_per_person'),
  alpha_bp int not null check (alpha_bp = 500),
  written_at timestamptz not null, -- shop clock
  unique (series, number)
);
grant select, insert, delete on experiments_experiment to liuke_app;

-- What is hashed is the shop's own number of a person, which stands here nowhere: only the place it came to.
create table experiments_assignment (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  experiment_id uuid not null,
  place smallint not null check (place between 0 and 9999),
  arm text not null check (arm in ('treated', 'control')),
  at timestamptz not null, -- shop clock
  primary key (bucket, person_id, experiment_id)
);
create index experiments_assignment_arm on experiments_assignment (experiment_id, arm);
grant select, insert, delete on experiments_assignment to liuke_app;

create table experiments_result (
  id uuid primary key,
  experiment_id uuid not null unique references experiments_experiment, -- measured once
  from_at timestamptz not null, -- inclusive
  until_at timestamptz not null, -- exclusive
  measured_at timestamptz not null, -- shop clock
  report jsonb not null
);
-- What each person did in the window, by assignment and not by delivery: the people behind the result.
create table experiments_outcome (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  experiment_id uuid not null,
  id uuid not null,
  returned boolean not null,
  orders int not null,
  revenue_minor bigint not null, -- sales less refunds
  first_event_id uuid, -- of the order that brought them back
  first_at timestamptz,
  primary key (bucket, person_id, experiment_id)
);
create index experiments_outcome_returned on experiments_outcome (experiment_id, returned);
create table experiments_decision (
  id uuid primary key,
  result_id uuid not null unique references experiments_result,
  decided_at timestamptz not null, -- shop clock
  advice text not null check (advice in ('mend', 'stop', 'repeat', 'change')),
  decision jsonb not null
);
grant select, insert, delete on experiments_result, experiments_decision to liuke_app;
grant select, insert, delete on experiments_outcome to liuke_app;
