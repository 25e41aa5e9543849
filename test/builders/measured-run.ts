import { setImmediate as nextTurn } from 'node:timers/promises';
import { startController } from '../../src/controller/controller.ts';
import type { Termination } from '../../src/core/attempt.ts';
import type { RunDefinition } from '../../src/core/run.ts';
import { finishedCondition } from '../../src/core/status.ts';
import type { RunSource } from '../../src/engine/run-source.ts';
import { SingleRunSource } from '../../src/runner/single-run-source.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import type { Metrics } from '../../src/telemetry/metrics.ts';
import { asEngine, type ModelAttempt, ModelEngine } from './model-engine.ts';
import { ModelStore } from './model-store.ts';

/**
 * Runs a run to its end by the real loop, with these metrics; its programs end as soon as they have begun.
 * @param howItEnds of each attempt
 */
export async function runMeasured(
  run: RunDefinition,
  metrics: Metrics,
  howItEnds: (attempt: ModelAttempt) => Termination,
): Promise<void> {
  const engine = new ModelEngine(Date.now);
  const listeners = new Set<(uid: string) => void>();
  let isOver = false;
  const source: RunSource = new SingleRunSource({
    uid: run.uid,
    manifest: run.manifest,
    directory: '/',
    status: undefined,
    onStatus: (status) => {
      isOver ||= finishedCondition(status) !== undefined;
    },
  });
  const controller = startController({
    source,
    engine: asEngine(engine, listeners),
    store: metrics.store.measured(new ModelStore(run)),
    logger: createLogger('error'),
    onEvent: metrics.runs.observe,
    queueObserver: metrics.queue,
    now: Date.now,
    random: () => 0.5,
    statusIntervalMs: 0,
    deletionPatienceMs: Number.POSITIVE_INFINITY,
    concurrency: 1,
  });
  const unfollow = [
    metrics.runs.follow(controller),
    metrics.queue.follow(() => controller.queue()),
    metrics.objects.follow(() => [{ namespace: run.namespace, status: source.get(run.uid)?.status }]),
  ];
  while (!isOver) {
    await nextTurn();
    for (const attempt of engine.attemptsOf(run.uid)) {
      if (attempt.state.kind === 'Waiting') engine.begin(attempt);
      else if (attempt.state.kind === 'Running') engine.end(attempt, howItEnds(attempt));
    }
    for (const listener of listeners) listener(run.uid);
  }
  await metrics.text();
  for (const stop of unfollow) stop();
  await controller.stop(10_000);
}
