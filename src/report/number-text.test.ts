import { describe, expect, it } from 'vitest';
import { columnNumberText } from './number-text.ts';

describe('the numbers of a column', () => {
  it.each<[string, number[], number[], string[]]>([
    ['show two digits of the usual deviation', [41.2345, 58.9876], [0.77, 0.5], ['41.23', '58.99']],
    ['show no decimals that the deviation covers', [1811.93, 1218.4], [12.7, 8.1], ['1812', '1218']],
    ['show four digits where no deviation is known', [41.23456, 158.9876], [], ['41.2', '159.0']],
    ['show integers as integers', [5, 12, 1_000_000], [], ['5', '12', '1000000']],
    ['drop zeros that all of them end with', [0.5, 0.25], [], ['0.50', '0.25']],
    ['stop at the precision of a measurement', [123_456.789], [0.000_01], ['123456.8']],
    [
      'show three digits of the usual value however large the deviation',
      [0.123, 0.456],
      [4],
      ['0.123', '0.456'],
    ],
    ['are scientific where all are tiny', [0.000_012_34, 0], [], ['1.234e-5', '0']],
    ['are scientific where one is huge', [12_345_678_901, 5], [], ['1.235e10', '5.000e0']],
    ['have no negative zero', [-0.000_4, 121.5], [25], ['0.0', '121.5']],
    ['are zeros when all are', [0, 0], [0], ['0', '0']],
    ['of an empty column need none', [], [], []],
    ['are scientific where one is nothing beside another', [0.55, 2e8], [0.07, 3e6], ['5.500e-1', '2.000e8']],
    ['show a small one where there is room', [0.004, 121.5], [], ['0.004', '121.500']],
    ['are zeros where their sum left a remainder', [0, 5e-17], [0.3, 0.4], ['0.0', '0.0']],
  ])('%s', (_, values, deviations, expected) => {
    expect(values.map(columnNumberText(values, deviations))).toEqual(expected);
  });

  it.each([
    { deviation: 0.424_264_068_711_928_5, expected: ['0.00', '0.42'] },
    { deviation: 7.071_067_811_865_476, expected: ['0.0', '7.1'] },
    { deviation: 25, expected: ['0', '25'] },
    { deviation: 4e-5, expected: ['0', '4.000e-5'] },
  ])('show a deviation of $deviation also where all means are 0', ({ deviation, expected }) => {
    expect([0, deviation].map(columnNumberText([0, 0], [deviation]))).toEqual(expected);
  });
});
