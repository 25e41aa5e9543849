import { columnNumberText } from './number-text.ts';
import type { ComparedMetric, ComparedValue, ComparedVariant, RunComparison } from './run-comparison.ts';

/** One metric of one variant in both runs, as text. */
export interface ComparedLine {
  readonly variant: ComparedVariant;
  /** True for the first metric of its variant. */
  readonly isFirst: boolean;
  readonly metric: string;
  /** ` ↓` or ` ↑`. */
  readonly goalMark: string;
  /** `41.2 ± 0.6`; `–` for what is not known. */
  readonly against: string;
  readonly run: string;
  /** With its sign. */
  readonly difference: string;
  /** With its sign and the unit; empty when it cannot be told. */
  readonly percent: string;
  readonly verdict: ComparedMetric['verdict'];
  /** Why there is no verdict on the variant: `1 failed`, of both runs together, or {@link STOPPED}. Empty when it is judged. */
  readonly unjudged: string;
}

/** In the place of the verdict on a variant that a run has stopped early: as short as what else is there. */
export const STOPPED = 'stopped';

/**
 * A line per variant and metric of the objective, the numbers of a metric with the same decimals.
 * @param deviations shows `± standard deviation` behind means
 */
export function comparedLines(
  { objective }: Pick<RunComparison, 'objective'>,
  variants: readonly ComparedVariant[],
  deviations = true,
): readonly ComparedLine[] {
  const columns = objective.map(({ metric, goal }) => {
    const values = variants.flatMap(({ metrics }) => {
      const compared = metrics[metric];
      return [compared?.run, compared?.against].filter((value) => value !== null && value !== undefined);
    });
    const numberText = columnNumberText(
      values.map(({ mean }) => mean),
      values.flatMap(({ stddev }) => stddev ?? []),
    );
    return { metric, goalMark: goal === 'minimize' ? ' ↓' : ' ↑', numberText };
  });
  return variants.flatMap((variant) => {
    const unjudged = whyUnjudged(variant);
    return columns.map(({ metric, goalMark, numberText }, position): ComparedLine => {
      const compared = variant.metrics[metric];
      return {
        variant,
        isFirst: position === 0,
        metric,
        goalMark,
        against: valueText(compared?.against, numberText, deviations),
        run: valueText(compared?.run, numberText, deviations),
        difference: signed(compared?.difference, numberText),
        percent: signed(compared?.percent, percentText),
        verdict: compared?.verdict ?? null,
        unjudged,
      };
    });
  });
}

function whyUnjudged({ failed, stoppedAtLook }: ComparedVariant): string {
  const failures = failed.run + failed.against;
  if (failures > 0) return `${failures} failed`;
  return stoppedAtLook.run === null && stoppedAtLook.against === null ? '' : STOPPED;
}

function valueText(
  value: ComparedValue | null | undefined,
  numberText: (value: number) => string,
  deviations: boolean,
): string {
  if (value === null || value === undefined) return '–';
  const mean = numberText(value.mean);
  return value.stddev === null || !deviations ? mean : `${mean} ± ${numberText(value.stddev)}`;
}

function signed(value: number | null | undefined, text: (value: number) => string): string {
  if (value === null || value === undefined) return '';
  return value > 0 ? `+${text(value)}` : text(value);
}

const FIXED_PERCENT_BELOW = 100_000;

const percentText = (value: number): string =>
  `${Math.abs(value) < FIXED_PERCENT_BELOW ? value.toFixed(1) : value.toExponential(1).replace('e+', 'e')} %`;
