import { endingsWithoutStore } from '../core/reconcile.ts';
import type { RunControls } from '../core/run.ts';
import type { Engine } from '../engine/engine.ts';
import type { ActiveRun } from './active-run.ts';

/** While results cannot be stored, ends what must not run any longer; that is recorded once they can be. */
export async function endWithoutStore(
  { uid, ledger }: Pick<ActiveRun, 'uid' | 'ledger'>,
  controls: RunControls,
  engine: Pick<Engine, 'observe' | 'removeAttempts'>,
  now: number,
): Promise<void> {
  const endings = endingsWithoutStore(ledger, engine.observe(uid), controls, now);
  if (endings === undefined) return;
  const { attempts, why } = endings;
  // Before it is asked for: it may be carried out though the answer is lost.
  for (const attempt of attempts) ledger.noteEndedUnrecorded(attempt, why);
  await engine.removeAttempts(
    ledger.definition,
    attempts.map(({ name }) => name),
  );
}
