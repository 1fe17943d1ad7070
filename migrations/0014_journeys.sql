create table journeys_programme (
  id uuid primary key,
  key text not null unique,
  name jsonb not null, -- {zh, en}
  segment_id uuid not null,
  campaign_id uuid not null,
  template text not null,
  window_days int not null check (window_days between 1 and 730),
  picks int not null check (picks between 0 and 20),
  seed text not null,
  treated_share_bp int not null,
  at timestamptz not null -- shop clock
);
grant select, insert, delete on journeys_programme to liuke_app;

-- One time that a programme was done: its people frozen at one instant, its outcome counted from then on.
create table journeys_run (
  id uuid primary key,
  programme_id uuid not null references journeys_programme on delete cascade,
  number int not null check (number >= 1),
  experiment_id uuid not null,
  state text not null check (state in ('running', 'measured')),
  from_at timestamptz not null, -- shop clock, inclusive
  until_at timestamptz not null, -- exclusive
  unique (programme_id, number)
);
create unique index journeys_run_one on journeys_run (programme_id) where state = 'running';
grant select, insert, update (state), delete on journeys_run to liuke_app;

create table journeys_enrolment (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  run_id uuid not null,
  id uuid not null,
  arm text not null check (arm in ('treated', 'control')),
  node text not null check (node in ('waiting', 'sent', 'no_budget', 'no_coupon', 'held_out')),
  cause uuid, -- the line of the segment's log by which they came in
  coupon_id uuid,
  at timestamptz not null, -- shop clock
  moved_at timestamptz not null, -- shop clock
  primary key (bucket, person_id, run_id)
);
create index journeys_enrolment_run on journeys_enrolment (run_id, node);
grant select, insert, update (node, coupon_id, moved_at), delete on journeys_enrolment to liuke_app;

-- Every node that an enrolment came to. The key refuses a step that is done twice.
create table journeys_move (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  run_id uuid not null,
  node text not null,
  at timestamptz not null, -- shop clock
  primary key (bucket, person_id, run_id, node)
);
grant select, insert, delete on journeys_move to liuke_app;
