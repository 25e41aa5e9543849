import { html, type Markup } from './markup.ts';
import { axisScale, linearScale } from './scale.ts';
import { evenly, percent } from './svg-place.ts';

/** One point of a scatter chart. */
export interface ScatterPoint {
  readonly x: number;
  readonly y: number;
  readonly name: string;
  readonly isBest: boolean;
}

/** Points that a chart draws. */
export const POINTS_PER_CHART = 400;
const HEIGHT = 180;

/** A point per variant, with a horizontal and a vertical axis. */
export function scatterChart(points: readonly ScatterPoint[], described: string): Markup {
  const x = axisScale(points.map((point) => point.x));
  const y = linearScale(points.map((point) => point.y));
  const bottomUp = (value: number): string => percent(100 - y.position(value));
  const drawn = evenly(
    points.filter(({ isBest }) => !isBest),
    POINTS_PER_CHART,
  );
  const circle = ({ x: across, y: up, name, isBest }: ScatterPoint): Markup =>
    html`<circle${isBest ? html` class="best"` : ''} cx="${percent(x.position(across))}" cy="${bottomUp(up)}" r="${isBest ? 5 : 3.5}"><title>${name}: ${across}, ${Number(up.toPrecision(6))}</title></circle>`;
  return html`<div class="scatter">
<svg class="axis-y" aria-hidden="true" width="100%" height="${HEIGHT}">${y.ticks.map(
    (tick) => html`<text x="100%" y="${bottomUp(tick)}" dy="4" text-anchor="end">${y.text(tick)}</text>`,
  )}</svg>
<svg class="plot" role="img" aria-label="${described}" width="100%" height="${HEIGHT}">${y.ticks.map(
    (tick) => html`<line class="grid" x1="0" x2="100%" y1="${bottomUp(tick)}" y2="${bottomUp(tick)}"/>`,
  )}${drawn.map(circle)}${points
    .filter(({ isBest }) => isBest)
    .slice(0, POINTS_PER_CHART)
    .map(circle)}</svg>
<svg class="axis-x" aria-hidden="true" width="100%" height="22">${x.ticks.map(
    (tick) => html`<text x="${percent(x.position(tick))}" y="15" text-anchor="middle">${x.text(tick)}</text>`,
  )}</svg>
</div>${x.isLogarithmic ? html`<p class="note">Logarithmic horizontal axis.</p>` : ''}
`;
}
