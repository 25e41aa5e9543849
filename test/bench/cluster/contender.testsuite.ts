/** What every contender of `npm run bench:cluster` does when it is asked to; how fast is not judged. */
import { describe, expect, it } from 'vitest';
import type { Contender } from './contender.ts';
import { figuresOf } from './figures.ts';
import { type Ground, observe } from './measurement.ts';
import type { Scenario } from './scenario.ts';

export interface ContenderUnderTest {
  readonly contender: Contender;
  /** Of its own, for two batches of ten trials. */
  readonly leastWrites: number;
  /** True when there are no others. */
  readonly exactly: boolean;
}

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

/** Call once in a file. */
export function testContenders(contenders: readonly ContenderUnderTest[], ground: () => Ground): void {
  describe.each(contenders)('$contender.name', ({ contender, leastWrites, exactly }) => {
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
      // A pod is bound, and told to run and to have ended.
      expect(writes.scheduler).toBeGreaterThanOrEqual(20);
      expect(writes.kwok).toBeGreaterThanOrEqual(40);
    });

    it('is cancelled: every pod goes, none comes', async () => {
      const observation = await observe(contender, CANCELLED, ground());
      expect(figuresOf(observation)).toMatchObject({ overshoot: 0, createdAfterCancel: 0 });
      expect(observation.timeline.gone).toHaveLength(3);
    });
  });
}
