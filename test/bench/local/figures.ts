import type { FigureKind } from '../spread.ts';

/** Everything that is measured of one contender in one round, in the order in which it is told. */
export const FIGURES = {
  firstResultMs: { title: 'start to the first result', unit: 'ms', digits: 0, best: 'least' },
  makespanSeconds: { title: 'makespan', unit: 's', digits: 2, best: 'least' },
  makespanRatio: { title: '– against bare Node', unit: '×', digits: 2, best: 'least' },
  programsPerSecond: { title: 'programs a second', unit: '', digits: 0, best: 'most' },
  rateShare: { title: '– against bare Node', unit: '%', digits: 0, best: 'most' },
  storingShare: { title: '– against bare Node, inserting', unit: '%', digits: 0, best: 'most' },
  peakMiB: { title: 'peak memory of all its processes', unit: 'MiB', digits: 1, best: 'least' },
  cpuSeconds: { title: 'CPU per 1,000 programs', unit: 's', digits: 2, best: 'least' },
  committed: { title: 'results in a database at the end', unit: '', digits: 0, best: 'most' },
} as const satisfies Readonly<Record<string, FigureKind>>;

export type FigureName = keyof typeof FIGURES;
export const FIGURE_NAMES = Object.keys(FIGURES) as readonly FigureName[];
export type Figures = Readonly<Partial<Record<FigureName, number>>>;

/**
 * One round, with what is told against others in the same round.
 * @param storing of bare Node that inserts each result; undefined when it did not take part
 */
export function againstOthers(figures: Figures, bare: Figures, storing: Figures | undefined): Figures {
  const ratio = (name: FigureName, other: Figures): number =>
    (figures[name] ?? Number.NaN) / (other[name] ?? Number.NaN);
  return {
    ...figures,
    makespanRatio: ratio('makespanSeconds', bare),
    rateShare: 100 * ratio('programsPerSecond', bare),
    ...(storing === undefined ? {} : { storingShare: 100 * ratio('programsPerSecond', storing) }),
  };
}
