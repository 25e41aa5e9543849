import { rmSync } from 'node:fs';
import { defineRun } from '../../src/core/run.ts';
import type { AttemptRecord, ResultStore } from '../../src/results/result-store.ts';
import { openResultStore } from '../../src/runner/result-store.ts';
import { manifestOf } from './core.ts';
import { type Figure, percentile } from './figure.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const RECORDS = 10_000;
const SEQUENTIAL = 1_000;
const CONCURRENCY = 32;

/** The cost of storing results in the embedded Postgres, each in its own durable transaction. */
export async function benchStore(): Promise<readonly Figure[]> {
  const dataDirectory = temporaryDirectory();
  const store = await openResultStore({ kind: 'embedded', dataDirectory });
  try {
    const opened = performance.now();
    const records = await recordsOfNewRun(store);
    const openMs = performance.now() - opened;
    const latencies: number[] = [];
    for (const record of records.slice(0, SEQUENTIAL)) {
      const start = performance.now();
      await store.recordAttempt(record);
      latencies.push(performance.now() - start);
    }
    const rest = records.slice(SEQUENTIAL);
    const start = performance.now();
    await drain(rest, (record) => store.recordAttempt(record));
    const perSecond = rest.length / ((performance.now() - start) / 1_000);
    return [
      { name: `register a run of ${RECORDS} trials`, value: openMs, unit: 'ms', budget: { atMost: 2_000 } },
      { name: 'store one result, p50', value: percentile(latencies, 0.5), unit: 'ms', budget: { atMost: 5 } },
      {
        name: `results stored a second, ${CONCURRENCY} at once`,
        value: perSecond,
        unit: 'results/s',
        budget: { atLeast: 2_000 },
      },
    ];
  } finally {
    await store.close();
    rmSync(dataDirectory, { recursive: true, force: true });
  }
}

async function recordsOfNewRun(store: ResultStore): Promise<readonly AttemptRecord[]> {
  const run = defineRun(manifestOf(RECORDS), { uid: crypto.randomUUID(), engine: 'local' });
  const { fence } = await store.openRun(run);
  return run.trials.map(({ variant, repetition }, index) => ({
    runUid: run.uid,
    fence,
    variantId: variant.id,
    repetition,
    attempt: 1,
    name: `bench-${index}`,
    judgement: {
      outcome: 'Succeeded',
      reason: 'Completed',
      message: '',
      exitCode: 0,
      result: {
        metrics: new Map([
          ['m', index],
          ['duration_seconds', 0.1],
        ]),
        artifacts: [],
        outputs: undefined,
      },
    },
    startedAt: new Date(),
    finishedAt: new Date(),
    logs: undefined,
    trialAfter: { phase: 'Succeeded' },
  }));
}

async function drain<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const queue = items.values();
  await Promise.all(
    Array.from({ length: CONCURRENCY }, async () => {
      for (const item of queue) await work(item);
    }),
  );
}
