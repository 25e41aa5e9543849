import { median } from '../figure.ts';
import type { Ladder } from './calibration.ts';
import { FIGURES, type FigureName, type Figures, figureKind, type Resident } from './figures.ts';
import type { Limits } from './limits.ts';
import type { Scenario } from './scenario.ts';

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
  readonly calibration: Ladder;
  readonly comparisons: readonly Comparison[];
}

/** The contenders at one scenario, round after round. */
export interface Comparison {
  readonly limits: Limits;
  readonly scenario: Scenario;
  readonly contenders: readonly MeasuredContender[];
}

export interface MeasuredContender {
  readonly name: string;
  readonly isOperator?: boolean;
  readonly rounds: readonly Figures[];
  /** Of the last round of a long scenario. */
  readonly resident?: readonly Resident[];
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

/** The contenders whose median is the best as it is told, rounded; nobody where only one has the figure, or where no value is better than another. */
export function bestAt(comparison: Comparison, name: FigureName): readonly MeasuredContender[] {
  const { best, digits } = figureKind(name);
  const told = comparison.contenders.flatMap((contender) => {
    const spread = spreadOf(contender.rounds, name);
    return spread === undefined ? [] : [{ contender, value: Number(spread.median.toFixed(digits)) }];
  });
  if (best === undefined || told.length < 2) return [];
  const values = told.map(({ value }) => value);
  const wanted = best === 'most' ? Math.max(...values) : Math.min(...values);
  return told.filter(({ value }) => value === wanted).map(({ contender }) => contender);
}
