import { median } from '../figure.ts';
import { FIGURES, type FigureName, type Figures, type Rates } from './figures.ts';
import type { Scenario } from './scenario.ts';

/** How fast the controller manager may ask: as Kubernetes ships it, or as a tuned cluster has it. */
export const LIMITS = ['stock', 'raised'] as const;
export type Limits = (typeof LIMITS)[number];

/** Everything that one benchmark found, as `--json` writes it. */
export interface BenchmarkResult {
  /** RFC 3339. */
  readonly date: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly machine: {
    readonly processors: string;
    readonly memoryGiB: number;
    /** Processes that wanted to run in the minute before; figures of a busy machine mean little. */
    readonly loadBefore: number;
  };
  readonly calibration: Rates;
  readonly comparisons: readonly Comparison[];
}

/** The contenders at one scenario, round after round. */
export interface Comparison {
  readonly limits: Limits;
  readonly scenario: Scenario;
  readonly contenders: readonly { readonly name: string; readonly rounds: readonly Figures[] }[];
}

export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** A figure over all rounds; undefined when no round has it. */
export function spreadOf(rounds: readonly Figures[], name: FigureName): Spread | undefined {
  const values = rounds.flatMap((figures) => figures[name] ?? []);
  if (values.length === 0) return undefined;
  return { median: median(values), least: Math.min(...values), most: Math.max(...values) };
}

/** The figures that at least one contender has, in the order in which they are told. */
export const figuresIn = ({ contenders }: Comparison): readonly FigureName[] =>
  (Object.keys(FIGURES) as FigureName[]).filter((name) =>
    contenders.some(({ rounds }) => spreadOf(rounds, name) !== undefined),
  );
