import type { ComparisonRow } from '../../comparison/comparison-matrix.ts';
import { meanAndDeviationTexts, summaryOf } from '../comparison-columns.ts';
import type { RunReport } from '../run-report.ts';
import type { ReportedTrial, TrialReport } from '../trial-report.ts';
import { goalMark, nameLabel, valueLabel } from './labels.ts';
import { html, type Markup } from './markup.ts';
import { linearScale } from './scale.ts';
import { DOTS_PER_ROW, type StripRow, stripChart } from './strip-chart.ts';

const VARIANTS_SHOWN = 30;
const METRICS_SHOWN = 8;

/** How the values of each metric of the objective are distributed, variant by variant, the best first. */
export function distributionSection({ report, trials }: TrialReport): Markup {
  const measured = report.matrix.filter(({ trials: { succeeded } }) => succeeded > 0);
  const shown = measured.slice(0, VARIANTS_SHOWN);
  const metrics = report.objective.slice(0, METRICS_SHOWN);
  const values = valuesByVariant(shown, trials);
  const figures = metrics.flatMap((objective) => distribution(objective, shown, values));
  if (figures.length === 0) return html``;
  const notes = [
    ...(measured.length > shown.length ? [`The best ${shown.length} of ${measured.length} variants.`] : []),
    ...(report.objective.length > metrics.length
      ? [`The first ${metrics.length} of ${report.objective.length} metrics of the objective.`]
      : []),
    ...(trials.length > DOTS_PER_ROW && [...values.values()].some((list) => list.length > DOTS_PER_ROW)
      ? [`Of each variant at most ${DOTS_PER_ROW} values are drawn; the quartiles are of all.`]
      : []),
  ];
  return html`<section>
<h2>Distributions</h2>
<p class="note">A dot is one trial, the line the median; the box, from five values on, reaches from the lower to the upper quartile. On the right the mean ± standard deviation. ${notes.join(' ')}</p>
${figures}</section>
`;
}

type Samples = ReadonlyMap<string, readonly ReportedTrial['metrics'][]>;

function valuesByVariant(rows: readonly ComparisonRow[], trials: readonly ReportedTrial[]): Samples {
  const samples = new Map<string, ReportedTrial['metrics'][]>(rows.map(({ variantId }) => [variantId, []]));
  for (const { variantId, phase, metrics } of trials)
    if (phase === 'Succeeded') samples.get(variantId)?.push(metrics);
  return samples;
}

function distribution(
  { metric, goal }: RunReport['objective'][number],
  rows: readonly ComparisonRow[],
  samples: Samples,
): readonly Markup[] {
  const texts = meanAndDeviationTexts(
    rows.map((row) => summaryOf(row, metric)),
    true,
  );
  const strips = rows.flatMap((row, position): readonly StripRow[] => {
    const values = (samples.get(row.variantId) ?? []).flatMap((metrics) => metrics.get(metric) ?? []);
    if (values.length === 0) return [];
    const text = texts[position];
    return [
      {
        label: nameLabel(row.variant),
        values,
        text: text === undefined ? '' : text.mean + text.deviation.replace(/± +/, '± ').trimEnd(),
        isBest: row.rank === 1,
      },
    ];
  });
  if (strips.length === 0) return [];
  const scale = linearScale(strips.flatMap(({ values }) => values));
  return [
    html`<figure><figcaption>${valueLabel(metric)} ${goalMark(goal)}</figcaption>
${stripChart(strips, scale)}</figure>
`,
  ];
}
