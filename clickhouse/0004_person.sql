create table if not exists person (
  person_id UUID,
  bucket UInt8,
  version UInt64,
  gone UInt8,
  numbers Map(String, Float64),
  texts Map(String, String),
  known Array(String),
  tags Map(String, String),
  tag_until Map(String, DateTime64(3, 'UTC')),
  spans Array(Tuple(node UUID, from_at DateTime64(3, 'UTC'), from_id String, until_at DateTime64(3, 'UTC'), until_id String))
) engine = {engine:ReplacingMergeTree(version)}
order by person_id
settings non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;
