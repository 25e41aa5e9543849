import { isApiError } from './api-error.ts';
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

/** A view that heard nothing for so long is broken, whatever its watchdog thinks; the kubelet may restart the operator. */
const STALE_VIEW_MS = 10 * 60_000;

/**
 * Says that a view is broken for so long that a new process may do better. One that may not see a collection would not: its rights were taken in one
 * of several namespaces, or the namespace itself, and the others are served on.
 */
export function staleView(views: readonly ViewHealth[], now: number): string | undefined {
  const stale = views.find(
    ({ lastActivityAt, lastProblem }) =>
      now - lastActivityAt > STALE_VIEW_MS && !isApiError(lastProblem?.error, 403),
  );
  return stale === undefined
    ? undefined
    : `nothing was heard of ${stale.path} for ${STALE_VIEW_MS / 60_000} minutes`;
}

/** A view of the cluster, which is complete once everything that is there has been listed. */
export interface View extends ViewHealth {
  /** Resolves when it is complete; rejects when it is stopped before that. */
  whenSynced(): Promise<void>;
}

/** True for the view of a collection of this namespace alone. */
export const isViewOf = (path: string, namespace: string | undefined): boolean =>
  path.includes(`/namespaces/${namespace}/`);

/** Resolves when all views are complete. */
export async function allSynced(views: readonly View[]): Promise<void> {
  await Promise.all(views.map((view) => view.whenSynced()));
}

/** Resolves when what is waited for has been seen in these views. Rejects after `timeoutMs`; the cause is what was in the way. */
export async function seenWithin(
  seen: Promise<void>,
  views: readonly View[],
  timeoutMs: number,
  server: string,
): Promise<void> {
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
    await Promise.race([seen, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
