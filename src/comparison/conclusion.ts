import type { Comparison, Objective } from '../api/v1alpha1/schema.ts';
import { type BestVariant, bestVariant } from './best-variant.ts';
import type { Candidate } from './candidate.ts';
import { canBeCompared } from './comparable-run.ts';
import { type GateResult, gateResults, overallGate } from './gates.ts';
import type { PreviousRun } from './previous-run.ts';

/** What a comparison comes to. The status of a run that is over and all of its reports say this and nothing else. */
export interface Conclusion {
  /** Undefined when no variant can be called best. */
  readonly best: BestVariant | undefined;
  readonly gates: readonly GateResult[];
  /** Undefined without gates. */
  readonly gate: 'Passed' | 'Failed' | undefined;
}

/**
 * The conclusion from the candidates of a run, in the order of the manifest. The same values give the same conclusion.
 * @param previousRun the earlier run that gates compare with
 * @param reason why the run is over; undefined while it is not
 */
export function conclusionOf(
  objective: Objective,
  comparison: Comparison,
  candidates: readonly Candidate[],
  previousRun?: PreviousRun,
  reason?: string,
): Conclusion {
  if (!canBeCompared(reason)) {
    const gates = gateResults(objective, comparison, [], previousRun).map((gate) => ({
      ...gate,
      reason: 'shared data changed meanwhile, so what was measured cannot be compared',
    }));
    return { best: undefined, gates, gate: overallGate(gates) };
  }
  const gates = gateResults(objective, comparison, candidates, previousRun);
  return { best: bestVariant(objective, comparison, candidates), gates, gate: overallGate(gates) };
}
