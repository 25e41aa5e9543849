import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { axisScale, linearScale } from './scale.ts';

const finite = fc.double({ noNaN: true, noDefaultInfinity: true });

describe('a scale', () => {
  it.each([
    ['linear', linearScale],
    ['of a parameter', axisScale],
  ])('that is %s has a place on the axis for every value and every tick', (_, scaleOf) => {
    fc.assert(
      fc.property(fc.array(finite, { minLength: 1, maxLength: 20 }), (values) => {
        const { position, ticks } = scaleOf(values);
        for (const value of [...values, ...ticks]) {
          expect(position(value)).toBeGreaterThanOrEqual(-0.01);
          expect(position(value)).toBeLessThanOrEqual(100.01);
        }
        expect(ticks.length).toBeLessThanOrEqual(9);
      }),
    );
  });

  it.each([
    [
      [0, 10],
      ['0', '2', '4', '6', '8', '10'],
    ],
    [
      [3, 3],
      ['2.8', '3.0', '3.2'],
    ],
    [
      [120_000_000, 170_000_000],
      ['120M', '130M', '140M', '150M', '160M', '170M'],
    ],
    [
      [1_000_000, 1_000_002],
      ['1000000', '1000000.5', '1000001', '1000001.5', '1000002'],
    ],
    [
      [0.00001, 0.00002],
      ['1.000e-5', '1.200e-5', '1.400e-5', '1.600e-5', '1.800e-5', '2.000e-5'],
    ],
  ])('for %j has ticks at round numbers', (values, texts) => {
    const { ticks, text } = linearScale(values);
    expect(ticks.map(text)).toEqual(texts);
  });

  it('is logarithmic for positive parameters that span orders of magnitude', () => {
    const { isLogarithmic, ticks, position } = axisScale([1, 10, 100]);
    expect(isLogarithmic).toBe(true);
    expect(ticks).toEqual([1, 10, 100]);
    expect(position(10)).toBeCloseTo(50);
  });

  it.each([[[0, 1, 100]], [[-1, 100]], [[1, 8]]])('is linear for %j', (values) => {
    expect(axisScale(values).isLogarithmic).toBe(false);
  });
});
