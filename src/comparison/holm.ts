/**
 * P-values adjusted for their number by S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure" (Scandinavian Journal of
 * Statistics, 1979), in the order given: those that are at most alpha can all be called significant, and the probability that even one of
 * them is so by chance is at most alpha, however the tests depend on each other.
 */
export function holmAdjusted(pValues: readonly number[]): readonly number[] {
  const ascending = pValues.map((pValue, index) => ({ pValue, index }));
  ascending.sort((one, other) => one.pValue - other.pValue);
  const adjusted = pValues.map(() => 1);
  let highest = 0;
  for (const [position, { pValue, index }] of ascending.entries()) {
    highest = Math.max(highest, Math.min(1, pValue * (pValues.length - position)));
    adjusted[index] = highest;
  }
  return adjusted;
}
