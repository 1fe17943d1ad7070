-- What is done beside the log and fails rests a while, longer each time, so that it holds up nobody else's.
alter table people_merge add column attempts smallint not null default 0, add column failed_at timestamptz;
alter table people_rework add column attempts smallint not null default 0, add column failed_at timestamptz;
alter table people_refold add column attempts smallint not null default 0, add column failed_at timestamptz;
