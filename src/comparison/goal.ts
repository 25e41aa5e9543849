import { areEqualButForRounding } from './rounding.ts';

/** Positive when the value is better than the other one, 0 when they are equal but for rounding. */
export function betterBy(goal: 'minimize' | 'maximize', value: number, other: number): number {
  if (areEqualButForRounding(value, other)) return 0;
  return goal === 'maximize' ? value - other : other - value;
}
