import { mean } from 'simple-statistics';

/** The arithmetic mean of at least one value. The sum of very large values overflows; their mean does not. */
export function finiteMean(values: number[]): number {
  const plain = mean(values);
  return Number.isFinite(plain) ? plain : values.reduce((sum, value) => sum + value / values.length, 0);
}
