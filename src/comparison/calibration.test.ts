/** That errors are as rare as the confidence says, in simulated runs of which the truth is known. Seeded: the same rates each time. */
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { describe, expect, it } from 'vitest';
import type { Objective } from '../api/v1alpha1/schema.ts';
import { verdicts } from './baseline-comparison.ts';
import { bestVariant } from './best-variant.ts';
import type { Candidate } from './candidate.ts';
import { behindAtLook, type Contestant, lookRepetitions } from './early-stopping.ts';
import { meanInterval } from './mean-interval.ts';
import { momentsOf } from './moments.ts';
import { criticalValues } from './student-t.ts';
import { welchDifference, welchPValue } from './welch.ts';

const OBJECTIVE: Objective = {
  metrics: [
    { name: 'p95_ms', goal: 'minimize', weight: '1' },
    { name: 'throughput', goal: 'maximize', weight: '0.5' },
  ],
};

/** Normally distributed numbers (Box & Muller 1958). */
function normal(seed: number): (mean: number, stddev: number) => number {
  const random = xoroshiro128plus(seed);
  return (mean, stddev) => {
    const radius = Math.sqrt(-2 * Math.log(1 - uniformFloat64(random)));
    return mean + stddev * radius * Math.cos(2 * Math.PI * uniformFloat64(random));
  };
}

const times = <T>(count: number, make: (index: number) => T): readonly T[] =>
  Array.from({ length: count }, (_, index) => make(index));

/** How often something happens. */
const rateOf = (runs: number, happens: () => boolean): number =>
  times(runs, happens).filter(Boolean).length / runs;

describe('with a confidence of 0.95', () => {
  it.each([
    { sizes: [5, 5], deviations: [1, 1] },
    { sizes: [4, 12], deviations: [3, 1] },
    { sizes: [3, 3], deviations: [1, 2] },
  ] as const)(
    'about 5 % of equal means are called different: $sizes, $deviations',
    ({ sizes, deviations }) => {
      const draw = normal(1);
      const sample = (side: 0 | 1) => momentsOf(times(sizes[side], () => draw(10, deviations[side])));
      const rate = rateOf(8_000, () => {
        const difference = welchDifference(sample(0), sample(1));
        return difference !== undefined && welchPValue(difference) <= 0.05;
      });
      // Welch's test is a little conservative with very few values.
      expect(rate).toBeGreaterThan(0.025);
      expect(rate).toBeLessThan(0.06);
    },
  );

  it('about 95 % of intervals hold the mean', () => {
    const draw = normal(2);
    const rate = rateOf(8_000, () => {
      const interval = meanInterval(momentsOf(times(4, () => draw(10, 3))), criticalValues(0.95));
      return interval !== undefined && interval.low <= 10 && interval.high >= 10;
    });
    expect(rate).toBeGreaterThan(0.94);
    expect(rate).toBeLessThan(0.96);
  });

  const equals = (draw: ReturnType<typeof normal>, variants: number, trials: number): Candidate[] => [
    ...times(variants, (index) => ({
      name: `v${index}`,
      samples: [times(trials, () => draw(40, 2)), times(trials, () => draw(900, 30))],
    })),
  ];

  it.each([
    { shape: 'normal', of: (value: number) => value },
    { shape: 'lognormal, as latencies may be,', of: (value: number) => Math.exp((value - 40) / 2) },
  ])(
    'at most 5 % of runs of equal variants with $shape values have any verdict that says otherwise',
    ({ of }) => {
      const draw = normal(3);
      const shaped = () =>
        equals(draw, 5, 5).map(({ name, samples: [first = [], ...others] }) => ({
          name,
          samples: [first.map(of), ...others],
        }));
      const rate = rateOf(3_000, () =>
        [...verdicts(OBJECTIVE, 0.95, 'v0', shaped()).values()]
          .flat()
          .some(({ verdict }) => verdict !== 'NoDifference'),
      );
      expect(rate).toBeGreaterThan(0.01);
      expect(rate).toBeLessThan(0.055);
    },
  );

  it.each([2, 4, 12])(
    'at most 5 %% of runs of %d equal variants leave one of them out of the best',
    (variants) => {
      const draw = normal(4);
      const rate = rateOf(2_000, () => {
        const best = bestVariant(OBJECTIVE, { confidence: '0.95' }, equals(draw, variants, 4));
        return best?.name !== 'v0' && !best?.ties.includes('v0');
      });
      expect(rate).toBeGreaterThan(0);
      expect(rate).toBeLessThan(0.055);
    },
  );

  describe('with early stopping', () => {
    const REPETITIONS = 12;
    const COMPARISON = { confidence: '0.95', earlyStopping: { looks: 4, minRepetitions: 3 } };

    /**
     * Plays a run of these variants look by look: what it leaves of each, who was stopped, and who is best or tied in the end.
     * @param baseline index of the one that is never stopped
     */
    function played(variants: readonly Candidate[], baseline?: number) {
      const stopped = new Map<number, number>();
      for (const repetitions of lookRepetitions(COMPARISON.earlyStopping, REPETITIONS)) {
        const contestants = variants.flatMap(({ samples }, variant): readonly Contestant[] =>
          stopped.has(variant)
            ? []
            : [
                {
                  variant,
                  trials: times(repetitions, (trial) => samples.map((values) => values[trial] ?? Number.NaN)),
                },
              ],
        );
        for (const variant of behindAtLook(OBJECTIVE, COMPARISON, variants.length, contestants))
          if (variant !== baseline) stopped.set(variant, repetitions);
      }
      const left = variants.map(
        ({ name, samples }, variant): Candidate => ({
          name,
          samples: samples.map((values) => values.slice(0, stopped.get(variant))),
          isStopped: stopped.has(variant),
        }),
      );
      const best = bestVariant(OBJECTIVE, COMPARISON, left);
      return { left, stopped, named: best === undefined ? [] : [best.name, ...best.ties] };
    }

    it.each([2, 4, 12])(
      'at most 5 %% of runs of %d equal variants stop one of them, or leave it out in the end',
      (variants) => {
        const draw = normal(6);
        const rate = rateOf(1_500, () => !played(equals(draw, variants, REPETITIONS)).named.includes('v0'));
        expect(rate).toBeGreaterThan(0);
        expect(rate).toBeLessThan(0.055);
      },
    );

    it.each([{ far: 1e6 }, { far: 1e13 }, { far: 1e100 }])(
      'at most 5 % of runs of four equal variants do so beside one that is $far away',
      ({ far }) => {
        const draw = normal(9);
        const diverged: Candidate = {
          name: 'diverged',
          samples: [times(REPETITIONS, () => far), times(REPETITIONS, () => -far)],
        };
        const rate = rateOf(800, () => {
          const { named } = played([...equals(draw, 4, REPETITIONS), diverged]);
          return !named.includes('v0') || named.includes('diverged');
        });
        expect(rate).toBeLessThan(0.055);
      },
    );

    it.each([
      { what: 'that warms up', warmUpMs: 12, others: 3, betterMs: 25 },
      { what: 'without a drift', warmUpMs: 0, others: 9, betterMs: 35 },
    ])(
      'at most 5 % of runs of a program $what have a wrong verdict on variants that are stopped',
      ({ warmUpMs, others, betterMs }) => {
        const draw = normal(8);
        const drift = (trial: number): number => warmUpMs * Math.exp(-trial / 3);
        const drifting = (name: string, latency: number, throughput: number): Candidate => ({
          name,
          samples: [
            times(REPETITIONS, (trial) => draw(latency + drift(trial), 2)),
            times(REPETITIONS, (trial) => draw(throughput - 10 * drift(trial), 30)),
          ],
        });
        // The others are like the baseline, and stopped for being behind one that is better than all of them.
        const runs = times(600, () => {
          const equal = times(others, (index) => drifting(`v${index}`, 40, 900));
          return played([drifting('base', 40, 900), drifting('better', betterMs, 1_000), ...equal], 0);
        });
        const shareOf = (isSo: (run: (typeof runs)[number]) => boolean): number =>
          runs.filter(isSo).length / runs.length;
        expect(shareOf(({ stopped }) => stopped.size > others / 2)).toBeGreaterThan(0.9);
        const wrong = shareOf(({ left }) =>
          [...verdicts(OBJECTIVE, 0.95, 'base', left)].some(
            ([name, judged]) => name !== 'better' && judged.some(({ verdict }) => verdict !== 'NoDifference'),
          ),
        );
        expect(wrong).toBeLessThan(0.055);
      },
    );

    it('the truly best of four is stopped in hardly any run, and those clearly behind in nearly all', () => {
      const draw = normal(7);
      const better: () => Candidate = () => ({
        name: 'better',
        samples: [times(REPETITIONS, () => draw(33, 2)), times(REPETITIONS, () => draw(960, 30))],
      });
      const runs = times(500, () => played([better(), ...equals(draw, 3, REPETITIONS)]));
      const bestStopped = runs.filter(({ stopped }) => stopped.has(0)).length / runs.length;
      const othersStopped = runs.filter(({ stopped }) => stopped.size === 3).length / runs.length;
      expect(bestStopped).toBeLessThan(0.02);
      expect(othersStopped).toBeGreaterThan(0.9);
    });
  });

  it('what is clearly best is called so', () => {
    const draw = normal(5);
    const rate = rateOf(300, () => {
      const better = {
        name: 'better',
        samples: [times(5, () => draw(30, 2)), times(5, () => draw(990, 30))],
      };
      const best = bestVariant(OBJECTIVE, { confidence: '0.95' }, [...equals(draw, 4, 5), better]);
      return best?.name === 'better' && best.evidence === 'Significant';
    });
    expect(rate).toBeGreaterThan(0.9);
  });
});
