import { quantile } from '../../comparison/sample-summary.ts';
import { html, type Markup } from './markup.ts';
import type { Scale } from './scale.ts';
import { evenly, percent } from './svg-place.ts';

/** The values of one row of a strip chart. */
export interface StripRow {
  readonly label: Markup;
  /** At least one. */
  readonly values: readonly number[];
  /** What stands behind the row: its mean, or how many values it has. */
  readonly text: string;
  readonly isBest: boolean;
}

/** Dots that a row draws; quartiles are of all values. */
export const DOTS_PER_ROW = 60;
const ROW_HEIGHT = 26;
const AXIS_HEIGHT = 22;
/** Below this many values a box would show quartiles that nobody measured. */
const BOX_FROM = 5;

/** One row per group of values: a dot for each value, a box from the lower to the upper quartile, and a line for the median. */
export const stripChart = (rows: readonly StripRow[], scale: Scale): Markup => html`<div class="strip">
${rows.map((row) => stripRow(row, scale))}<div class="strip-axis" aria-hidden="true">${axis(scale)}</div>
</div>
`;

function stripRow({ label, values, text, isBest }: StripRow, scale: Scale): Markup {
  const sorted = values.toSorted((one, other) => one - other);
  const median = quantile(sorted, 0.5);
  const described = `${values.length === 1 ? '1 value' : `${values.length} values`}, median ${scaleText(median)}, from ${scaleText(quantile(sorted, 0))} to ${scaleText(quantile(sorted, 1))}`;
  return html`<div class="strip-row${isBest ? ' best' : ''}"><div class="strip-label">${isBest ? '★ ' : ''}${label}</div><svg role="img" aria-label="${described}" width="100%" height="${ROW_HEIGHT}">${grid(scale, ROW_HEIGHT)}${box(sorted, scale)}${dots(values, scale)}<line class="median" x1="${percent(scale.position(median))}" x2="${percent(scale.position(median))}" y1="4" y2="${ROW_HEIGHT - 4}"/></svg><div class="strip-text">${text}</div></div>
`;
}

const scaleText = (value: number): string => String(Number(value.toPrecision(5)));

function box(sorted: readonly number[], scale: Scale): Markup {
  if (sorted.length < BOX_FROM) return html``;
  const [lower, upper] = [0.25, 0.75].map((share) => scale.position(quantile(sorted, share)));
  if (lower === undefined || upper === undefined) return html``;
  return html`<rect class="box" x="${percent(lower)}" width="${percent(upper - lower)}" y="6" height="${ROW_HEIGHT - 12}"/>`;
}

/** Spread over the height in a fixed pattern, so that equal values do not hide each other. */
const dots = (values: readonly number[], scale: Scale): readonly Markup[] =>
  evenly(values, DOTS_PER_ROW).map(
    (value, index) =>
      html`<circle cx="${percent(scale.position(value))}" cy="${8 + ((index * 7) % 11)}" r="3"/>`,
  );

const grid = ({ ticks, position }: Scale, height: number): readonly Markup[] =>
  ticks.map(
    (tick) =>
      html`<line class="grid" x1="${percent(position(tick))}" x2="${percent(position(tick))}" y1="0" y2="${height}"/>`,
  );

/** The ticks of a horizontal axis. */
const axis = ({ ticks, position, text }: Scale): Markup =>
  html`<svg width="100%" height="${AXIS_HEIGHT}">${ticks.map(
    (tick) => html`<text x="${percent(position(tick))}" y="15" text-anchor="middle">${text(tick)}</text>`,
  )}</svg>`;
