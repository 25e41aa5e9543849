/** 1 when all are equal, down to 1/n when one has everything (Jain, Chiu and Hawe, 1984). */
export function jainIndex(values: readonly number[]): number {
  const sum = values.reduce((total, value) => total + value, 0);
  const sumOfSquares = values.reduce((total, value) => total + value ** 2, 0);
  return sum ** 2 / (values.length * sumOfSquares);
}
