import type { ComparisonRow } from '../../comparison/comparison-matrix.ts';
import { areEqualButForRounding } from '../../comparison/rounding.ts';
import { meanAndDeviationTexts, scoreText, summaryOf } from '../comparison-columns.ts';
import { counted } from '../counted.ts';
import { metricNames, parameterValue, varyingParameters } from '../report-names.ts';
import type { RunReport } from '../run-report.ts';
import { VERDICT_MARKS } from '../verdict-column.ts';
import { goalMark, nameLabel, valueLabel } from './labels.ts';
import { type Content, html, type Markup } from './markup.ts';

const VARIANTS_SHOWN = 500;
const PARAMETERS_SHOWN = 12;
const FURTHER_METRICS_SHOWN = 12;
/** Characters of a parameter's value that decide its place when the column is sorted. */
const SORTED_LENGTH = 40;
/** Steps of colour from the worst (0) to the best; style.ts has a class for each. */
export const HEAT_STEPS = 10;

interface MatrixColumn {
  readonly title: Content;
  readonly isNumber: boolean;
  readonly cells: readonly MatrixCell[];
}

interface MatrixCell {
  readonly content: Content;
  /** What the column is sorted by. */
  readonly value: string | number | null;
  /** From the worst (0) to the best (1); null for a cell that is not coloured. */
  readonly share: number | null;
}

/** The comparison as a table, its metrics coloured from the worst variant to the best. */
export function matrixSection(report: RunReport): Markup {
  const rows = report.matrix.slice(0, VARIANTS_SHOWN);
  if (rows.length === 0)
    return html`<section><h2>Variants</h2><p>The results of the variants cannot be read here.</p></section>`;
  const columns = matrixColumns(rows, report);
  const omitted = report.matrix.length - rows.length;
  return html`<section aria-labelledby="matrix-title">
<h2 id="matrix-title">Variants</h2>
${omitted > 0 ? html`<p class="note">The best ${rows.length} of ${report.matrix.length} variants; ${counted(omitted, 'further one')} not shown.</p>` : ''}
<div class="scroll" role="region" aria-labelledby="matrix-title" tabindex="0">
<table id="matrix">
<thead><tr>${columns.map(({ title, isNumber }) => html`<th scope="col" class="${isNumber ? 'number' : 'text'}">${title}</th>`)}</tr></thead>
<tbody>
${rows.map((row, position) => matrixRow(row, columns, position))}</tbody>
</table>
</div>
<p class="note">Cells are coloured from the worst variant <span class="key">${Array.from({ length: HEAT_STEPS + 1 }, (_, step) => html`<i class="h${step}"></i>`)}</span> to the best, per metric of the objective; the best value is bold. ± is the standard deviation.${
    rows.some(({ rank }) => rank === null) ? ' – is a variant that is not ranked.' : ''
  }${
    report.comparison.baseline === null
      ? ''
      : ` Against the baseline, per metric of the objective: = is no significant difference, ? too few trials, at a confidence of ${report.comparison.confidence}.`
  }</p>
</section>
`;
}

function matrixRow({ rank }: ComparisonRow, columns: readonly MatrixColumn[], position: number): Markup {
  const cells = columns.map(({ cells, isNumber }, index) => {
    const cell = cells[position] ?? { content: '', value: null, share: null };
    const heat = cell.share === null ? '' : ` h${Math.round(cell.share * HEAT_STEPS)}`;
    const best = cell.share === 1 ? ' top' : '';
    const sortedBy = cell.value === null ? html`` : html` data-v="${cell.value}"`;
    return index === VARIANT_COLUMN
      ? html`<th scope="row"${sortedBy}>${cell.content}</th>`
      : html`<td class="${isNumber ? 'number' : 'text'}${heat}${best}"${sortedBy}>${cell.content}</td>`;
  });
  return html`<tr${rank === 1 ? html` class="best"` : ''}>${cells}</tr>
`;
}

const VARIANT_COLUMN = 1;

function matrixColumns(rows: readonly ComparisonRow[], report: RunReport): readonly MatrixColumn[] {
  const objective = report.objective.map(({ metric }) => metric);
  const further = metricNames(report).slice(objective.length, objective.length + FURTHER_METRICS_SHOWN);
  return [
    {
      title: 'rank',
      isNumber: true,
      cells: rows.map(({ rank }) => ({
        content: rank === null ? '–' : rank === 1 ? '★ 1' : rank,
        value: rank,
        share: null,
      })),
    },
    {
      title: 'variant',
      isNumber: false,
      cells: rows.map(({ variant }) => ({ content: nameLabel(variant), value: variant, share: null })),
    },
    {
      title: 'score',
      isNumber: true,
      cells: rows.map(({ score }) => ({
        content: score === null ? '–' : scoreText(score),
        value: score,
        share: score,
      })),
    },
    ...report.objective.map(({ metric, goal }) => metricColumn(rows, report.matrix, metric, goal)),
    ...verdictColumns(rows, report),
    ...varyingParameters(report)
      .slice(0, PARAMETERS_SHOWN)
      .map((name) => parameterColumn(rows, name)),
    ...further.map((metric) => metricColumn(rows, report.matrix, metric, undefined)),
    trialsColumn(rows),
  ];
}

function parameterColumn(rows: readonly ComparisonRow[], name: string): MatrixColumn {
  const values = rows.map((row) => parameterValue(row, name) ?? '');
  const isNumber = values.every((value) => value === '' || Number.isFinite(Number(value)));
  return {
    title: valueLabel(name),
    isNumber,
    cells: values.map((value) => ({
      content: valueLabel(value),
      value: value.slice(0, SORTED_LENGTH),
      share: null,
    })),
  };
}

function metricColumn(
  rows: readonly ComparisonRow[],
  matrix: readonly ComparisonRow[],
  metric: string,
  goal: 'minimize' | 'maximize' | undefined,
): MatrixColumn {
  const texts = meanAndDeviationTexts(
    rows.map((row) => summaryOf(row, metric)),
    true,
  );
  const share = goal === undefined ? () => null : shareOfBest(matrix, metric, goal);
  return {
    title: goal === undefined ? valueLabel(metric) : [valueLabel(metric), ' ', goalMark(goal)],
    isNumber: true,
    cells: rows.map((row, position) => {
      const text = texts[position];
      if (text === undefined) return { content: '–', value: null, share: null };
      const deviation =
        text.deviation.trim() === '' ? '' : html`<small>${text.deviation.replace(/± +/, '± ')}</small>`;
      return {
        content: [text.mean, deviation],
        value: summaryOf(row, metric)?.mean ?? null,
        share: row.score === null ? null : share(summaryOf(row, metric)?.mean),
      };
    }),
  };
}

/** Where a mean lies between the worst and the best of the ranked variants, as the score takes it; null where all agree. */
function shareOfBest(
  matrix: readonly ComparisonRow[],
  metric: string,
  goal: 'minimize' | 'maximize',
): (mean: number | undefined) => number | null {
  let lowest = Number.POSITIVE_INFINITY;
  let highest = Number.NEGATIVE_INFINITY;
  for (const row of matrix) {
    const mean = row.score === null ? undefined : summaryOf(row, metric)?.mean;
    if (mean === undefined) continue;
    lowest = Math.min(lowest, mean);
    highest = Math.max(highest, mean);
  }
  if (areEqualButForRounding(lowest, highest)) return () => null;
  const best = goal === 'maximize' ? highest : lowest;
  return (mean) => {
    if (mean === undefined) return null;
    if (areEqualButForRounding(mean, best)) return 1;
    const fromLowest = (mean / 2 - lowest / 2) / (highest / 2 - lowest / 2);
    return goal === 'maximize' ? fromLowest : 1 - fromLowest;
  };
}

/** The verdicts against the baseline, metric by metric of the objective. */
function verdictColumns(
  rows: readonly ComparisonRow[],
  { comparison: { baseline }, objective }: RunReport,
): readonly MatrixColumn[] {
  if (baseline === null) return [];
  const cells = rows.map((row): MatrixCell => {
    if (row.variant === baseline) return { content: 'baseline', value: 'baseline', share: null };
    const verdicts = objective.flatMap(({ metric }) => summaryOf(row, metric)?.vsBaseline?.verdict ?? []);
    if (verdicts.length === 0) return { content: '–', value: null, share: null };
    const words = verdicts.map((verdict, position) => [
      position === 0 ? '' : ', ',
      html`<span class="verdict-${verdict}">${VERDICT_MARKS[verdict]}</span>`,
    ]);
    return { content: html`<span class="verdicts">${words}</span>`, value: verdicts.join(), share: null };
  });
  return [{ title: ['vs ', valueLabel(baseline)], isNumber: false, cells }];
}

const trialsColumn = (rows: readonly ComparisonRow[]): MatrixColumn => ({
  title: 'trials',
  isNumber: true,
  cells: rows.map(({ trials, stoppedAtLook }) => ({
    content: [
      `${trials.succeeded}/${trials.total}`,
      trials.failed > 0 ? html` <span class="failed">${trials.failed} failed</span>` : '',
      trials.cancelled > 0 ? html` <span class="cancelled">${trials.cancelled} cancelled</span>` : '',
      stoppedAtLook === null ? '' : html` <span class="cancelled">stopped early</span>`,
      trials.skipped > 0 && stoppedAtLook === null ? html` ${trials.skipped} skipped` : '',
    ],
    value: trials.succeeded,
    share: null,
  })),
});
