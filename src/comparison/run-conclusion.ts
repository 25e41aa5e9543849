import { type ComparableRun, candidateOf, comparisonOf, variantRecords } from './comparable-run.ts';
import { type Conclusion, conclusionOf } from './conclusion.ts';

/** The conclusion of a run from what is stored of it; that of what there is so far while it is not over. */
export function runConclusion(run: ComparableRun): Conclusion {
  const { objective } = run.manifest.spec;
  const candidates = variantRecords(run).flatMap((record) => candidateOf(record, run) ?? []);
  return conclusionOf(objective, comparisonOf(run), candidates, run.previousRun, run.reason);
}
