import type { ComparisonRow } from '../comparison/comparison-matrix.ts';
import type { RunReport } from './run-report.ts';

/** Names of all metrics that a variant has: those of the objective in its order, then the others by name. */
export function metricNames({ objective, matrix }: RunReport): readonly string[] {
  const ofObjective = objective.map(({ metric }) => metric);
  const reported = new Set(matrix.flatMap(({ metrics }) => Object.keys(metrics)));
  return [...ofObjective, ...[...reported].filter((name) => !ofObjective.includes(name)).sort()];
}

/** Names of all parameters, in the order in which the variants name them. */
export const parameterNames = ({ matrix }: RunReport): readonly string[] => [
  ...new Set(matrix.flatMap(({ parameters }) => Object.keys(parameters))),
];

/** A variant's value of a parameter; undefined when it has none. */
export const parameterValue = ({ parameters }: ComparisonRow, name: string): string | undefined =>
  Object.hasOwn(parameters, name) ? parameters[name] : undefined;

/** Names of the parameters in which variants differ. */
export function varyingParameters(report: RunReport): readonly string[] {
  const [first] = report.matrix;
  if (first === undefined) return [];
  return parameterNames(report).filter((name) => {
    const value = parameterValue(first, name);
    return report.matrix.some((row) => parameterValue(row, name) !== value);
  });
}
