import { canBeCompared } from '../comparison/comparable-run.ts';
import { shortUid } from './run-text.ts';

/** Which of these runs cannot be compared, because their shared data changed while they were under way; the end of a sentence. Null where all can. */
export function changedDataText(
  runs: readonly { readonly uid: string; readonly reason: string | null | undefined }[],
): string | null {
  const changed = runs.filter(({ reason }) => !canBeCompared(reason ?? undefined));
  if (changed.length === 0) return null;
  const names = changed.map(({ uid }) => `run ${shortUid(uid)}`).join(' and ');
  return `the shared data of ${names} changed, so what was measured cannot be compared`;
}
