import type { Objective } from '../api/v1alpha1/schema.ts';
import { type Exited, RESULT_FILE_LIMIT_BYTES, type Termination } from './attempt.ts';
import { DURATION_METRIC, parseResult, type ReportedResult } from './result-protocol.ts';
import { trackedArtifacts } from './tracked-artifacts.ts';

/**
 * What an attempt came to.
 * - `Succeeded`: exit code 0 and every objective metric reported and finite.
 * - `TestFailed`: the program's own verdict, by its exit code.
 * - `ResultInvalid`: exit code 0, but no result that can be used.
 * - `TimedOut`: the trial's deadline passed.
 * - `Infrastructure`: not the program's doing; retried.
 * - `Cancelled`: ended because its run was.
 */
export type Outcome =
  | 'Succeeded'
  | 'TestFailed'
  | 'ResultInvalid'
  | 'TimedOut'
  | 'Infrastructure'
  | 'Cancelled';

/** The verdict on one attempt. `reason` is one CamelCase word, `message` a sentence for a person. */
export interface Judgement {
  readonly outcome: Outcome;
  readonly reason: string;
  readonly message: string;
  readonly exitCode: number | undefined;
  /** Undefined unless the outcome is Succeeded. Its metrics include {@link DURATION_METRIC} when the engine knows both times. */
  readonly result: ReportedResult | undefined;
}

/**
 * Judges an attempt that ended. Decided by exit code and result file alone, never by what a log says.
 * @param endedAt milliseconds since the epoch
 */
export function judgeAttempt(termination: Termination, endedAt: number, objective: Objective): Judgement {
  switch (termination.kind) {
    case 'Lost':
      return verdict('Infrastructure', termination.reason, termination.message);
    case 'DeadlineExceeded':
      return verdict('TimedOut', 'DeadlineExceeded', termination.message);
    case 'Exited':
      return termination.exitCode === 0
        ? unlessDisrupted(judgeResult(termination, endedAt, objective), termination)
        : verdict(
            'TestFailed',
            failureReason(termination),
            failureMessage(termination),
            termination.exitCode,
          );
  }
}

/** A program that was told to stop and exits with 0 has not said that this is its result: one that cannot be used is not held against it. */
const unlessDisrupted = (judgement: Judgement, { disruption }: Exited): Judgement =>
  judgement.outcome === 'Succeeded' || disruption === undefined
    ? judgement
    : verdict('Infrastructure', disruption.reason, disruption.message);

function judgeResult(termination: Exited, endedAt: number, objective: Objective): Judgement {
  const reported = reportedBy(termination);
  if ('outcome' in reported) return reported;
  const metrics = new Map(reported.metrics);
  if (termination.startedAt !== undefined)
    // A clock that was set back must not make a duration negative.
    metrics.set(DURATION_METRIC, Math.max(0, endedAt - termination.startedAt) / 1_000);
  const missing = objective.metrics.filter(({ name }) => !metrics.has(name)).map(({ name }) => name);
  if (missing.length > 0)
    return invalid(
      'MetricMissing',
      `the result lacks the objective's ${missing.length > 1 ? 'metrics' : 'metric'} ${missing.join(', ')}`,
    );
  const { artifacts: collected } = termination;
  if (collected?.kind === 'Refused') return invalid(collected.reason, collected.message);
  return {
    outcome: 'Succeeded',
    reason: 'Completed',
    message: '',
    exitCode: 0,
    result: { ...reported, metrics, artifacts: trackedArtifacts(reported.artifacts, collected) },
  };
}

/** What the program reported, by whichever way; the verdict when that is nothing that can be used. */
function reportedBy({ message, truncated, messageLimitBytes, pushed }: Exited): ReportedResult | Judgement {
  const isFileEmpty = message.trim() === '';
  if (pushed !== undefined && pushed !== 'Nothing')
    return isFileEmpty
      ? { metrics: pushed.metrics, artifacts: pushed.artifacts, outputs: undefined }
      : invalid(
          'TwoResults',
          'the program wrote a result to $BATCHTEST_RESULT_FILE and pushed one to $BATCHTEST_RESULT_URL; which of the two is meant cannot be told',
        );
  if (truncated)
    return invalid(
      'ResultTooLarge',
      `the result is longer than the limit of ${RESULT_FILE_LIMIT_BYTES} bytes`,
    );
  if (isFileEmpty && pushed === 'Nothing')
    return invalid(
      'NoResult',
      'the program wrote no result to $BATCHTEST_RESULT_FILE, and none that it pushed to $BATCHTEST_RESULT_URL was stored',
    );
  const parsed = parseResult(message, messageLimitBytes ?? RESULT_FILE_LIMIT_BYTES);
  return parsed.ok ? parsed.result : invalid(isFileEmpty ? 'NoResult' : 'ResultUnusable', parsed.problem);
}

const invalid = (reason: string, message: string): Judgement => verdict('ResultInvalid', reason, message, 0);

const verdict = (outcome: Outcome, reason: string, message: string, exitCode?: number): Judgement => ({
  outcome,
  reason,
  message,
  exitCode,
  result: undefined,
});

const SIGNALS: Readonly<Record<number, string>> = {
  1: 'SIGHUP',
  2: 'SIGINT',
  3: 'SIGQUIT',
  4: 'SIGILL',
  6: 'SIGABRT',
  7: 'SIGBUS',
  8: 'SIGFPE',
  9: 'SIGKILL',
  11: 'SIGSEGV',
  13: 'SIGPIPE',
  14: 'SIGALRM',
  15: 'SIGTERM',
  24: 'SIGXCPU',
  25: 'SIGXFSZ',
  31: 'SIGSYS',
};

function failureReason({ reason, exitCode }: Exited): string {
  if (reason === 'OOMKilled') return 'OOMKilled';
  return SIGNALS[exitCode - 128] === undefined ? 'NonZeroExitCode' : 'Signalled';
}

function failureMessage({ reason, exitCode, message }: Exited): string {
  const signal = SIGNALS[exitCode - 128];
  const how =
    reason === 'OOMKilled'
      ? `ran out of memory and was killed (exit code ${exitCode})`
      : signal === undefined
        ? `exit code ${exitCode}`
        : `exit code ${exitCode} (${signal})`;
  const tail = message.trim();
  return tail === '' ? how : `${how}: ${tail}`;
}
