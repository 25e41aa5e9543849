/** The views of the database and the code of src/comparison name the same best variant, by the same scores. */
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ObjectiveMetric } from '../../src/api/v1alpha1/schema.ts';
import { comparisonMatrix } from '../../src/comparison/comparison-matrix.ts';
import type { RunDefinition } from '../../src/core/run.ts';
import { RunLedger } from '../../src/core/run-ledger.ts';
import { openPostgresResultStore } from '../../src/results/postgres/open-postgres-result-store.ts';
import { aRecord } from '../../src/results/result-store.testsuite.ts';
import type { ResultStore, StoredRun } from '../../src/results/result-store.ts';
import { aRun } from '../builders/run.ts';
import { type Connection, type PostgresServer, query, startPostgresServer } from './postgres-server.ts';

let server: PostgresServer;
let connection: Connection;
let store: ResultStore;

beforeAll(async () => {
  server = await startPostgresServer();
  connection = await server.createDatabase();
  store = await openPostgresResultStore({ connection });
});
afterAll(async () => {
  await store?.close();
  await server?.stop();
});

describe('the views', () => {
  it('agree with the code on every score, rank and statistic, and on the best variant', async () => {
    const seen = { ties: 0, lone: 0, none: 0, disqualified: 0, tieBroken: 0, stopped: 0 };
    await fc.assert(
      fc.asyncProperty(aResultSet, async (results) => {
        const { run, stored } = await storeRun(results);
        const opened = await store.openRun(run);
        const best = new RunLedger(run, opened.trials, opened.end, opened).samples.best();
        const expected = comparisonMatrix(stored);

        const scores = await scoresOf(run);
        expect(scores.map(({ variant }) => variant)).toEqual(run.variants.map(({ name }) => name));
        for (const { variant, score, rank } of scores) {
          const row = expected.find((candidate) => candidate.variant === variant);
          expect(rank).toBe(row?.rank);
          if (score === null || typeof row?.score !== 'number') expect(score).toBe(row?.score);
          else expect(Math.abs(score - row.score)).toBeLessThanOrEqual(1e-9);
        }
        expect(await bestOf(run)).toEqual(
          best === undefined
            ? undefined
            : { variant: run.variants[best.variant]?.name, score: expect.closeTo(best.score, 9) },
        );
        await expectSameStatistics(run, expected);

        const candidates = scores.filter(({ score }) => score !== null);
        if (candidates.length === 0) seen.none += 1;
        if (candidates.length === 1) seen.lone += 1;
        if (candidates.filter(({ rank }) => rank === 1).length > 1) seen.ties += 1;
        if (stored.trials.failed > 0) seen.disqualified += 1;
        const [first] = scores.filter(({ rank }) => rank === 1);
        if (best !== undefined && first?.variant !== run.variants[best.variant]?.name) seen.tieBroken += 1;
        if (opened.stoppedVariants.size > 0) seen.stopped += 1;
      }),
      { numRuns: 100, examples: [[BROKEN_TIE], [FAR_AWAY], [NOTHING_TO_SCORE]] },
    );
    // What the generator, or an example where it seldom does, must not stop to produce.
    for (const [what, times] of Object.entries(seen)) expect(times, what).toBeGreaterThan(0);
  });

  it('answer also when a program reported the largest and the smallest numbers there are', async () => {
    const extremes = [Number.MAX_VALUE, -Number.MAX_VALUE, 5e-324, -5e-324, 1e-308, 1e200, 0];
    const { run } = await storeRun({
      metrics: [
        { name: 'x', goal: 'minimize', weight: '0.000000000000000001' },
        { name: 'y', goal: 'maximize', weight: 1_000_000_000 },
      ],
      variants: extremes.map((x) => [
        { kind: 'Succeeded', values: [x, x] },
        { kind: 'Succeeded', values: [x, 1] },
      ]),
    });
    const scores = await scoresOf(run);
    expect(scores).toHaveLength(extremes.length);
    for (const { score } of scores) {
      expect(score).toBeGreaterThanOrEqual(0);
      expect(score).toBeLessThanOrEqual(1);
    }
    const rows = await query(connection, 'select * from batchtest.comparison_matrix where run_uid = $1', [
      run.uid,
    ]);
    expect(rows).toHaveLength(3 * extremes.length);
    expect((await bestOf(run))?.variant).toBe('a');
  });

  it('call means equal that differ by the rounding of their sums only, as the code does', async () => {
    const sample: TrialResult = { kind: 'Succeeded', values: [0.2] };
    const { run, stored } = await storeRun({
      metrics: [{ name: 'x', goal: 'minimize', weight: '1' }],
      variants: [
        [sample, { kind: 'Pending' }, { kind: 'Pending' }],
        [sample, sample, sample],
      ],
    });
    expect((await scoresOf(run)).map(({ score }) => score)).toEqual([1, 1]);
    expect(comparisonMatrix(stored).map(({ score }) => score)).toEqual([1, 1]);
  });

  it('name no best variant of a run whose shared data has changed, nor does the code', async () => {
    const good: TrialResult = { kind: 'Succeeded', values: [1] };
    const { run } = await storeRun({
      metrics: [{ name: 'x', goal: 'minimize', weight: '1' }],
      variants: [[good], [{ kind: 'Succeeded', values: [2] }]],
    });
    expect((await bestOf(run))?.variant).toBe('a');
    const { fence } = await store.openRun(run);
    await store.finishRun(run.uid, fence, { state: 'Failed', reason: 'SharedDataChanged', message: '' });
    expect(await bestOf(run)).toBeUndefined();
    expect((await scoresOf(run)).map(({ score }) => score)).toEqual([null, null]);
    const stored = await store.loadRun(run.uid);
    expect(stored && comparisonMatrix(stored).map(({ score }) => score)).toEqual([null, null]);
  });

  it('tell the runs of one name apart', async () => {
    const metrics: readonly ObjectiveMetric[] = [{ name: 'x', goal: 'minimize', weight: '1' }];
    const good: TrialResult = { kind: 'Succeeded', values: [1] };
    const bad: TrialResult = { kind: 'Succeeded', values: [2] };
    const one = await storeRun({ metrics, variants: [[good], [bad]] });
    const two = await storeRun({ metrics, variants: [[bad], [good]] });
    expect((await bestOf(one.run))?.variant).toBe('a');
    expect((await bestOf(two.run))?.variant).toBe('b');
    const rows = await query<{ run_uid: string; variant: string }>(
      connection,
      'select run_uid, variant from batchtest.best_variant where run_uid = any($1)',
      [[one.run.uid, two.run.uid]],
    );
    expect(rows).toHaveLength(2);
  });
});

type TrialResult =
  | { readonly kind: 'Succeeded'; readonly values: readonly number[] }
  | { readonly kind: 'Failed' }
  | { readonly kind: 'Pending' };

interface ResultSet {
  readonly metrics: readonly ObjectiveMetric[];
  /** By variant, then by repetition. */
  readonly variants: readonly (readonly TrialResult[])[];
  /** Metrics; none when left out. */
  readonly tieBreak?: readonly string[];
  /** Indices of variants that are stopped early. */
  readonly stopped?: readonly number[];
}

/** Both are best on one of two metrics, so that the second is the best by the tie-break alone. */
const BROKEN_TIE: ResultSet = {
  metrics: [
    { name: 'x', goal: 'minimize', weight: '1' },
    { name: 'y', goal: 'maximize', weight: '1' },
  ],
  variants: [[{ kind: 'Succeeded', values: [1, 1] }], [{ kind: 'Succeeded', values: [2, 2] }]],
  tieBreak: ['y'],
};

/** One is so far behind that all others score 1 but for less than a billionth; another is as far ahead, on the metric of less weight. */
const FAR_AWAY: ResultSet = {
  metrics: [
    { name: 'x', goal: 'minimize', weight: '1' },
    { name: 'y', goal: 'maximize', weight: '0.5' },
  ],
  variants: [
    [{ kind: 'Succeeded', values: [0.91, 90] }],
    [{ kind: 'Succeeded', values: [0.17, 90] }],
    [{ kind: 'Succeeded', values: [0.17, 100] }],
    [{ kind: 'Succeeded', values: [3.2e12, 95] }],
    [{ kind: 'Succeeded', values: [3e12, 1e15] }],
  ],
};

/** No variant has a result to be scored by. */
const NOTHING_TO_SCORE: ResultSet = {
  metrics: [{ name: 'x', goal: 'minimize', weight: '1' }],
  variants: [[{ kind: 'Pending' }], [{ kind: 'Failed' }]],
};

/** Stores a run with these results, after a lost attempt where the repetition is odd. */
async function storeRun({
  metrics,
  variants,
  tieBreak = [],
  stopped = [],
}: ResultSet): Promise<{ run: RunDefinition; stored: StoredRun }> {
  const run = aRun({
    uid: randomUUID(),
    variants: variants.length,
    repetitions: variants[0]?.length ?? 1,
    metrics: [...metrics],
    spec: {
      comparison: {
        ...(tieBreak.length === 0 ? {} : { tieBreak: [...tieBreak] }),
        ...((variants[0]?.length ?? 1) > 2 ? { earlyStopping: { minRepetitions: 2 } } : {}),
      },
    },
  });
  const { fence } = await store.openRun(run);
  await Promise.all(
    run.trials.map(async ({ variant, repetition }, trial) => {
      const result = variants[run.variants.indexOf(variant)]?.[repetition];
      if (result === undefined || result.kind === 'Pending') return;
      const lost = repetition % 2;
      if (lost) {
        const options = { trial, outcome: 'Infrastructure', trialPhase: 'Pending' } as const;
        await store.recordAttempt(aRecord(run, fence, options));
      }
      const options = { trial, attempt: 1 + lost };
      await store.recordAttempt(
        result.kind === 'Failed'
          ? aRecord(run, fence, { ...options, outcome: 'TestFailed', trialPhase: 'Failed' })
          : aRecord(run, fence, { ...options, result: aResult(metrics, result.values) }),
      );
    }),
  );
  await store.skipTrials({
    runUid: run.uid,
    fence,
    trials: [],
    stoppedVariantIds: stopped.flatMap((index) => run.variants[index]?.id ?? []),
    look: 1,
  });
  const stored = await store.loadRun(run.uid);
  if (stored === undefined) throw new Error(`run ${run.uid} is not stored`);
  return { run, stored };
}

const aResult = (metrics: readonly ObjectiveMetric[], values: readonly number[]) => ({
  metrics: new Map([
    ...metrics.map(({ name }, position): [string, number] => [name, values[position] ?? 0]),
    // Not part of the objective.
    ['duration_seconds', (values[0] ?? 0) / 3],
  ]),
  artifacts: [],
  outputs: undefined,
});

interface ScoreRow {
  readonly variant: string;
  readonly score: number | null;
  readonly rank: number | null;
}

const scoresOf = (run: RunDefinition): Promise<readonly ScoreRow[]> =>
  query<ScoreRow>(
    connection,
    'select variant, score, rank::int from batchtest.variant_scores where run_uid = $1 order by position',
    [run.uid],
  );

async function bestOf(run: RunDefinition): Promise<Omit<ScoreRow, 'rank'> | undefined> {
  const [best] = await query<ScoreRow>(
    connection,
    'select variant, score from batchtest.best_variant where run_uid = $1',
    [run.uid],
  );
  return best;
}

async function expectSameStatistics(
  run: RunDefinition,
  expected: ReturnType<typeof comparisonMatrix>,
): Promise<void> {
  const rows = await query<{
    variant: string;
    metric: string;
    samples: number;
    mean: number;
    stddev: number | null;
    min: number;
    max: number;
  }>(
    connection,
    `select variant, metric, samples::int, mean, stddev, min, max from batchtest.comparison_matrix
     where run_uid = $1 and metric is not null`,
    [run.uid],
  );
  expect(rows).toHaveLength(expected.reduce((count, { metrics }) => count + Object.keys(metrics).length, 0));
  for (const { variant, metric, samples, mean, stddev, min, max } of rows) {
    const summary = expected.find((row) => row.variant === variant)?.metrics[metric];
    expect({ n: samples, mean, min, max }).toEqual({
      n: summary?.n,
      mean: summary?.mean,
      min: summary?.min,
      max: summary?.max,
    });
    // Two ways to the same deviation differ in the last digits of the values that they are made of; squares below 1e-308 vanish.
    const tolerance = Math.max(1e-150, 1e-9 * Math.max(Math.abs(min), Math.abs(max)));
    expect(Math.abs((stddev ?? -1) - (summary?.stddev ?? -1))).toBeLessThanOrEqual(tolerance);
  }
}

/** Numbers with many equal ones, with equal sums, with nothing in common, and of any size. */
const someNumbers: readonly fc.Arbitrary<number>[] = [
  fc.constant(0.2),
  fc.integer({ min: 0, max: 2 }),
  fc.integer({ min: -30, max: 30 }).map((tenths) => tenths / 10),
  fc
    .double({ min: -1_000, max: 1_000, noNaN: true })
    .map((number) => (Math.abs(number) < 1e-200 ? 0 : number)),
  fc.integer({ min: -140, max: 140 }).map((exponent) => 10 ** exponent),
];

const anObjectiveMetric = fc.record({
  goal: fc.constantFrom('minimize' as const, 'maximize' as const),
  weight: fc.oneof(
    fc.integer({ min: 1, max: 1_000_000 }),
    fc.integer({ min: 1, max: 9_999 }).map((thousandths) => (thousandths / 1_000).toFixed(3)),
  ),
  numbers: fc.constantFrom(...someNumbers),
});

const aResultSet: fc.Arbitrary<ResultSet> = fc
  .record({
    metrics: fc.array(anObjectiveMetric, { minLength: 1, maxLength: 4 }),
    variants: fc.integer({ min: 1, max: 5 }),
    repetitions: fc.integer({ min: 1, max: 4 }),
  })
  .chain(({ metrics, variants, repetitions }) => {
    const aTrial: fc.Arbitrary<TrialResult> = fc.oneof(
      {
        weight: 16,
        arbitrary: fc
          .tuple(...metrics.map(({ numbers }) => numbers))
          .map((values): TrialResult => ({ kind: 'Succeeded', values })),
      },
      { weight: 1, arbitrary: fc.constant<TrialResult>({ kind: 'Failed' }) },
      { weight: 2, arbitrary: fc.constant<TrialResult>({ kind: 'Pending' }) },
    );
    const names = metrics.map((_, position) => `m${position}`);
    return fc
      .record({
        results: fc.array(fc.array(aTrial, { minLength: repetitions, maxLength: repetitions }), {
          minLength: variants,
          maxLength: variants,
        }),
        tieBreak: fc.shuffledSubarray(names),
        stopped: repetitions > 2 ? fc.subarray([...Array(variants).keys()]) : fc.constant([]),
      })
      .map(
        ({ results, tieBreak, stopped }): ResultSet => ({
          metrics: metrics.map(({ goal, weight }, position) => ({ name: `m${position}`, goal, weight })),
          variants: results,
          tieBreak,
          stopped,
        }),
      );
  });
