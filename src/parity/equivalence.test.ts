import fc from 'fast-check';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { describe, expect, it } from 'vitest';
import { equivalences, type SamplePair } from './equivalence.ts';

const one = (pair: SamplePair, tolerance = 0.05) => {
  const [result] = equivalences([pair], tolerance, 0.95);
  if (result === undefined) throw new Error('no result');
  return result;
};

describe('the verdict on two samples', () => {
  const cases: readonly (readonly [string, SamplePair, string])[] = [
    [
      'Equal within the tolerance',
      [
        [100, 101, 99, 100],
        [101, 102, 100, 101],
      ],
      'Equal',
    ],
    [
      'Different beyond it',
      [
        [100, 101, 99, 100],
        [120, 121, 119, 120],
      ],
      'Different',
    ],
    [
      'Undecided when they vary too much',
      [
        [100, 140, 60, 100],
        [120, 90, 150, 100],
      ],
      'Undecided',
    ],
    [
      'Undecided just beyond the tolerance',
      [
        [100, 101, 99, 100],
        [106, 107, 105, 106],
      ],
      'Undecided',
    ],
    ['Undecided with one value', [[100], [100]], 'Undecided'],
    [
      'Equal when neither varies and both are the same',
      [
        [3, 3],
        [3, 3],
      ],
      'Equal',
    ],
    [
      'Equal when both are zero',
      [
        [0, 0],
        [0, 0],
      ],
      'Equal',
    ],
    [
      'Different when neither varies and they are further apart',
      [
        [3, 3],
        [4, 4],
      ],
      'Different',
    ],
  ];
  it.each(cases)('is %s', (_, pair, verdict) => {
    expect(one(pair).verdict).toBe(verdict);
  });

  it('takes the margin of the larger mean', () => {
    expect(
      one(
        [
          [90, 90],
          [100, 100],
        ],
        0.1,
      ),
    ).toMatchObject({ margin: 10, difference: -10, verdict: 'Equal' });
  });

  it('is the same in either order, and never Different for samples that are the same', () => {
    const sample = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(sample, sample, (first, second) => {
        const [there, back] = [one([first, second]), one([second, first])];
        expect(back.verdict).toBe(there.verdict);
        expect(one([first, first]).verdict).not.toBe('Different');
      }),
    );
  });
});

/** About normal with standard deviation 1: the sum of twelve uniform numbers (Irwin–Hall). */
function normals(
  random: ReturnType<typeof xoroshiro128plus>,
  count: number,
  mean: number,
): readonly number[] {
  return Array.from({ length: count }, () => {
    let sum = 0;
    for (let part = 0; part < 12; part += 1) sum += uniformInt(random, 0, 999_999) / 1_000_000;
    return mean + sum - 6;
  });
}

describe('how often it is wrong', () => {
  // At the border both errors are as frequent as they can be. 100 ± 5 %: the means are 95 and 100.
  const TRIES = 2_000;
  it('says Different of hardly more than 5 % of families of ten pairs at the border, and Equal of fewer pairs', () => {
    const random = xoroshiro128plus(20_261_125);
    let familiesWrong = 0;
    let equal = 0;
    for (let family = 0; family < TRIES / 10; family += 1) {
      const pairs = Array.from(
        { length: 10 },
        (): SamplePair => [normals(random, 8, 100), normals(random, 8, 95)],
      );
      const verdicts = equivalences(pairs, 0.05, 0.95).map(({ verdict }) => verdict);
      if (verdicts.includes('Different')) familiesWrong += 1;
      equal += verdicts.filter((verdict) => verdict === 'Equal').length;
    }
    // With this seed; binomial bounds are about 0.025 ± 0.02 of families and 0.025 ± 0.01 of pairs.
    expect(familiesWrong / (TRIES / 10)).toBeLessThanOrEqual(0.07);
    expect(equal / TRIES).toBeLessThanOrEqual(0.04);
  });
});
