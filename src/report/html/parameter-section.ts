import type { ComparisonRow } from '../../comparison/comparison-matrix.ts';
import { summaryOf } from '../comparison-columns.ts';
import { counted } from '../counted.ts';
import { parameterValue, varyingParameters } from '../report-names.ts';
import type { RunReport } from '../run-report.ts';
import { goalMark, valueLabel } from './labels.ts';
import { html, type Markup } from './markup.ts';
import { linearScale } from './scale.ts';
import { POINTS_PER_CHART, scatterChart } from './scatter-chart.ts';
import { DOTS_PER_ROW, type StripRow, stripChart } from './strip-chart.ts';

const PARAMETERS_SHOWN = 6;
const METRICS_SHOWN = 4;
const VALUES_SHOWN = 20;
const byName = new Intl.Collator('en', { numeric: true });

/** Each parameter that differs between variants against each metric of the objective; nothing when none differs. */
export function parameterSection(report: RunReport): Markup {
  const varying = varyingParameters(report);
  const parameters = varying.slice(0, PARAMETERS_SHOWN);
  const metrics = report.objective.slice(0, METRICS_SHOWN);
  const figures = parameters.flatMap((parameter) =>
    metrics.flatMap((objective) => parameterFigure(report, parameter, objective)),
  );
  if (figures.length === 0) return html``;
  const notes = [
    ...(varying.length > parameters.length
      ? [`The first ${parameters.length} of ${varying.length} parameters that vary.`]
      : []),
    ...(report.objective.length > metrics.length
      ? [`The first ${metrics.length} of ${report.objective.length} metrics of the objective.`]
      : []),
    ...(report.matrix.length > POINTS_PER_CHART
      ? [
          `At most ${POINTS_PER_CHART} variants, evenly from all, are drawn in a chart, ${DOTS_PER_ROW} in a row.`,
        ]
      : []),
  ];
  return html`<section>
<h2>Parameters</h2>
<p class="note">A dot is the mean of one variant; variants with the same value differ in their other parameters. Where values are not numbers, the text on the right is the mean of the variants with the value. ${notes.join(' ')}</p>
<div class="charts">
${figures}</div>
</section>
`;
}

interface VariantMean {
  readonly row: ComparisonRow;
  readonly value: string;
  readonly mean: number;
}

function parameterFigure(
  { matrix }: RunReport,
  parameter: string,
  { metric, goal }: RunReport['objective'][number],
): readonly Markup[] {
  const means = matrix.flatMap((row): readonly VariantMean[] => {
    const value = parameterValue(row, parameter);
    const mean = summaryOf(row, metric)?.mean;
    return value === undefined || mean === undefined ? [] : [{ row, value, mean }];
  });
  if (new Set(means.map(({ value }) => value)).size < 2) return [];
  const chart = means.every(({ value }) => isNumber(value))
    ? scatterChart(
        means.map(({ row, value, mean }) => ({
          x: Number(value),
          y: mean,
          name: row.variant,
          isBest: row.rank === 1,
        })),
        `${metric} of ${counted(means.length, 'variant')} by ${parameter}`,
      )
    : categoryChart(means);
  return [
    html`<figure><figcaption>${valueLabel(metric)} ${goalMark(goal)} by ${valueLabel(parameter)}</figcaption>
${chart}</figure>
`,
  ];
}

function categoryChart(means: readonly VariantMean[]): Markup {
  const groups = new Map<string, number[]>();
  for (const { value, mean } of means) {
    const group = groups.get(value);
    if (group === undefined) groups.set(value, [mean]);
    else group.push(mean);
  }
  const shown = [...groups].sort(([one], [other]) => byName.compare(one, other)).slice(0, VALUES_SHOWN);
  const scale = linearScale(shown.flatMap(([, values]) => values));
  const rows = shown.map(([value, values]): StripRow => {
    const mean = values.reduce((sum, each) => sum + each / values.length, 0);
    return {
      label: valueLabel(value),
      values,
      text: `${Number(mean.toPrecision(4))}, ${counted(values.length, 'variant')}`,
      isBest: false,
    };
  });
  const more = groups.size - shown.length;
  return html`${stripChart(rows, scale)}${more > 0 ? html`<p class="note">${counted(more, 'further value')} not shown.</p>` : ''}`;
}

const isNumber = (value: string): boolean => value.trim() !== '' && Number.isFinite(Number(value));
