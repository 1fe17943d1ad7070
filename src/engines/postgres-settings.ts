// How the embedded PostgreSQL is set: for two cores and little memory, quiet when nothing happens, durable always.

const mebibyte = 2 ** 20;
/**
 * What the server keeps of its data in memory of its own, in MiB: a quarter of the data, a power of two, at least 128 and
 * at most an eighth of the machine. A small installation stays small, and a large one finds single people without
 * asking the system for each page (docs/decisions/0019).
 */
export function sharedMebibytes(dataBytes: number, machineBytes: number): number {
  const most = Math.min(dataBytes / 4, machineBytes / 8) / mebibyte;
  return Math.max(128, 2 ** Math.floor(Math.log2(Math.max(most, 1))));
}

/**
 * Command-line settings of the server. `major` is PostgreSQL's major version (15 and up), `shared` its own memory in MiB.
 */
export function serverSettings(major: number, port: number, shared: number): string[] {
  const settings: Record<string, string> = {
    listen_addresses: "127.0.0.1",
    port: String(port),
    // A socket file in a shared folder would be one more door; loopback with a secret is the only one.
    unix_socket_directories: "",
    max_connections: "60",
    superuser_reserved_connections: "3",
    shared_buffers: `${shared}MB`,
    effective_cache_size: `${4 * shared}MB`,
    work_mem: "8MB",
    maintenance_work_mem: "64MB",
    max_wal_size: "1GB",
    min_wal_size: "80MB",
    checkpoint_timeout: "15min",
    checkpoint_completion_target: "0.9",
    random_page_cost: "1.1",
    jit: "off",
    max_worker_processes: "4",
    max_parallel_workers: "2",
    max_parallel_workers_per_gather: "1",
    max_logical_replication_workers: "0",
    autovacuum: "on",
    autovacuum_max_workers: "2",
    autovacuum_naptime: "10s", // rows that come and go by the hundred a second are cleared within a minute
    wal_level: "replica",
    max_wal_senders: "2",
    fsync: "on",
    full_page_writes: "on",
    synchronous_commit: "on",
    TimeZone: "UTC",
    log_timezone: "UTC",
    // What is logged must hold no value of a row: no statement text, no detail with the key that collided.
    log_min_error_statement: "panic",
    log_error_verbosity: "terse",
    log_parameter_max_length_on_error: "0",
    log_min_messages: "warning",
    log_checkpoints: "off",
    log_autovacuum_min_duration: "-1",
    lc_messages: "C",
    cluster_name: "liuke",
  };
  // Version 18 reads through worker processes unless told otherwise; at our size they are only memory.
  if (major >= 18) settings.io_method = "sync";
  return Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}

/** Arguments of initdb. The text rules are those of Unicode, and from 17 on PostgreSQL's own, the same on every system. */
export function initSettings(major: number, sync: boolean): string[] {
  return [
    "--username=liuke_setup",
    "--encoding=UTF8",
    ...(major >= 17
      ? ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
      : [process.platform === "linux" ? "--locale=C.UTF-8" : "--locale=C"]),
    "--data-checksums",
    // The setting-up role never comes over the network: access is written by us, after initdb.
    "--auth=reject",
    "--no-instructions",
    ...(sync ? [] : ["--no-sync"]),
  ];
}

/** Who may come in, and how. Nobody else, from nowhere else. */
export const access = `# Written by Liuke at every start.
host all liuke_owner,liuke_app 127.0.0.1/32 scram-sha-256
`;
