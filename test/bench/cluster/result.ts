import type { BenchmarkRecord } from '../benchmark-result.ts';
import { bestOf, type Measured, spreadOf } from '../spread.ts';
import type { Ladder } from './calibration.ts';
import { FIGURES, type FigureName, figureKind, type Resident } from './figures.ts';
import type { Limits } from './limits.ts';
import type { Scenario } from './scenario.ts';

/** Everything that one benchmark found, as `--json` writes it. */
export interface BenchmarkResult extends BenchmarkRecord {
  readonly calibration: Ladder;
  readonly comparisons: readonly Comparison[];
}

/** The contenders at one scenario, round after round. */
export interface Comparison {
  readonly limits: Limits;
  readonly scenario: Scenario;
  readonly contenders: readonly MeasuredContender[];
}

export interface MeasuredContender extends Measured<FigureName> {
  readonly name: string;
  readonly isOperator?: boolean;
  /** Of the last round of a long scenario. */
  readonly resident?: readonly Resident[];
}

export const isOwn = ({ isOperator }: MeasuredContender): boolean => isOperator === true;

/** The figures that at least one contender has, in the order in which they are told. */
export const figuresIn = ({ contenders }: Comparison): readonly FigureName[] =>
  (Object.keys(FIGURES) as FigureName[]).filter((name) => haveFigure(contenders, name).length > 0);

/** The contenders whose median is the best as it is told, rounded; nobody where only one has the figure, where no value is better than another, or
 * for the makespan of programs that ran for other times for each contender. */
export const bestAt = (
  { contenders, scenario }: Pick<Comparison, 'contenders' | 'scenario'>,
  name: FigureName,
): readonly MeasuredContender[] =>
  haveFigure(contenders, name).length < 2 ||
  (name === 'makespanSeconds' && scenario.longestRunMs !== undefined)
    ? []
    : bestOf(contenders, name, figureKind(name));

const haveFigure = (
  contenders: readonly MeasuredContender[],
  name: FigureName,
): readonly MeasuredContender[] => contenders.filter(({ rounds }) => spreadOf(rounds, name) !== undefined);
