import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import scipy from '../../test/data/scipy/welch.json' with { type: 'json' };
import { hedgesG } from './hedges-g.ts';
import { momentsOf } from './moments.ts';
import { welchDifference, welchInterval, welchPValue } from './welch.ts';

const compare = (one: readonly number[], other: readonly number[], confidence = 0.95) => {
  const difference = welchDifference(momentsOf(one), momentsOf(other));
  if (difference === undefined) throw new Error('a sample is too small');
  const interval = welchInterval(difference, confidence) ?? { low: Number.NaN, high: Number.NaN };
  return { ...difference, interval, pValue: welchPValue(difference) };
};

const values = fc.array(fc.integer({ min: -100, max: 100 }), { minLength: 2, maxLength: 8 });

describe("Welch's t-test", () => {
  it("has the published result of Student's sleep data (Student 1908; t.test(extra ~ group) of R)", () => {
    const one = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0, 2];
    const other = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
    const { difference, standardError, df, pValue, interval } = compare(one, other);
    expect(difference / standardError).toBeCloseTo(-1.8608, 4);
    expect(df).toBeCloseTo(17.776, 3);
    expect(pValue).toBeCloseTo(0.07939, 5);
    expect(interval.low).toBeCloseTo(-3.3654832, 7);
    expect(interval.high).toBeCloseTo(0.2054832, 7);
  });

  it('has the published result of AUTO83B, NIST/SEMATECH e-Handbook 1.3.5.3', () => {
    const difference = welchDifference(
      { n: 249, mean: 20.14458, stddev: 6.4147 },
      { n: 79, mean: 30.48101, stddev: 6.10771 },
    );
    expect((difference?.difference ?? 0) / (difference?.standardError ?? 1)).toBeCloseTo(-12.94627, 4);
    expect(difference?.df).toBeCloseTo(136.875, 3);
  });

  it.each(scipy.cases.map((values, index) => ({ ...values, index })))(
    'agrees with scipy on case $index',
    ({ one, other, t, df, pValue, interval95: [low, high] }) => {
      const own = compare(one, other);
      expect(own.difference / own.standardError).toBeCloseTo(t, 9);
      expect(own.df).toBeCloseTo(df, 8);
      expect(Math.abs(own.pValue / pValue - 1)).toBeLessThan(1e-8);
      expect(own.interval.low).toBeCloseTo(low ?? Number.NaN, 8);
      expect(own.interval.high).toBeCloseTo(high ?? Number.NaN, 8);
    },
  );

  it('cannot be made of one value', () => {
    expect(welchDifference(momentsOf([1]), momentsOf([1, 2, 3]))).toBeUndefined();
    expect(hedgesG(momentsOf([1, 2, 3]), momentsOf([1]))).toBeUndefined();
  });

  it('is certain where nothing varies', () => {
    expect(compare([3, 3], [2, 2, 2])).toMatchObject({ pValue: 0, interval: { low: 1, high: 1 } });
    expect(compare([3, 3], [3, 3])).toMatchObject({ pValue: 1, difference: 0 });
    expect(hedgesG(momentsOf([3, 3]), momentsOf([2, 2]))).toBeUndefined();
    expect(hedgesG(momentsOf([0.1, 0.1, 0.1]), momentsOf([0.2, 0.2, 0.2]))).toBeUndefined();
  });

  it('takes what the rounding of sums leaves for no variation', () => {
    expect(compare([0.1 + 0.2, 0.3, 0.3], [0.3, 0.3])).toMatchObject({ pValue: 1, difference: 0 });
  });

  it('turns around with its samples', () => {
    fc.assert(
      fc.property(values, values, (one, other) => {
        const [there, back] = [compare(one, other), compare(other, one)];
        expect(back.difference).toBe(-there.difference + 0);
        expect(back.pValue).toBe(there.pValue);
        expect(back.interval.low).toBeCloseTo(-there.interval.high, 9);
      }),
    );
  });

  it('depends neither on the unit nor on where zero is', () => {
    fc.assert(
      fc.property(
        values,
        values,
        fc.constantFrom(0.001, 60, 1_024),
        fc.integer({ min: -50, max: 50 }),
        (one, other, factor, offset) => {
          const convert = (list: readonly number[]) => list.map((value) => (value + offset) * factor);
          expect(compare(convert(one), convert(other)).pValue).toBeCloseTo(compare(one, other).pValue, 6);
        },
      ),
    );
  });

  it.each([1e-170, 1e-250, 1e-305, 1e170, 1e290])(
    'has the same result for values of the size of %d',
    (unit) => {
      const [one, other] = [
        [1, 5, 3, 9],
        [2, 4, 6, 7],
      ];
      const sized = (list: readonly number[]) => list.map((value) => value * unit);
      const { pValue, interval } = compare(one, other);
      const own = compare(sized(one), sized(other));
      expect(own.pValue).toBeCloseTo(pValue, 9);
      expect(own.interval.low / unit).toBeCloseTo(interval.low, 9);
      const g = hedgesG(momentsOf(one), momentsOf(other));
      expect(hedgesG(momentsOf(sized(one)), momentsOf(sized(other)))).toBeCloseTo(g ?? Number.NaN, 9);
    },
  );

  it('calls a difference significant exactly when its interval does not hold 0', () => {
    fc.assert(
      fc.property(values, values, fc.constantFrom(0.8, 0.95, 0.99), (one, other, confidence) => {
        const { pValue, interval } = compare(one, other, confidence);
        fc.pre(Math.abs(pValue - (1 - confidence)) > 1e-6);
        expect(interval.low > 0 || interval.high < 0).toBe(pValue < 1 - confidence);
      }),
    );
  });
});

describe("Hedges' g", () => {
  it('has the published value of Borenstein et al. 2009, chapter 4', () => {
    const g = hedgesG({ n: 50, mean: 103, stddev: 5.5 }, { n: 50, mean: 100, stddev: 4.5 });
    expect(g).toBeCloseTo(0.5924, 4);
  });

  it('turns around with its samples, and does not depend on the unit', () => {
    fc.assert(
      fc.property(values, values, (one, other) => {
        const g = hedgesG(momentsOf(one), momentsOf(other)) ?? 0;
        expect(hedgesG(momentsOf(other), momentsOf(one)) ?? 0).toBeCloseTo(-g, 9);
        const inSeconds = (list: readonly number[]) => momentsOf(list.map((value) => value / 1_000));
        expect(hedgesG(inSeconds(one), inSeconds(other)) ?? 0).toBeCloseTo(g, 6);
      }),
    );
  });
});
