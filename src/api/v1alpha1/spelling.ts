/**
 * The known name that `name` most likely stands for: equal but for case, or few letters away for its length.
 * Undefined when none is near.
 */
export function closestName(name: string, known: readonly string[]): string | undefined {
  const limit = Math.ceil(name.length / 3);
  // A name far longer than any field is no typing mistake, and the distance takes time in proportion to its length.
  const candidates = known
    .filter((candidate) => Math.abs(candidate.length - name.length) <= limit)
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ distance }) => distance <= limit)
    .sort((a, b) => a.distance - b.distance);
  return candidates[0]?.candidate;
}

/** Levenshtein distance: insertions, deletions and replacements of one letter, row by row. */
function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [row, letter] of [...from].entries()) {
    const current = [row + 1];
    for (let column = 0; column < to.length; column++) {
      const replaced = (previous[column] ?? 0) + (letter === to[column] ? 0 : 1);
      current.push(Math.min(replaced, (previous[column + 1] ?? 0) + 1, (current[column] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[to.length] ?? 0;
}
