import { join } from 'node:path';

/** Where everything lives below one data directory. All paths are absolute. */
export interface Layout {
  readonly dataDirectory: string;
  /** Owned by the user who runs batchtest, also when that is root: nobody else may rename what is in it. */
  readonly postgresDirectory: string;
  /** One cluster per major version: Postgres cannot read the files of another one. */
  readonly clusterDirectory: string;
  /** Parent of the private directories that hold the socket of a running server. Owned by the server's account. */
  readonly runDirectory: string;
  /** Held by the process that builds the cluster or starts its server. */
  readonly startClaim: string;
  readonly logFile: string;
  /** Copies of the Postgres binaries, made only when the installed package cannot be used in place. */
  readonly binariesDirectory: string;
}

/** The layout of a data directory for one Postgres major version. */
export function layoutOf(dataDirectory: string, majorVersion: string): Layout {
  const postgresDirectory = join(dataDirectory, 'postgres');
  return {
    dataDirectory,
    postgresDirectory,
    clusterDirectory: join(postgresDirectory, majorVersion),
    runDirectory: join(postgresDirectory, 'run'),
    startClaim: join(postgresDirectory, `${majorVersion}.claim`),
    logFile: join(postgresDirectory, 'log'),
    binariesDirectory: join(dataDirectory, 'postgres-binaries'),
  };
}
