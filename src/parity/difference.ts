/**
 * How two runs can differ, in the order in which they are told: what was run, what the program was told, how it ended, what it measured, what came
 * of it.
 */
export const DIFFERENCE_KINDS = [
  /** Only one of the runs has a variant of this name and identity. */
  'VariantMissing',
  /** The same identity has another name. */
  'VariantRenamed',
  /** Variants of one name have other parameters. */
  'ParametersDiffer',
  /** Variants of one name and the same parameters have another pod template. */
  'TemplateDiffers',
  /** A variant has another number of trials. */
  'RepetitionsDiffer',
  /** What makes a variant the best is not the same. */
  'ObjectiveDiffers',
  /** The program is called otherwise. */
  'CommandDiffers',
  /** The program has another environment. */
  'EnvironmentDiffers',
  /** The runs did not end in the same state. */
  'RunEndDiffers',
  /** A trial did not end in the same outcome. */
  'OutcomeDiffers',
  /** The program of a trial did not exit in the same class: 0, non-zero, by a signal, not at all. */
  'ExitClassDiffers',
  /** A metric is there in one of the runs only. */
  'MetricMissing',
  /** A metric that was declared exact is not the same in a trial. */
  'ExactMetricDiffers',
  /** The mean of a metric differs by more than the tolerance, and that is significant. */
  'MetricDiffers',
  /** The outputs of a trial are not the same, when they were declared exact. */
  'OutputsDiffer',
  /** Each run names a best variant that the other one rules out. */
  'BestDiffers',
  /** Two variants are significantly in one order in one run, and in the other order in the other. */
  'RankingDiffers',
  /** The gates came out otherwise. */
  'GateDiffers',
] as const;

export type DifferenceKind = (typeof DIFFERENCE_KINDS)[number];

/** One thing that differs between two runs. */
export interface Finding {
  readonly kind: DifferenceKind;
  /** Metric, variable or parameter; null where there is no such thing. */
  readonly subject: string | null;
  /** The whole sentence. */
  readonly text: string;
}

/** All findings of one kind about one subject. */
export interface ParityDifference {
  readonly kind: DifferenceKind;
  readonly subject: string | null;
  /** How many there are. */
  readonly count: number;
  /** The first of them. */
  readonly examples: readonly string[];
}

const EXAMPLES = 3;

/** The findings by kind, in the order of the kinds, then by subject in the order in which they were found. */
export function groupedFindings(findings: readonly Finding[]): readonly ParityDifference[] {
  const groups = new Map<string, ParityDifference>();
  for (const { kind, subject, text } of findings) {
    const key = `${kind} ${subject ?? ''}`;
    const { count = 0, examples = [] } = groups.get(key) ?? {};
    groups.set(key, {
      kind,
      subject,
      count: count + 1,
      examples: examples.length < EXAMPLES ? [...examples, text] : examples,
    });
  }
  const order = new Map(DIFFERENCE_KINDS.map((kind, index) => [kind, index]));
  return [...groups.values()].toSorted(
    (one, other) => (order.get(one.kind) ?? 0) - (order.get(other.kind) ?? 0),
  );
}
