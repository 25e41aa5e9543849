import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultDataDirectory } from '../results/postgres/embedded/data-directory.ts';
import type { KubernetesRunnerConfig, LocalRunnerConfig, ResultStoreConfig } from './runner-config.ts';

/** Environment variables; `process.env` unless a test passes others. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * `DATABASE_URL` when it is set, the URL in the file that `DATABASE_URL_FILE` names when that is, the embedded Postgres in the data
 * directory otherwise, which is asked for only then: a container may have none.
 */
export function resultStoreFrom(environment: Environment, dataDirectory: () => string): ResultStoreConfig {
  const { DATABASE_URL: url, DATABASE_URL_FILE: path } = environment;
  if (url !== undefined && url !== '') return { kind: 'database', url };
  if (path !== undefined && path !== '') return { kind: 'databaseFile', path };
  return { kind: 'embedded', dataDirectory: dataDirectory() };
}

/** The per-user data directory of this process. */
export const userDataDirectory = (environment: Environment): string =>
  defaultDataDirectory(environment, process.platform, process.getuid?.());

/** Ready-made configurations for `createRunner`; spread one and change what you need. */
export const presets = {
  /**
   * Child processes on this machine. Results in `DATABASE_URL` when it is set, else in the embedded Postgres of the per-user data
   * directory, where `batchtest list` and `batchtest report` find them later.
   * @throws EmbeddedPostgresError when there is no such directory: a user without `HOME`
   */
  localDevelopment(environment: Environment = process.env): LocalRunnerConfig {
    const dataDirectory = userDataDirectory(environment);
    return {
      engine: 'local',
      store: resultStoreFrom(environment, () => dataDirectory),
      dataDirectory,
      manifestDirectory: process.cwd(),
      removeDataDirectory: false,
    };
  },

  /** Child processes and an embedded Postgres in a new temporary directory, which goes when the runner is shut down. */
  testing(): LocalRunnerConfig {
    const dataDirectory = mkdtempSync(join(tmpdir(), 'batchtest-'));
    // For root, Postgres runs as another user, who must be able to pass through.
    chmodSync(dataDirectory, 0o755);
    return {
      engine: 'local',
      store: { kind: 'embedded', dataDirectory },
      dataDirectory,
      manifestDirectory: process.cwd(),
      removeDataDirectory: true,
    };
  },

  /**
   * The cluster of the current kubeconfig, where an operator runs the trials. `DATABASE_URL` is the database that the operator stores
   * results in; without it results are looked for in the embedded Postgres of an operator that this user runs.
   * @throws EmbeddedPostgresError when that is looked for, and there is no per-user data directory
   */
  production(environment: Environment = process.env): KubernetesRunnerConfig {
    return {
      engine: 'kubernetes',
      store: resultStoreFrom(environment, () => userDataDirectory(environment)),
      kubeconfig: undefined,
      namespace: undefined,
    };
  },
} as const;
