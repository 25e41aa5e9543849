/** What of the loop depends on its clock; the rest is in invariants.test.ts, and with real parts in the integration tests. */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { asEngine, ModelEngine } from '../../test/builders/model-engine.ts';
import { ModelStore } from '../../test/builders/model-store.ts';
import { aRun } from '../../test/builders/run.ts';
import type { DesiredRun, RunSource } from '../engine/run-source.ts';
import { SingleRunSource } from '../runner/single-run-source.ts';
import { createLogger } from '../telemetry/logger.ts';
import { startController } from './controller.ts';

const RETRY_AFTER_MS = 1_000;
const MOST_READINGS = 40;

/**
 * One start that is postponed. By this clock the timer for the next try fires early, and a millisecond goes by with each reading of it.
 * @returns how often the start was asked for
 */
async function tries(firesEarlyByMs: number): Promise<number> {
  const run = aRun();
  let now = 1_000_000;
  const clock = () => {
    now += 1;
    return now;
  };
  const engine = new ModelEngine(clock);
  engine.startFaults.push('Postponed');
  let starts = 0;
  const controller = startController({
    source: new SingleRunSource({
      uid: run.uid,
      manifest: run.manifest,
      directory: '/',
      status: undefined,
      onStatus: () => {},
    }),
    engine: {
      ...asEngine(engine),
      startAttempt(request) {
        starts += 1;
        return engine.startAttempt(request);
      },
    },
    store: new ModelStore(run),
    logger: createLogger('silent'),
    now: clock,
    random: () => 0.5,
    statusIntervalMs: 0,
    deletionPatienceMs: Number.POSITIVE_INFINITY,
    concurrency: 1,
  });
  await vi.waitUntil(() => starts === 1);
  await delay(RETRY_AFTER_MS / 2);
  now += RETRY_AFTER_MS - MOST_READINGS - firesEarlyByMs;
  await vi.waitUntil(() => starts > 1, 3_000).catch(() => {});
  await controller.stop(1_000);
  return starts;
}

it('tries again what was postponed, also when its time comes while it looks', async () => {
  const early = Array.from({ length: MOST_READINGS }, (_, index) => index);
  expect(await Promise.all(early.map(tries))).toEqual(early.map(() => 2));
});

it('keeps nothing of an object that is gone, also when it never had a run', async () => {
  const run = aRun();
  const refused: DesiredRun = {
    kind: 'Invalid',
    uid: run.uid,
    generation: 1,
    status: undefined,
    deletedAt: undefined,
    isHeld: false,
    message: 'spec.variants: expected a list',
  };
  let desired: DesiredRun | undefined = refused;
  let look = (_key: string): void => {};
  let written = 0;
  let looks = 0;
  const source: RunSource = {
    directory: undefined,
    get: () => {
      looks += 1;
      return desired;
    },
    keys: () => ['ns/a'],
    keyOf: () => 'ns/a',
    writeStatus: () => {
      written += 1;
      return Promise.resolve(true);
    },
    hold: () => Promise.resolve(),
    letGo: () => Promise.resolve(),
    remove: () => Promise.resolve(),
    onChange: (listener) => {
      look = listener;
      return () => {};
    },
  };
  const controller = startController({
    source,
    engine: asEngine(new ModelEngine(Date.now)),
    store: new ModelStore(run),
    logger: createLogger('silent'),
    now: Date.now,
    random: () => 0.5,
    statusIntervalMs: 0,
    deletionPatienceMs: Number.POSITIVE_INFINITY,
    concurrency: 1,
  });
  const looked = async (): Promise<void> => {
    const before = looks;
    look('ns/a');
    await vi.waitUntil(() => looks > before);
  };
  await vi.waitUntil(() => written === 1);
  await looked();
  expect(written).toBe(1);
  desired = undefined;
  await looked();
  // What the controller has written is told by what it writes again.
  desired = refused;
  look('ns/a');
  await vi.waitUntil(() => written === 2, 3_000).catch(() => {});
  expect(written).toBe(2);
  await controller.stop(1_000);
});
