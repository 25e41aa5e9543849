import { median } from '../figure.ts';
import type { FigureName, Figures } from './figures.ts';
import type { Work } from './work.ts';

/** Everything that one `npm run bench:local` found, as `--json` writes it. */
export interface LocalResult {
  /** RFC 3339. */
  readonly date: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly machine: {
    readonly processors: string;
    readonly memoryGiB: number;
    /** Processes that wanted to run in the minute before; figures of a busy machine mean little. */
    readonly loadBefore: number;
  };
  readonly work: Work;
  readonly contenders: readonly MeasuredContender[];
}

export interface MeasuredContender {
  readonly name: string;
  readonly isOwn: boolean;
  readonly keeps: string;
  readonly rounds: readonly Figures[];
  /** Why there are no rounds. */
  readonly notMeasured?: string;
}

export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** A figure over all rounds; undefined when no round has it. */
export function spreadOf({ rounds }: MeasuredContender, name: FigureName): Spread | undefined {
  const values = rounds.flatMap((figures) => figures[name] ?? []);
  if (values.length === 0) return undefined;
  return { median: median(values), least: Math.min(...values), most: Math.max(...values) };
}
