import { join } from 'node:path';
import { orderOfRound } from '../rounds.ts';
import { BARE_NODE } from './bare-node-contender.ts';
import type { Contender } from './contender.ts';
import { againstOthers, type Figures } from './figures.ts';
import { measure } from './measurement.ts';
import type { LocalResult } from './result.ts';
import { STORING_NODE } from './storing-node-contender.ts';
import type { Work } from './work.ts';

/** All contenders in turn, and again, in another order. The first one is ours. Whoever cannot be run here is told of. */
export async function compare(
  contenders: readonly Contender[],
  { work, rounds, directory }: { readonly work: Work; readonly rounds: number; readonly directory: string },
  tell: (doing: string) => void = () => {},
): Promise<Pick<LocalResult, 'versions' | 'work' | 'contenders'>> {
  const missing = new Map<Contender, string>();
  for (const contender of contenders)
    await contender.prepare().catch((error: unknown) => missing.set(contender, reasonOf(error)));
  const ready = contenders.filter((contender) => !missing.has(contender));
  const measured: (readonly [Contender, Figures])[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const found = new Map<Contender, Figures>();
    for (const contender of orderOfRound(ready, round)) {
      tell(`round ${round + 1}, ${contender.name}`);
      const place = join(directory, `${round}-${contenders.indexOf(contender)}`);
      found.set(contender, await measure(contender, work, place));
    }
    const bare = found.get(BARE_NODE) ?? {};
    const storing = found.get(STORING_NODE);
    for (const [contender, figures] of found)
      measured.push([contender, againstOthers(figures, bare, storing)]);
  }
  return {
    versions: Object.assign({}, ...contenders.map(({ versions }) => versions), {
      'Node.js': process.version,
    }),
    work,
    contenders: contenders.map((contender, index) => {
      const notMeasured = missing.get(contender);
      return {
        name: contender.name,
        isOwn: index === 0,
        keeps: contender.keeps,
        rounds: measured.flatMap(([whose, figures]) => (whose === contender ? [figures] : [])),
        ...(notMeasured === undefined ? {} : { notMeasured }),
      };
    }),
  };
}

/** With what it is due to, in one line. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
  return `${error.message}${cause}`.replaceAll(/\s+/g, ' ').slice(0, 400);
}
