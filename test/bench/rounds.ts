/** The value of an option that counts something. */
export function positiveInteger(option: string, text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text))
    throw new Error(`${option} ${text}: must be a whole number from 1 to 9999`);
  return Number(text);
}

/** The same in another order for each round, so that nobody is always measured after the same other one. */
export function rotated<T>(items: readonly T[], round: number): readonly T[] {
  const first = round % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}
