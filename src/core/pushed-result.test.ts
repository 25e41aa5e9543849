import { describe, expect, it } from 'vitest';
import { controlsOf, aRun as runOf } from '../../test/builders/run.ts';
import { attemptName, isAttemptName, type ObservedAttempt, type Termination } from './attempt.ts';
import type { RecordAttempt } from './plan.ts';
import type { PushedResult } from './pushed-result.ts';
import { reconcile } from './reconcile.ts';
import { RunLedger } from './run-ledger.ts';

const PUSHED: PushedResult = {
  sha256: 'a'.repeat(64),
  metrics: new Map([['p95_ms', 7]]),
  artifacts: [{ name: 'profile', uri: 's3://b/k' }],
};
const GOOD_FILE = '{"metrics":{"p95_ms":1}}';

interface Ended {
  readonly exitCode?: number;
  readonly message?: string;
  readonly truncated?: boolean;
  readonly pushed?: PushedResult | 'Nothing';
  readonly startId?: string;
}

/** What is recorded of the one trial of a run whose programs push results, after its program ended like that; undefined when nothing is yet. */
function recordOf({ exitCode = 0, message = '', truncated, pushed, startId = 'pod-1' }: Ended, push = true) {
  const run = runOf({ variants: 1, spec: { results: { push } } });
  const [trial] = run.trials;
  if (trial === undefined) throw new Error('the run has no trial');
  const ledger = new RunLedger(
    run,
    [
      {
        variantId: trial.variant.id,
        repetition: 0,
        phase: 'Pending',
        recordedAttempts: 0,
        countedAttempts: 0,
        failsVariant: false,
        reusedFrom: undefined,
        lastOutcome: undefined,
        metrics: new Map(),
      },
    ],
    undefined,
  );
  const termination: Termination = {
    kind: 'Exited',
    exitCode,
    message,
    ...(truncated === undefined ? {} : { truncated }),
    ...(pushed === undefined ? {} : { pushed }),
  };
  const attempt: ObservedAttempt = {
    name: attemptName(run, trial, 1),
    variantId: trial.variant.id,
    repetition: 0,
    attempt: 1,
    startId,
    state: { kind: 'Ended', at: 1_000, termination },
  };
  ledger.noteObserved([attempt]);
  const { actions } = reconcile(ledger, [attempt], controlsOf(run), 2_000);
  return actions.find((action): action is RecordAttempt => action.kind === 'RecordAttempt');
}

describe('an attempt whose program may push its result', () => {
  it('is not judged before it is known whether it did', () => {
    expect(recordOf({})).toBeUndefined();
    expect(recordOf({ message: GOOD_FILE })).toBeUndefined();
  });

  it('succeeds by what it pushed, and the record says which that was', () => {
    expect(recordOf({ pushed: PUSHED })).toMatchObject({
      judgement: {
        outcome: 'Succeeded',
        result: { metrics: PUSHED.metrics, artifacts: PUSHED.artifacts, outputs: undefined },
      },
      pushed: { kind: 'Takes', startId: 'pod-1', sha256: PUSHED.sha256 },
    });
  });

  it('succeeds by its file as ever, as long as nothing was pushed', () => {
    expect(recordOf({ message: GOOD_FILE, pushed: 'Nothing' })).toMatchObject({
      judgement: { outcome: 'Succeeded', result: { metrics: new Map([['p95_ms', 1]]) } },
      pushed: { kind: 'RestsOnNothing', startId: 'pod-1' },
    });
  });

  it.each<readonly [what: string, ended: Ended, reason: string, kind: string]>([
    ['did both', { message: GOOD_FILE, pushed: PUSHED }, 'TwoResults', 'Discards'],
    ['pushed, and wrote something unusable', { message: 'x', pushed: PUSHED }, 'TwoResults', 'Discards'],
    [
      'pushed, and wrote too much',
      { message: 'x', truncated: true, pushed: PUSHED },
      'TwoResults',
      'Discards',
    ],
    ['did neither', { pushed: 'Nothing' }, 'NoResult', 'RestsOnNothing'],
    ['wrote something unusable', { message: 'x', pushed: 'Nothing' }, 'ResultUnusable', 'RestsOnNothing'],
    [
      'pushed no metric of the objective',
      { pushed: { ...PUSHED, metrics: new Map() } },
      'MetricMissing',
      'Discards',
    ],
  ])('has no valid result when it %s', (_, ended, reason, kind) => {
    const record = recordOf(ended);
    expect(record?.judgement).toMatchObject({ outcome: 'ResultInvalid', reason });
    expect(record?.pushed?.kind).toBe(kind);
  });

  it('fails by its exit code, whatever it pushed, and that is not even asked', () => {
    expect(recordOf({ exitCode: 3 })).toMatchObject({
      judgement: { outcome: 'TestFailed', exitCode: 3 },
      pushed: { kind: 'Discards' },
    });
  });

  it('says nothing of pushes when its run takes none', () => {
    expect(recordOf({ message: GOOD_FILE }, false)).not.toHaveProperty('pushed');
  });
});

it('knows the name of an attempt from that of any other', () => {
  const run = runOf({ variants: 2, repetitions: 2 });
  const keys = run.trials.flatMap((trial) => [1, 2].map((attempt) => ({ trial, attempt })));
  for (const { trial, attempt } of keys) {
    const name = attemptName(run, trial, attempt);
    const fitting = keys.filter((key) =>
      isAttemptName(name, run.uid, {
        variantId: key.trial.variant.id,
        repetition: key.trial.repetition,
        attempt: key.attempt,
      }),
    );
    expect(fitting).toEqual([{ trial, attempt }]);
    expect(
      isAttemptName(name, 'another', { variantId: trial.variant.id, repetition: trial.repetition, attempt }),
    ).toBe(false);
    // As somebody may call the owner of a pod.
    expect(
      isAttemptName(`../pods?x=${name.slice(-11)}`, run.uid, {
        variantId: trial.variant.id,
        repetition: trial.repetition,
        attempt,
      }),
    ).toBe(false);
  }
});
