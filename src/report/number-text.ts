import { median } from 'simple-statistics';
import { ROUNDING_SHARE } from '../comparison/rounding.ts';

/** Digits after which a float only shows its binary representation; nothing measured has more. */
const MOST_SIGNIFICANT_DIGITS = 7;
const FEWEST_SIGNIFICANT_DIGITS = 3;
const MOST_DECIMALS = 6;
const FIXED_NOTATION_BELOW = 1e9;
const FIXED_NOTATION_FROM = 1e-3;

/**
 * How to write the numbers of one column, so that all have the same decimals and none shows more than it knows: with deviations,
 * two significant digits of the median deviation (the usual way to state an uncertainty), without, four of the median value.
 * Trailing zeros that all of them have are left out. In scientific notation are very large and very small columns, and those in which a value
 * that is more than its deviation would be shown as nothing beside a much larger one.
 */
export function columnNumberText(
  values: readonly number[],
  deviations: readonly number[],
): (value: number) => string {
  const positive = deviations.filter((value) => value > 0);
  // What remains of the rounding of sums beside a deviation is 0.
  const least = largestOf(positive) * ROUNDING_SHARE;
  const magnitudes = values.map(Math.abs).filter((value) => value > least);
  // Of means that are all 0, the deviations are what there is to show.
  const shown = magnitudes.length > 0 ? magnitudes : positive;
  if (shown.length === 0) return (value) => fixed(value, 0);
  const largest = largestOf(shown);
  const usual = median(shown);
  if (largest >= FIXED_NOTATION_BELOW || largest < FIXED_NOTATION_FROM) return scientific;
  // What remains of the rounding of sums is no deviation, and would ask for all decimals.
  const spread = positive.filter((value) => value > usual * ROUNDING_SHARE);
  const wanted = spread.length > 0 ? decimalsFor(median(spread), 2) : decimalsFor(usual, 4);
  const most = Math.min(MOST_DECIMALS, decimalsFor(largest, MOST_SIGNIFICANT_DIGITS));
  const fewest = magnitudes.length > 0 ? Math.min(most, decimalsFor(usual, FEWEST_SIGNIFICANT_DIGITS)) : 0;
  const needed = decimalsFor(smallestOf(shown), 1);
  const known = spread.length > 0 ? decimalsFor(smallestOf(spread), 2) : needed;
  const visible = Math.min(needed, known);
  if (visible > most) return scientific;
  let decimals = Math.min(Math.max(wanted, fewest, visible), most);
  const all = [...values, ...deviations];
  while (decimals > 0 && all.every((value) => value.toFixed(decimals).endsWith('0'))) decimals -= 1;
  return (value) => fixed(value, decimals);
}

const largestOf = (values: readonly number[]): number =>
  values.reduce((one, other) => Math.max(one, other), 0);
const smallestOf = (values: readonly number[]): number =>
  values.reduce((one, other) => Math.min(one, other), Number.POSITIVE_INFINITY);

/** Decimals that show this many significant digits of the value; 0 when its integer part alone has as many. */
const decimalsFor = (value: number, significantDigits: number): number =>
  Math.max(0, significantDigits - 1 - Math.floor(Math.log10(value)));

function fixed(value: number, decimals: number): string {
  const text = value.toFixed(decimals);
  return /^-[0.]+$/.test(text) ? text.slice(1) : text;
}

const scientific = (value: number): string => (value === 0 ? '0' : value.toExponential(3).replace('e+', 'e'));
