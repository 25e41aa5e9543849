/**
 * Why the embedded server is not available:
 * - `UnsupportedPlatform`: there are no Postgres binaries for this operating system and processor, or they cannot run here;
 * - `DataDirectoryUnusable`: the data directory cannot be created, entered, read or written;
 * - `InitializationFailed`: `initdb` did not create the database cluster;
 * - `ServerFailed`: the server ended while it started;
 * - `StartTimeout`: no server accepted connections in time.
 */
export type EmbeddedPostgresFailure =
  | 'UnsupportedPlatform'
  | 'DataDirectoryUnusable'
  | 'InitializationFailed'
  | 'ServerFailed'
  | 'StartTimeout';

/** The embedded server is not available. The message is written for the person at the terminal. */
export class EmbeddedPostgresError extends Error {
  override readonly name = 'EmbeddedPostgresError';
  readonly reason: EmbeddedPostgresFailure;

  constructor(reason: EmbeddedPostgresFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
