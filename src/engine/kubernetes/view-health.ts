import type { ReflectorProblem } from './reflector.ts';

/** The health of one view of the cluster. */
export interface ViewHealth {
  /** Path of the collection. */
  readonly path: string;
  /** When the server was last heard of, in milliseconds since the epoch. */
  readonly lastActivityAt: number;
  /** What went wrong since the last success. */
  readonly lastProblem: ReflectorProblem | undefined;
}

interface View extends ViewHealth {
  whenSynced(): Promise<void>;
}

/** Resolves when all views are complete. Rejects after `timeoutMs`; the cause is what was in the way. */
export async function syncedWithin(views: readonly View[], timeoutMs: number, server: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const problem = views.find(({ lastProblem }) => lastProblem !== undefined)?.lastProblem;
      const cause = problem === undefined ? {} : { cause: problem.error };
      reject(
        new Error(`the cluster at ${server} could not be seen completely within ${timeoutMs} ms`, cause),
      );
    }, timeoutMs);
  });
  try {
    await Promise.race([Promise.all(views.map((view) => view.whenSynced())), tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
