/**
 * The server's settings, given on its command line so that a new version of batchtest brings its own to an old data
 * directory. Measured on Postgres 18: 5 processes and 16 MB resident when idle (`io_method=worker` adds a process).
 */
const SETTINGS: Readonly<Record<string, string>> = {
  // Reachable through the private socket only.
  listen_addresses: '',
  // The pools of many commands at work at once; each place takes about 35 kB, used or not.
  max_connections: '200',

  // A result that was reported as stored survives a power cut. The first two are defaults, and written down.
  fsync: 'on',
  synchronous_commit: 'on',
  // No replication, so the log needs to serve crash recovery only.
  wal_level: 'minimal',
  max_wal_senders: '0',
  min_wal_size: '32MB',
  max_wal_size: '256MB',

  // The tests that are measured need this machine's memory and processors more than the server does.
  shared_buffers: '32MB',
  wal_buffers: '1MB',
  // For each sort or hash of a query of one connection; a hash would get twice that by default.
  work_mem: '4MB',
  hash_mem_multiplier: '1',
  temp_buffers: '1MB',
  maintenance_work_mem: '32MB',
  autovacuum_work_mem: '32MB',
  max_worker_processes: '0',
  max_parallel_workers: '0',
  max_parallel_workers_per_gather: '0',
  max_parallel_maintenance_workers: '0',
  max_logical_replication_workers: '0',
  autovacuum_worker_slots: '1',
  autovacuum_max_workers: '1',
  io_method: 'sync',
  jit: 'off',

  // `log` leaves out the errors of single statements: the client gets them, and the file stays small.
  log_min_messages: 'log',
  log_checkpoints: 'off',
  log_line_prefix: '%m [%p] ',
  // Start-up messages are recognised by their English text.
  lc_messages: 'C',
  timezone: 'UTC',
  log_timezone: 'UTC',
};

/** The arguments of `postgres` for a cluster whose socket is in `socketDirectory`. */
export function serverArguments(clusterDirectory: string, socketDirectory: string): readonly string[] {
  const settings = {
    ...SETTINGS,
    port: String(SERVER_PORT),
    unix_socket_directories: quoted(socketDirectory),
  };
  return [
    '-D',
    clusterDirectory,
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
}

/** No TCP port: it is a part of the socket's name. */
export const SERVER_PORT = 5432;

/** Owner of the database; `trust` authentication is safe because only our user can enter the socket's directory. */
export const SUPERUSER = 'batchtest';

/** The database that every cluster has: creating one of our own would add to the first start. */
export const DATABASE = 'postgres';

/** Name of the socket inside its directory, as Postgres builds it. */
export const SOCKET_NAME = `.s.PGSQL.${SERVER_PORT}`;

/** `unix_socket_directories` is a list: a comma or blank in a path would split it. */
function quoted(directory: string): string {
  return `"${directory.replaceAll('"', '""')}"`;
}
