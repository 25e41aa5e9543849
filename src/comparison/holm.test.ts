import fc from 'fast-check';
import { expect, it } from 'vitest';
import { holmAdjusted } from './holm.ts';

it('adjusts p-values as p.adjust of R does', () => {
  // p.adjust(c(0.01, 0.02, 0.03, 0.04, 0.05), "holm") and, in another order, the classical 0.01, 0.04, 0.03, 0.005.
  const rounded = (pValues: readonly number[]) =>
    holmAdjusted(pValues).map((value) => Number(value.toFixed(9)));
  expect(rounded([0.01, 0.02, 0.03, 0.04, 0.05])).toEqual([0.05, 0.08, 0.09, 0.09, 0.09]);
  expect(rounded([0.01, 0.04, 0.03, 0.005])).toEqual([0.03, 0.06, 0.06, 0.02]);
  expect(holmAdjusted([])).toEqual([]);
});

it('never lowers a p-value, raises none beyond what Bonferroni does, and keeps their order', () => {
  const pValue = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(fc.array(pValue, { minLength: 1, maxLength: 12 }), (pValues) => {
      const adjusted = holmAdjusted(pValues);
      for (const [index, value] of pValues.entries()) {
        const own = adjusted[index] ?? Number.NaN;
        expect(own).toBeGreaterThanOrEqual(value);
        expect(own).toBeLessThanOrEqual(Math.min(1, value * pValues.length));
        for (const [other, otherValue] of pValues.entries())
          if (value < otherValue) expect(own).toBeLessThanOrEqual(adjusted[other] ?? Number.NaN);
      }
    }),
  );
});
