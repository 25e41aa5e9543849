import { setTimeout as sleep } from 'node:timers/promises';
import { aborted } from '../aborted.ts';
import { startDelivery } from '../outbox/delivery.ts';
import type { DeliveryConfig } from '../outbox/delivery-config.ts';
import { type ResultStore, ResultStoreUnavailableError } from '../results/result-store.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { LateResultStore } from './late-result-store.ts';

const GAUGE_INTERVAL_MS = 15_000;
/** How long what is under way may take to end when the operator stops. */
const STOP_DEADLINE_MS = 10_000;

/** Whose runs, and what of OperatorConfig their delivery needs. */
export interface ClusterDelivery {
  readonly delivery: DeliveryConfig;
  /** `All` for every namespace. */
  readonly namespaces: readonly string[] | 'All';
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/**
 * Handles the outbox of the runs of these namespaces from when the store is open until this process no longer leads. Two operators may do that at once for a
 * moment: each message is one's alone. What other operators see to, which notify others and read other artifact stores, is left to them.
 */
export async function deliverWhileLeading(
  late: Pick<LateResultStore, 'whenOpen'>,
  { delivery, namespaces, environment }: ClusterDelivery,
  logger: Logger,
  metrics: Metrics,
  leading: AbortSignal,
): Promise<void> {
  const ended = aborted(leading);
  const store = await Promise.race([late.whenOpen(), ended]);
  if (store === undefined || leading.aborted) return;
  const processor = await startDelivery({
    store,
    engine: 'kubernetes',
    namespaces,
    runUids: undefined,
    config: delivery,
    artifactStores: [],
    environment,
    logger,
    listener: {
      handled: (kind, outcome) => metrics.outbox.messageHandled(kind, outcome),
      verified: (subject, state) => metrics.outbox.verified(subject, state),
    },
  });
  void countMessages(store, namespaces, metrics, logger, leading);
  await ended;
  metrics.outbox.outboxHolds(undefined);
  await processor.stop(STOP_DEADLINE_MS);
}

/** A store that cannot tell leaves the numbers as they are; one that is away is told of elsewhere. */
async function countMessages(
  store: Pick<ResultStore, 'outbox'>,
  namespaces: ClusterDelivery['namespaces'],
  metrics: Metrics,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const counts = await store.outbox.counts({ engine: 'kubernetes', namespaces });
      // Only a process that leads tells.
      if (!signal.aborted) metrics.outbox.outboxHolds(counts);
    } catch (error) {
      if (!(error instanceof ResultStoreUnavailableError))
        logger.error({ err: error }, 'the messages in the outbox could not be counted');
    }
    await sleep(GAUGE_INTERVAL_MS, undefined, { signal }).catch(() => undefined);
  }
}
