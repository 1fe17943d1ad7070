-- In which companies somebody is or was: role, since, and (exclusive) until; 2299 where they still are.
alter table person add column if not exists companies Array(Tuple(company UUID, role String, since DateTime64(3, 'UTC'), until DateTime64(3, 'UTC')));

create table if not exists company (
  company_id UUID,
  version UInt64,
  gone UInt8,
  numbers Map(String, Float64),
  texts Map(String, String),
  known Array(String),
  tags Map(String, String),
  tag_until Map(String, DateTime64(3, 'UTC'))
) engine = {engine:ReplacingMergeTree(version)}
order by company_id
settings non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;
