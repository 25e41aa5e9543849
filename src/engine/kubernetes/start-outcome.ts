import type { StartOutcome } from '../engine.ts';
import type { ApiError } from './api-error.ts';
import type { AttemptCarrier } from './attempt-carrier.ts';

const QUOTA_RETRY_MS = 5_000;
const OVERLOAD_RETRY_MS = 2_000;
/** Needs a person, or an end that is under way: asking more often changes nothing. */
const SLOW_RETRY_MS = 30_000;

type Postponed = Extract<StartOutcome, { kind: 'Postponed' }>;

/**
 * What the API server's refusal to create a Job or pod means for its attempt. Refused is what would be refused again tomorrow, because of
 * what that is; everything that time or an administrator can change is Postponed. (409 AlreadyExists is not dealt with here: it takes
 * a look at what has the name.)
 */
export function outcomeOfRefusal(error: ApiError, kind: AttemptCarrier['kind']): StartOutcome {
  const { status, statement, details } = error;
  const postponed = (reason: string, usualMs: number): Postponed => ({
    kind: 'Postponed',
    reason,
    message: withoutName(statement),
    retryAfterMs: error.retryAfterMs ?? usualMs,
  });
  const refused = (reason: string): StartOutcome => ({ kind: 'Refused', reason, message: statement });

  if (status === 429) return postponed('TooManyRequests', OVERLOAD_RETRY_MS);
  // A server error, a webhook that does not answer, a storage that is away. It may have been carried out; the name tells.
  if (status >= 500 || status === 408)
    return { ...postponed('ServerUnavailable', OVERLOAD_RETRY_MS), mayHaveStarted: true };
  if (status === 401) return postponed('Unauthorized', SLOW_RETRY_MS);
  // The namespace goes, and the run's object with it: the run is over very soon, and no trial of it failed.
  if (status === 404 || details.causes?.some(({ reason }) => reason === 'NamespaceTerminating'))
    return postponed('NamespaceTerminating', SLOW_RETRY_MS);
  if (status === 403) {
    if (statement.includes('exceeded quota')) return postponed('QuotaExceeded', QUOTA_RETRY_MS);
    // RBAC, or the right to name an owner that blocks deletion: an administrator grants it, and the run goes on.
    if (/ cannot \w+ resource | cannot set blockOwnerDeletion /.test(statement))
      return postponed('Forbidden', SLOW_RETRY_MS);
    // A new namespace has no service account for a moment. A Job's controller would try again as well.
    if (statement.includes('error looking up service account'))
      return postponed('ServiceAccountMissing', OVERLOAD_RETRY_MS);
    // An admission plugin, policy or webhook looked at this very object and said no.
    return refused('AdmissionDenied');
  }
  if (status === 409) return postponed('Conflict', OVERLOAD_RETRY_MS);
  if (/\bdenied\b/.test(statement)) return refused('AdmissionDenied');
  // 400, 413, 422: the server cannot take this object, now or later.
  return refused(`Invalid${kind}`);
}

/** What is said of a quota holds for every attempt, and with the name of the one that was tried, each try would change the status. */
const withoutName = (statement: string): string =>
  statement.replace(/^(?:jobs\.batch|pods) "[^"]*" is forbidden: /, '');
