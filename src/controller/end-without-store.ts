import { type EndingsWithoutStore, endingsWithoutStore } from '../core/reconcile.ts';
import type { RunControls } from '../core/run.ts';
import type { Engine } from '../engine/engine.ts';
import type { ActiveRun } from './active-run.ts';

/**
 * While results cannot be stored, has ended what must not run any longer; that is recorded once they can be.
 * @returns what it has ended; undefined for nothing
 */
export function endWithoutStore(
  { ledger, work }: Pick<ActiveRun, 'ledger' | 'work'>,
  controls: RunControls,
  engine: Pick<Engine, 'observe' | 'removeAttempts'>,
  now: number,
): EndingsWithoutStore | undefined {
  const endings = endingsWithoutStore(ledger, engine.observe(ledger.definition), controls, now);
  if (endings === undefined) return undefined;
  const { attempts, why } = endings;
  // Before it is asked for: it may be carried out though the answer is lost.
  for (const attempt of attempts) ledger.noteEndedUnrecorded(attempt, why);
  const names = attempts.map(({ name }) => name);
  work.addRemoval(names, (due) => engine.removeAttempts(ledger.definition, due));
  return endings;
}
