import { type RunReport, reportedComparison, reportedObjective } from '../report/run-report.ts';
import { verificationOfTally } from '../report/run-verification.ts';
import { type Environment, resultStoreFrom } from '../runner/presets.ts';
import type { UnreadRun } from '../runner/unread-run.ts';

/**
 * The report of a run whose results cannot be read, as far as its object tells: how it ended, the counts and the best variant. Its
 * matrix, its failures and its gates are empty, and of the variants that tie with the best only the first are known.
 */
export function unreadRunReport(run: UnreadRun): RunReport {
  const { uid, manifest, namespace, end, status, createdAt } = run;
  const { name } = manifest.metadata;
  const { workflowId = name, objective, comparison } = manifest.spec;
  const {
    total = 0,
    pending = 0,
    running = 0,
    succeeded = 0,
    failed = 0,
    cancelled = 0,
    skipped = 0,
    reused = 0,
  } = status?.trials ?? {};
  const best = status?.best;
  return {
    run: {
      ...{ uid, name, namespace, workflowId, engine: 'kubernetes' },
      interrupted: false,
      ...{ state: end.state, reason: end.reason, message: end.message },
      startedAt: isoTime(status?.startTime ?? createdAt),
      finishedAt: status?.completionTime === undefined ? null : isoTime(status.completionTime),
      // What runs counts as pending in what is stored.
      trials: { total, pending: pending + running, succeeded, failed, cancelled, skipped, reused },
    },
    best:
      best === undefined
        ? null
        : { name: best.name, score: Number(best.score), ties: best.ties ?? [], evidence: null },
    objective: reportedObjective(objective),
    comparison: reportedComparison(comparison),
    previousRun: null,
    gates: [],
    gate: status?.gate ?? null,
    matrix: [],
    failures: [],
    failureCount: failed,
    verification: verificationOfTally(status?.artifacts),
  };
}

/** What named the database that was asked. */
const VARIABLES = {
  database: 'DATABASE_URL',
  databaseFile: 'DATABASE_URL_FILE',
  embedded: undefined,
} as const;

/** For stderr: why the report has no matrix, and where to get it. */
export function whyUnread({ uid, problem }: UnreadRun, environment: Environment): string {
  const set = VARIABLES[resultStoreFrom(environment, () => '').kind];
  return [
    `the results of run ${uid} cannot be read: ${set === undefined ? `DATABASE_URL is not set, and ${problem.message}` : `${set} is set, but ${problem.message}`}`,
    `the comparison is in the operator's database: set DATABASE_URL to it and call batchtest report ${uid}`,
  ].join('\n');
}

/** Times of objects have no fraction of a second; those of reports have. */
const isoTime = (time: string): string => new Date(time).toISOString();
