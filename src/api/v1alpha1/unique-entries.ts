import type * as z from 'zod';
import { quoted } from './manifest-problem.ts';

/** Adds an issue for each entry that equals an earlier one, at the path that `pathOf` gives for its index. */
export function refuseRepetition(
  entries: readonly unknown[],
  pathOf: (index: number) => PropertyKey[],
  context: z.core.$RefinementCtx,
): void {
  const seen = new Set<string>();
  for (const [index, entry] of entries.entries()) {
    const text = JSON.stringify(entry) ?? 'null';
    if (seen.has(text))
      context.addIssue({
        code: 'custom',
        path: pathOf(index),
        message: `${typeof entry === 'string' ? quoted(entry) : text} is there twice; it must be unique`,
      });
    seen.add(text);
  }
}
