import type { VariantRecord } from '../comparison/comparable-run.ts';
import { DURATION_METRIC } from '../core/result-protocol.ts';
import type { Finding } from './difference.ts';
import { type Equivalence, equivalences } from './equivalence.ts';

/** How one metric of one variant compares between two runs. */
export interface MetricParity extends Equivalence {
  /** By the name of the first run. */
  readonly variant: string;
  readonly metric: string;
  /** `Statistical` decides. `Informative` does not: how long programs took, which is another thing on another machine. */
  readonly how: 'Statistical' | 'Informative';
}

/** What both runs measured of one variant. */
export interface RecordPair {
  readonly first: VariantRecord;
  readonly second: VariantRecord;
}

export interface MetricOptions {
  /** Metrics that are compared trial by trial instead, and so not here. */
  readonly exact: readonly string[];
  /** Share of the larger mean that counts as no difference. */
  readonly tolerance: number;
  readonly confidence: number;
}

/** Every metric that both runs have of a variant, compared; and the findings among them. */
export function metricParity(
  pairs: readonly RecordPair[],
  { exact, tolerance, confidence }: MetricOptions,
): { readonly metrics: readonly MetricParity[]; readonly findings: readonly Finding[] } {
  const compared = (how: MetricParity['how']): readonly MetricParity[] => {
    const samples = pairs.flatMap(({ first, second }) =>
      [...first.samples].flatMap(([metric, values]) => {
        const others = second.samples.get(metric);
        const isWanted = !exact.includes(metric) && (metric === DURATION_METRIC) === (how === 'Informative');
        return others === undefined || !isWanted
          ? []
          : [{ variant: first.variant.name, metric, pair: [values, others] as const }];
      }),
    );
    const results = equivalences(
      samples.map(({ pair }) => pair),
      tolerance,
      confidence,
    );
    return samples.flatMap(({ variant, metric }, index) => {
      const result = results[index];
      return result === undefined ? [] : [{ variant, metric, how, ...result }];
    });
  };
  const statistical = compared('Statistical');
  return {
    metrics: [...statistical, ...compared('Informative')],
    findings: [...pairs.flatMap(missingMetrics), ...statistical.flatMap(differingMetric)],
  };
}

function missingMetrics({ first, second }: RecordPair): readonly Finding[] {
  // Without a success nothing was measured, which is said of the trials.
  if (first.samples.size === 0 || second.samples.size === 0) return [];
  const names = new Set([...first.samples.keys(), ...second.samples.keys()]);
  return [...names].flatMap((metric): readonly Finding[] => {
    const [one, other] = [first.samples.has(metric), second.samples.has(metric)];
    if (one === other || metric === DURATION_METRIC) return [];
    const text = `variant ${first.variant.name} reported it in the ${one ? 'first' : 'second'} run only`;
    return [{ kind: 'MetricMissing', subject: metric, text }];
  });
}

function differingMetric(parity: MetricParity): readonly Finding[] {
  if (parity.verdict !== 'Different') return [];
  return [{ kind: 'MetricDiffers', subject: parity.metric, text: metricText(parity) }];
}

/** `lru: 41.2 and 52.9, 22.1 % apart`. */
export function metricText({ variant, first, second, difference }: MetricParity): string {
  const share = (100 * Math.abs(difference)) / Math.max(Math.abs(first.mean), Math.abs(second.mean));
  const apart = Number.isFinite(share) ? `, ${share.toFixed(1)} % apart` : '';
  return `variant ${variant}: ${rounded(first.mean)} and ${rounded(second.mean)}${apart}`;
}

const rounded = (value: number): string => String(Number(value.toPrecision(5)));
