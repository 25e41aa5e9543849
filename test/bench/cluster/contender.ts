import type { PostgresServer } from '../../integration/postgres-server.ts';
import type { WatchRecorder } from '../../integration/watch-recorder.ts';
import type { ClusterClient } from '../../tools/cluster-client.ts';
import type { ClusterCredentials } from '../../tools/kubeconfig.ts';
import type { Observation } from './figures.ts';
import { type Scenario, scenarioText } from './scenario.ts';

/** Where the work is done, and what a contender may use for it. */
export interface Site {
  readonly scenario: Scenario;
  /** An administrator's, who asks for the work. */
  readonly cluster: ClusterClient & ClusterCredentials;
  readonly namespace: string;
  readonly witness: WatchRecorder;
  readonly postgres: PostgresServer;
  /** For logs and kubeconfigs. */
  readonly directory: string;
}

/** Somebody who runs the trials of a scenario. */
export interface Contender {
  readonly name: string;
  /** Resolves when it only waits to be told to begin. */
  prepare(site: Site): Promise<PreparedContender>;
}

export interface PreparedContender {
  /** Of its process; undefined when nothing works but the control plane. */
  readonly pid: number | undefined;
  begin(): Promise<void>;
  cancel(): Promise<void>;
  /** Called when all pods have ended or gone: resolves when it has noticed, and will leave nothing behind. */
  finish(): Promise<void>;
  /** What only it has; asked for after its end. */
  ownFigures(): Promise<Pick<Observation, 'statusBytes' | 'transactions'>>;
  /** What it says of itself, for an error message. */
  account(): Promise<string>;
  /** Ends its process. */
  end(): Promise<void>;
}

const MEASURED = JSON.stringify({ metrics: { x: 1 } });

/** The one pod template of all contenders, as KWOK plays it. */
export const podTemplate = ({ runMs }: Scenario) => ({
  metadata: { annotations: { 'kwok.test/run': `${runMs}ms`, 'kwok.test/message': MEASURED } },
  spec: { containers: [{ name: 'test', image: 'test:1' }] },
});

/** As a Job or a bare pod needs it. */
export const podTemplateOfJob = (scenario: Scenario) => {
  const { metadata, spec } = podTemplate(scenario);
  return { metadata, spec: { ...spec, restartPolicy: 'Never' } };
};

/** Longer than any contender takes, also on a busy machine and at stock limits. */
export const deadlineMs = ({ trials, runMs, isCancelled }: Scenario): number =>
  120_000 + trials * 1_000 + (isCancelled === true ? 0 : 10 * runMs);

export const describe = ({ name }: Contender, scenario: Scenario): string =>
  `${name}, ${scenarioText(scenario)}`;
