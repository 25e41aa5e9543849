import type { BenchmarkRecord } from '../benchmark-result.ts';
import type { Measured } from '../spread.ts';
import type { FigureName } from './figures.ts';
import type { Work } from './work.ts';

/** Everything that one `npm run bench:local` found, as `--json` writes it. */
export interface LocalResult extends BenchmarkRecord {
  readonly work: Work;
  readonly contenders: readonly MeasuredContender[];
}

export interface MeasuredContender extends Measured<FigureName> {
  readonly name: string;
  readonly isOwn: boolean;
  readonly keeps: string;
  /** Why there are no rounds. */
  readonly notMeasured?: string;
}
