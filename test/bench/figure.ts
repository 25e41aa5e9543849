/** One measured figure beside its budget. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The budget of docs/reference/budgets.md; `atMost` unless more is better. */
  readonly budget: { readonly atMost: number } | { readonly atLeast: number };
}

export const isWithinBudget = ({ value, budget }: Figure): boolean =>
  'atMost' in budget ? value <= budget.atMost : value >= budget.atLeast;

/** The p-quantile by the nearest-rank method, p in (0, 1]. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)] ?? Number.NaN;
}

/** A figure as one aligned line. */
export function figureLine(figure: Figure): string {
  const { name, value, unit, budget } = figure;
  const bound = 'atMost' in budget ? `≤ ${bounded(budget.atMost)}` : `≥ ${bounded(budget.atLeast)}`;
  const verdict = isWithinBudget(figure) ? 'within' : 'OVER';
  return `${name.padEnd(62)} ${format(value).padStart(9)} ${unit.padEnd(9)} budget ${bound.padEnd(8)} ${verdict}`;
}

const format = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value >= 1 ? value.toFixed(1) : value.toFixed(3);

/** A budget as it was decided; one that was computed, to four digits. */
const bounded = (value: number): string => String(Number(value.toPrecision(4)));
