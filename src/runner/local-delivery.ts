import { FileArtifactStore } from '../artifacts/file-artifact-store.ts';
import { startDelivery } from '../outbox/delivery.ts';
import type { DeliveryConfig } from '../outbox/delivery-config.ts';
import type { OutboxProcessor } from '../outbox/outbox-processor.ts';
import type { ResultStore } from '../results/result-store.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Environment } from './presets.ts';
import { hasRun } from './runs-directory.ts';

/** Where nothing is configured. */
const NOTHING: DeliveryConfig = { notifyUrls: [], notifyTokenFile: undefined, artifactStores: [] };

export interface LocalDeliveryOptions {
  readonly uid: string;
  readonly runsDirectory: string;
  readonly store: ResultStore;
  readonly config: DeliveryConfig | undefined;
  readonly environment: Environment;
  readonly logger: Logger;
}

/**
 * Handles what follows from the results of a local run, and what processes that have gone left of the runs of this data directory, as far as it can. Runs of
 * other machines in the same database are theirs to handle: their files are not here.
 */
export async function startLocalDelivery(options: LocalDeliveryOptions): Promise<OutboxProcessor> {
  const { uid, runsDirectory, store, environment, logger } = options;
  const left = await store.outbox.localRunsLeft();
  return startDelivery({
    store,
    engine: 'local',
    namespaces: 'All',
    runUids: [uid],
    leftRunUids: left.filter((run) => hasRun(runsDirectory, run)),
    config: options.config ?? NOTHING,
    artifactStores: [new FileArtifactStore(runsDirectory)],
    environment,
    // The report tells of artifacts, and the progress display has the terminal.
    logger: logger.child({}, { level: 'error' }),
    listener: { handled: () => undefined, verified: () => undefined },
  });
}
