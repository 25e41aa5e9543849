import { scoreText } from './comparison-columns.ts';
import type { RunReport } from './run-report.ts';
import { whyNoBest } from './why-no-best.ts';

/** Which variant is best, as the parts of a sentence: the names, and what is said of them. */
export type BestText =
  | { readonly kind: 'None'; readonly text: string }
  /** At least one name; the best first. `verdict` begins with a verb. */
  | { readonly kind: 'Named'; readonly names: readonly string[]; readonly verdict: string };

/** Says of the best variant what the evidence allows: that it is best, or that others cannot be told apart from it. */
export function bestText(report: RunReport): BestText {
  const { best, run } = report;
  if (best === null) return { kind: 'None', text: `No best variant: ${whyNoBest(report)}` };
  const soFar = run.state === 'Running' ? ' so far' : '';
  const score = `score ${scoreText(best.score)}`;
  const names = [best.name, ...best.ties];
  if (best.ties.length === 0) return { kind: 'Named', names, verdict: `is best${soFar}: ${score}` };
  const verdict = areTiesEqual(report)
    ? `are equally good${soFar}: ${score}`
    : `cannot be told apart${soFar}: best score ${scoreText(best.score)}`;
  return { kind: 'Named', names, verdict };
}

/** True when all ties have the score of the best variant, rather than one that cannot be told apart from it. */
export function areTiesEqual({ best, matrix }: Pick<RunReport, 'best' | 'matrix'>): boolean {
  const first = new Set(matrix.flatMap(({ rank, variant }) => (rank === 1 ? [variant] : [])));
  return best?.ties.every((name) => first.has(name)) ?? false;
}

/** How far the answer can be trusted, when that is not far; empty otherwise. */
export const evidenceText = ({ best }: Pick<RunReport, 'best'>): string =>
  best?.evidence === 'TooFewSamples'
    ? 'A variant has one trial only: chance cannot be ruled out (repetitions: 2 or more).'
    : '';
