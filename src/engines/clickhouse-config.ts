// What ClickHouse is told at its start: who may do what, and how small it keeps itself.

export const database = "liuke";

/**
 * The engine knows one user, ours, which has no right of its own: every connection takes on one of two roles and cannot
 * change it. Neither has a right on sources (file, url, s3, remote, …), nor on functions, dictionaries or settings.
 */
export const users = `<clickhouse>
  <profiles><default/></profiles>
  <quotas><default/></quotas>
  <roles>
    <program><grants>
      <query>GRANT SELECT, INSERT, ALTER, CREATE TABLE, CREATE VIEW, DROP TABLE, DROP VIEW, TRUNCATE, OPTIMIZE, CHECK, SHOW ON ${database}.*</query>
      <query>GRANT CREATE DATABASE ON ${database}.*</query>
    </grants></program>
    <report><grants>
      <query>GRANT SELECT, SHOW ON ${database}.*</query>
    </grants></report>
  </roles>
  <users><default>
    <password/>
    <networks><ip>127.0.0.1</ip><ip>::1</ip></networks>
    <profile>default</profile>
    <quota>default</quota>
    <access_management>0</access_management>
    <grants><query>GRANT program</query><query>GRANT report</query></grants>
  </default></users>
</clickhouse>
`;

/** The server's part. Memory in bytes; pools sized for two cores, slow to wake when there is nothing to do. */
export function server(usersFile: string): string {
  const settings: Record<string, number> = {
    max_server_memory_usage: 1_400_000_000,
    mark_cache_size: 32 * 1024 * 1024,
    index_mark_cache_size: 8 * 1024 * 1024,
    uncompressed_cache_size: 0,
    mmap_cache_size: 0,
    query_cache_max_size_in_bytes: 0,
    compiled_expression_cache_size: 8 * 1024 * 1024,
    background_pool_size: 2,
    background_merges_mutations_concurrency_ratio: 2,
    background_move_pool_size: 1,
    background_fetches_pool_size: 1,
    background_common_pool_size: 1,
    background_buffer_flush_schedule_pool_size: 1,
    background_schedule_pool_size: 2,
    background_distributed_schedule_pool_size: 1,
    background_message_broker_schedule_pool_size: 1,
    tables_loader_foreground_pool_size: 2,
    tables_loader_background_pool_size: 1,
    max_concurrent_queries: 64,
    asynchronous_metrics_update_period_s: 3600,
    asynchronous_heavy_metrics_update_period_s: 86_400,
    disable_internal_dns_cache: 1,
    dictionaries_lazy_load: 1,
  };
  const lines = Object.entries(settings).map(([name, value]) => `  <${name}>${value}</${name}>`);
  // A part is on disk before its insert is acknowledged. What a merge decides by: the defaults expect a pool of 16 and
  // would hold merges back in one of 4.
  const mergeTree = `  <merge_tree>
    <fsync_after_insert>1</fsync_after_insert>
    <fsync_part_directory>1</fsync_part_directory>
    <number_of_free_entries_in_pool_to_lower_max_size_of_merge>2</number_of_free_entries_in_pool_to_lower_max_size_of_merge>
    <number_of_free_entries_in_pool_to_execute_mutation>1</number_of_free_entries_in_pool_to_execute_mutation>
    <number_of_free_entries_in_pool_to_execute_optimize_entire_partition>1</number_of_free_entries_in_pool_to_execute_optimize_entire_partition>
    <merge_selecting_sleep_ms>30000</merge_selecting_sleep_ms>
    <max_merge_selecting_sleep_ms>300000</max_merge_selecting_sleep_ms>
  </merge_tree>`;
  return `<clickhouse>
  <users_config>${escape(usersFile)}</users_config>
  <user_scripts_path>/dev/null/none</user_scripts_path>
${lines.join("\n")}
${mergeTree}
</clickhouse>
`;
}

const escape = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
