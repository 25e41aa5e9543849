import type { PostgresServer } from '../../integration/postgres-server.ts';
import type { WatchRecorder } from '../../integration/watch-recorder.ts';
import type { ClusterClient } from '../../tools/cluster-client.ts';
import type { ClusterCredentials } from '../../tools/kubeconfig.ts';
import type { Observation } from './figures.ts';
import type { Limits } from './limits.ts';
import { allTrials, type Scenario, scenarioText } from './scenario.ts';

/** Where work is done, and what a contender may use for it. */
export interface Site {
  /** Those of the contender too, when it has such. */
  readonly limits: Limits;
  /** An administrator's, who asks for the work. */
  readonly cluster: ClusterClient & ClusterCredentials;
  readonly namespace: string;
  /** Keeps BatchTests only. */
  readonly witness: WatchRecorder;
  readonly postgres: PostgresServer;
  /** For logs and kubeconfigs. */
  readonly directory: string;
}

/** Somebody who runs the trials of a scenario. */
export interface Contender {
  readonly name: string;
  /** Of this project. */
  readonly isOperator?: boolean;
  /** Resolves when it only waits for work. */
  prepare(site: Site): Promise<PreparedContender>;
}

export interface PreparedContender {
  /** Of its process; undefined when nothing works but the control plane. */
  readonly pid: number | undefined;
  /** Of the server that it stores results in; undefined for who stores none. */
  readonly databasePid?: number;
  /** Takes on a scenario, one after another; what it makes for it is named after it. Resolves when it only waits to be told to begin. */
  take(scenario: Scenario): Promise<TakenWork>;
  /** What it says of itself, for an error message. */
  account(): Promise<string>;
  /** Ends its process. */
  end(): Promise<void>;
}

export interface TakenWork {
  /** Begins all batches. */
  begin(): Promise<void>;
  cancel(): Promise<void>;
  /**
   * Called when all pods have ended or gone: resolves when it has noticed, and will leave nothing behind. Gives when that could be
   * read in a status, in the time of `performance.now()`; undefined when it has none.
   */
  finish(): Promise<number | undefined>;
  /** What only it has; asked for once it is over. */
  ownFigures(): Promise<Pick<Observation, 'statusBytes' | 'objectBytes' | 'transactions'>>;
}

/** Tells the witness which batch a pod is of, by its name. */
export const BATCH_LABEL = 'bench/batch';

/** Longer than any contender takes, also on a busy machine and at stock limits. */
export const deadlineMs = (scenario: Scenario): number =>
  120_000 + allTrials(scenario) * 1_000 + (scenario.isCancelled === true ? 0 : 10 * scenario.runMs);

export const describe = ({ name }: Contender, scenario: Scenario): string =>
  `${name}, ${scenarioText(scenario)}`;
