/** What every contender of `npm run bench:cluster` does when it is asked to; how fast is not judged. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { installCrd } from '../../integration/installed-crd.ts';
import { startPostgresServer } from '../../integration/postgres-server.ts';
import { startControlPlane } from '../../tools/control-plane.ts';
import { WRITES_POLICY } from './api-writes.ts';
import type { Contender } from './contender.ts';
import { figuresOf } from './figures.ts';
import { bytesOfPod, type Ground, observe } from './measurement.ts';
import type { Scenario } from './scenario.ts';
import { trialPod } from './trial-pod.ts';

export interface ContenderUnderTest {
  readonly contender: Contender;
  /** Of its own, for two batches of ten trials. */
  readonly leastWrites: number;
  /** True when there are no others. */
  readonly exactly: boolean;
  /** Its cancel frees slots before nothing is left to take them, so that it may start some more. */
  readonly refillsWhileCancelled?: true;
}

/** Where a file tests contenders: a control plane with an audit log, which belongs to the whole cluster. */
export interface TestGround {
  readonly ground: Ground;
  close(): Promise<void>;
}

export async function openTestGround(): Promise<TestGround> {
  const cluster = await startControlPlane({ auditPolicy: WRITES_POLICY });
  const [postgres, directory] = await Promise.all([
    startPostgresServer(),
    mkdtemp(join(tmpdir(), 'batchtest-bench-test-')),
    installCrd(cluster),
  ]);
  return {
    ground: { cluster, limits: 'raised', postgres, directory, warmUp: WARM_UP },
    async close() {
      await cluster.stop();
      await postgres.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

const WARM_UP: Scenario = { name: 'warm-up', trials: 10, parallelism: 5, runMs: 50 };
/** Two batches, whose programs run for different times. */
const COMPLETED: Scenario = {
  name: 'completed',
  trials: 10,
  parallelism: 3,
  runMs: 50,
  longestRunMs: 400,
  batches: 2,
};
const CANCELLED: Scenario = {
  name: 'cancelled',
  trials: 10,
  parallelism: 3,
  runMs: 3_600_000,
  isCancelled: true,
};

/**
 * Call once in a file.
 * @param ground asked for when the tests run
 */
export function testContenders(contenders: readonly ContenderUnderTest[], ground: () => Ground): void {
  describe.each(contenders)(
    '$contender.name',
    ({ contender, leastWrites, exactly, refillsWhileCancelled }) => {
      it('runs every trial of every batch once, never more at a time than may be', async () => {
        const observation = await observe(contender, COMPLETED, ground());
        const { batches, timeline, writes } = observation;
        for (const { created, ended, gone } of batches)
          expect([created.length, ended.length, gone.length]).toEqual([10, 10, 10]);
        expect(figuresOf(observation)).toMatchObject({ overshoot: 0 });
        // Each drew a time of its own.
        expect(Math.max(...timeline.runTimes) - Math.min(...timeline.runTimes)).toBeGreaterThan(100);
        if (exactly) expect(writes.contender).toBe(leastWrites);
        else expect(writes.contender).toBeGreaterThan(leastWrites);
        // All that the operator's has. The server adds to it, the same for all.
        expect(observation.podBytes).toBeGreaterThan(bytesOfPod(trialPod(COMPLETED, 'completed-0')));
        // A pod is bound, and told to run and to have ended.
        expect(writes.scheduler).toBeGreaterThanOrEqual(20);
        expect(writes.kwok).toBeGreaterThanOrEqual(40);
      });

      const comes = refillsWhileCancelled ? 'also those that still come' : 'none comes';
      it(`is cancelled: every pod goes, ${comes}`, async () => {
        const observation = await observe(contender, CANCELLED, ground());
        const { createdAfterCancel, overshoot } = figuresOf(observation);
        expect(overshoot).toBe(0);
        if (!refillsWhileCancelled) expect(createdAfterCancel).toBe(0);
        expect(observation.timeline.gone).toHaveLength(3 + (createdAfterCancel ?? Number.NaN));
      });
    },
  );
}
