import { COLOURS, type Plot } from '../plot.ts';
import { spreadOf } from '../spread.ts';
import { FIGURES, type FigureName } from './figures.ts';
import type { LocalResult } from './result.ts';

export const localPlots = (result: LocalResult): readonly Plot[] => [
  barPlot(result, 'local-rate.svg', 'Programs a second: more is better', 'programsPerSecond'),
  barPlot(result, 'local-first-result.svg', 'Start to the first result, ms: less is better', 'firstResultMs'),
  barPlot(result, 'local-memory.svg', 'Peak memory of all processes, MiB: less is better', 'peakMiB'),
];

function barPlot({ contenders }: LocalResult, file: string, text: string, name: FigureName): Plot {
  const values = contenders.flatMap((contender) => {
    const spread = spreadOf(contender.rounds, name);
    return spread === undefined
      ? []
      : [{ contender: contender.name, whose: contender.isOwn ? 'own' : 'other', ...spread }];
  });
  const order = contenders.map((contender) => contender.name);
  const y = { field: 'contender', type: 'nominal', sort: order, title: null } as const;
  const title = FIGURES[name].unit || null;
  return {
    file,
    text,
    spec: {
      title: text,
      width: 480,
      data: { values },
      layer: [
        {
          mark: { type: 'bar', height: 14 },
          encoding: {
            y,
            x: { field: 'median', type: 'quantitative', title },
            color: {
              field: 'whose',
              type: 'nominal',
              scale: { domain: ['own', 'other'], range: [COLOURS.own, COLOURS.other] },
              legend: null,
            },
          },
        },
        {
          mark: { type: 'rule', color: '#7a828c' },
          encoding: { y, x: { field: 'least', type: 'quantitative' }, x2: { field: 'most' } },
        },
      ],
    },
  };
}
