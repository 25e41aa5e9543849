import { describe, expect, it } from 'vitest';
import scipy from '../../test/data/scipy/student-t.json' with { type: 'json' };
import { criticalValue, criticalValues, twoSidedPValue } from './student-t.ts';

describe("Student's t distribution", () => {
  it.each([
    // NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2, upper critical values.
    [1, 0.95, 12.706],
    [5, 0.95, 2.571],
    [10, 0.9, 1.812],
    [10, 0.95, 2.228],
    [20, 0.99, 2.845],
    [30, 0.95, 2.042],
    [100, 0.998, 3.174],
  ])('has the published critical value for %d degrees of freedom and %d', (df, confidence, published) => {
    expect(Math.abs(criticalValue(confidence, df) - published)).toBeLessThanOrEqual(0.0005);
  });

  it.each(scipy.cases.pValues)('has the p-value of scipy for t = $t and df = $df', ({ t, df, pValue }) => {
    expect(Math.abs(twoSidedPValue(t, df) - pValue)).toBeLessThanOrEqual(1e-9 * pValue);
    expect(twoSidedPValue(-t, df)).toBe(twoSidedPValue(t, df));
  });

  it.each(scipy.cases.criticalValues)(
    'has the critical value of scipy for $confidence and df = $df',
    ({ confidence, df, t }) => {
      expect(Math.abs(criticalValue(confidence, df) / t - 1)).toBeLessThan(1e-9);
    },
  );

  it('has the same critical values also when they are asked for again', () => {
    const critical = criticalValues(0.9);
    for (const df of [2, 9, 2, 9]) expect(critical(df)).toBe(criticalValue(0.9, df));
  });

  it('says of an infinite t that it never happens, and of 0 that it always does', () => {
    expect(twoSidedPValue(Number.POSITIVE_INFINITY, 3)).toBe(0);
    expect(twoSidedPValue(1e200, 3)).toBe(0);
    expect(twoSidedPValue(0, 3)).toBe(1);
  });
});
