create table if not exists event (
  bucket UInt8,
  offset UInt64,
  id UUID,
  source_id UUID,
  node_id UUID,
  name LowCardinality(String),
  at DateTime64(3, 'UTC'),
  order_ref String,
  order_kind LowCardinality(String),
  sku String,
  quantity Int64,
  amount_minor Int64,
  data String
) engine = {engine:MergeTree}
order by (bucket, node_id, at, offset)
settings non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;
create table if not exists person_node (
  node_id UUID,
  person_id UUID,
  version UInt64
) engine = {engine:ReplacingMergeTree(version)}
order by node_id
settings non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;
