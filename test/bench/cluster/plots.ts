import { COLOURS, type Plot } from '../plot.ts';
import { spreadOf } from '../spread.ts';
import type { FigureName } from './figures.ts';
import type { BenchmarkResult, Comparison } from './result.ts';

/** The plots for which the result has figures. */
export const clusterPlots = (result: BenchmarkResult): readonly Plot[] =>
  [
    barPlot(result, 'cluster-efficiency.svg', 'Efficiency, % of the ideal: more is better', ['efficiency']),
    barPlot(
      result,
      'cluster-refill.svg',
      'Slot free to next pod running, ms, p50 (circles) and p99 (triangles): less is better',
      ['refillRunningP50Ms', 'refillRunningP99Ms'],
    ),
    barPlot(
      result,
      'cluster-cpu.svg',
      'CPU of the contender and its database per 1,000 trials, s: less is better',
      ['cpuSeconds'],
    ),
    barPlot(result, 'cluster-writes.svg', 'API writes per trial, by anybody: less is better', ['writes']),
    memoryPlot(result),
  ].filter((plot) => plot !== undefined);

interface Bar {
  readonly place: string;
  readonly contender: string;
  readonly kind: string;
  readonly median: number;
  readonly least: number;
  readonly most: number;
  readonly whose: keyof typeof COLOURS;
}

const placeOf = ({ scenario, limits }: Comparison): string => `${scenario.name}, ${limits} limits`;

/** What takes milliseconds for one contender may take seconds for another: those are dots on a logarithmic scale, the rest are bars. */
function barPlot(
  { comparisons }: BenchmarkResult,
  file: string,
  text: string,
  names: readonly FigureName[],
): Plot | undefined {
  const values = comparisons.flatMap((comparison) =>
    comparison.contenders.flatMap(({ name: contender, isOperator, rounds }) =>
      names.flatMap((kind): readonly Bar[] => {
        const spread = spreadOf(rounds, kind);
        const whose = isOperator === true ? 'own' : 'other';
        return spread === undefined
          ? []
          : [{ place: placeOf(comparison), contender, kind, ...spread, whose }];
      }),
    ),
  );
  // A single contender is compared with nobody.
  const compared = values.filter(({ place, contender }) =>
    values.some((other) => other.place === place && other.contender !== contender),
  );
  if (compared.length === 0) return undefined;
  const isLogarithmic = names.length > 1;
  const scale = isLogarithmic ? ({ type: 'log' } as const) : ({ zero: true } as const);
  const y = { field: 'contender', type: 'nominal', sort: null, title: null } as const;
  const colour = {
    field: 'whose',
    type: 'nominal',
    scale: { domain: Object.keys(COLOURS), range: Object.values(COLOURS) },
    legend: null,
  } as const;
  const x = { field: 'median', type: 'quantitative', scale, title: null, axis: { tickCount: 4 } } as const;
  return {
    file,
    text,
    spec: {
      data: { values: compared },
      title: text,
      columns: 3,
      facet: {
        field: 'place',
        type: 'nominal',
        sort: [...new Set(compared.map(({ place }) => place))],
        title: null,
      },
      spec: {
        width: 170,
        height: { step: 18 },
        encoding: { y },
        layer: [
          isLogarithmic
            ? {
                mark: { type: 'point', filled: true, size: 55, opacity: 1 },
                encoding: {
                  x,
                  color: colour,
                  shape: {
                    field: 'kind',
                    type: 'nominal',
                    scale: { domain: [...names], range: ['circle', 'triangle-right'] },
                    legend: null,
                  },
                },
              }
            : { mark: { type: 'bar', height: { band: 0.7 } }, encoding: { x, color: colour } },
          {
            mark: { type: 'rule', color: '#7a828c', strokeWidth: 1.5 },
            encoding: { x: { field: 'least', type: 'quantitative', scale }, x2: { field: 'most' } },
          },
        ],
      },
    },
  };
}

/** How much memory was resident, as the trials of a long run ended. */
function memoryPlot({ comparisons }: BenchmarkResult): Plot | undefined {
  const values = comparisons.flatMap((comparison) =>
    comparison.contenders.flatMap(({ name, resident = [] }) =>
      resident.map(([trials, mebibytes]) => ({ contender: name, trials, mebibytes })),
    ),
  );
  if (values.length === 0) return undefined;
  const text = 'Resident memory of the operator over a long run, MiB, by trials that have ended';
  const contenders = [...new Set(values.map(({ contender }) => contender))];
  return {
    file: 'cluster-memory.svg',
    text,
    spec: {
      data: { values },
      title: text,
      width: 560,
      height: 200,
      mark: { type: 'line', strokeWidth: 2 },
      encoding: {
        x: { field: 'trials', type: 'quantitative', title: null },
        y: { field: 'mebibytes', type: 'quantitative', title: null, scale: { zero: true } },
        color: {
          field: 'contender',
          type: 'nominal',
          scale: { domain: contenders, range: [COLOURS.own, '#d29922', '#3fb950'] },
          legend: contenders.length === 1 ? null : { title: null },
        },
      },
    },
  };
}
