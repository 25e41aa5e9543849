import type { ArtifactStore } from '../artifacts/artifact-store.ts';
import type { EngineName } from '../core/run.ts';
import { bearerToken } from '../notifications/bearer-token.ts';
import type { MessageKind } from '../results/outbox.ts';
import type { ResultStore } from '../results/result-store.ts';
import type { VerificationState } from '../results/verification.ts';
import type { Logger } from '../telemetry/logger.ts';
import { type DeliveryConfig, locationOf, targetsOf } from './delivery-config.ts';
import { fileTracked } from './handlers/file-tracked.ts';
import { resultStored } from './handlers/result-stored.ts';
import { runFinished } from './handlers/run-finished.ts';
import { type DeliveryOutcome, type OutboxProcessor, startOutboxProcessor } from './outbox-processor.ts';

/** For those who count. */
export interface DeliveryListener {
  handled(kind: MessageKind, outcome: DeliveryOutcome): void;
  verified(subject: 'artifact' | 'result', state: Exclude<VerificationState, 'Pending'>): void;
}

export interface DeliveryOptions {
  readonly store: Pick<ResultStore, 'outbox' | 'verification' | 'loadRunToConclude' | 'findRun'>;
  readonly engine: EngineName;
  /** Runs in these namespaces of a cluster. */
  readonly namespaces: readonly string[] | 'All';
  /** Undefined: every run of the engine. */
  readonly runUids: readonly string[] | undefined;
  /**
   * Runs that other processes left, with a configuration of their own that nobody knows here: what only another one can do waits for a process that has it.
   * Default: none.
   */
  readonly leftRunUids?: readonly string[];
  readonly config: DeliveryConfig;
  /** Beside those of the configuration. */
  readonly artifactStores: readonly ArtifactStore[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
  readonly listener: DeliveryListener;
}

/**
 * Starts to handle the messages of the outbox: verifies results and artifacts, and notifies. One handler for each kind of message.
 * @throws InvalidDeliveryConfigError
 */
export async function startDelivery(options: DeliveryOptions): Promise<OutboxProcessor> {
  const { store, config, logger, listener, runUids, leftRunUids = [] } = options;
  const stores = [...options.artifactStores, ...(await s3Stores(config, options.environment))];
  const targets = targetsOf(config);
  const { notifyTokenFile } = config;
  const isHandled = (kind: MessageKind) => kind !== 'RunFinished' || targets.length > 0;
  return startOutboxProcessor({
    outbox: store.outbox,
    handlers: [
      resultStored({
        verification: store.verification,
        isStored: async (uid) => (await store.findRun(uid)) !== undefined,
        onVerdict: (state, result) => {
          listener.verified('result', state);
          if (state !== 'Verified')
            logger.error({ ...result, state }, 'a stored result is not what was reported');
        },
      }),
      fileTracked({
        verification: store.verification,
        stores,
        mayBeInOthers: (runUid) => leftRunUids.includes(runUid),
        // Its place tells it, too; name and URI are the program's own words.
        onVerdict: (state, { name: _name, uri: _uri, ...artifact }) => {
          listener.verified('artifact', state);
          if (state !== 'Verified')
            logger.warn({ ...artifact, state }, 'an artifact is not what was reported');
        },
      }),
      runFinished({
        store,
        targets,
        token: async () => (notifyTokenFile === undefined ? undefined : bearerToken(notifyTokenFile)),
      }),
    ],
    engine: options.engine,
    namespaces: options.namespaces,
    runUidsOf: (kind) => runUids && (isHandled(kind) ? [...runUids, ...leftRunUids] : runUids),
    logger,
    onHandled: (kind, outcome) => listener.handled(kind, outcome),
    random: Math.random,
  });
}

/** The client of S3 is loaded where it is used: it takes longer than everything else. */
async function s3Stores(
  { artifactStores }: DeliveryConfig,
  environment: DeliveryOptions['environment'],
): Promise<readonly ArtifactStore[]> {
  if (artifactStores.length === 0) return [];
  const locations = artifactStores.map(locationOf);
  const { S3ArtifactStore } = await import('../artifacts/s3-artifact-store.ts');
  const endpoint = environment.AWS_ENDPOINT_URL_S3 ?? environment.AWS_ENDPOINT_URL;
  return locations.map((location) => new S3ArtifactStore(location, endpoint));
}
