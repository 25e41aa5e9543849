import { parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';

/** Legible on a light page and on a dark one, as the same file is shown on both. */
const GREY = '#7a828c';
/** Of what this project makes, and of everything else. */
export const COLOURS = { own: '#2f81f7', other: '#a0a6ae' } as const;

const LOOK = {
  background: 'transparent',
  font: 'system-ui, sans-serif',
  axis: {
    labelColor: GREY,
    titleColor: GREY,
    domainColor: GREY,
    tickColor: GREY,
    gridColor: GREY,
    gridOpacity: 0.3,
  },
  header: { labelColor: GREY, labelFontSize: 12, titleColor: GREY },
  legend: { labelColor: GREY, titleColor: GREY },
  title: { color: GREY, fontSize: 13, anchor: 'start' },
  view: { stroke: 'transparent' },
} as const;

/** A plot of docs/benchmarks.md. */
export interface Plot {
  /** In docs/benchmarks. */
  readonly file: string;
  /** What it shows, in words. */
  readonly text: string;
  readonly spec: TopLevelSpec;
}

/** A Vega-Lite plot as SVG: the same text for the same plot. */
export async function svgOf(plot: TopLevelSpec): Promise<string> {
  const { spec } = compile({ ...plot, config: LOOK });
  const view = new View(parse(spec), { renderer: 'none' });
  try {
    return `${await view.toSVG()}\n`;
  } finally {
    view.finalize();
  }
}
