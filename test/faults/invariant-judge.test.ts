/** A judge that finds nothing is worth nothing: made-up histories, each of which breaks one rule. */
import { describe, expect, it } from 'vitest';
import {
  LABEL_ATTEMPT,
  LABEL_REPETITION,
  LABEL_RUN_UID,
  LABEL_VARIANT_ID,
} from '../../src/api/v1alpha1/constants.ts';
import type { ObjectMeta } from '../../src/engine/kubernetes/kubernetes-objects.ts';
import type { BatchTestObject, Change } from '../integration/watch-recorder.ts';
import { type JudgedHistory, judge, type StoredRunHistory } from './invariant-judge.ts';

const UID = 'run-1';

/** A history that is made up change by change; revisions and times count on by themselves. */
class MadeUp {
  readonly changes: Change[] = [];
  #revision = 0;

  job(name: string, attempt: number, type: Change['type'] = 'ADDED', owner = UID): this {
    return this.#note('Job', type, {
      metadata: {
        ...this.#meta(name, attempt),
        ownerReferences: [
          { apiVersion: 'batchtest.dev/v1alpha1', kind: 'BatchTest', name: 'cache', uid: owner },
        ],
      },
    });
  }

  pod(
    job: string,
    attempt: number,
    phase: string,
    exitCode?: number,
    type: Change['type'] = 'MODIFIED',
  ): this {
    const terminated = exitCode === undefined ? undefined : { exitCode };
    return this.#note('Pod', type, {
      metadata: {
        ...this.#meta(`${job}-pod`, attempt),
        ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name: job, uid: `uid-${job}` }],
      },
      status: {
        phase,
        containerStatuses: [{ name: 'test', state: terminated === undefined ? {} : { terminated } }],
      },
    });
  }

  object(
    trials: Partial<NonNullable<NonNullable<BatchTestObject['status']>['trials']>>,
    conditions: readonly string[] = ['Progressing'],
    observedGeneration = 1,
    finalizers: readonly string[] = [],
  ): this {
    const counts = { total: 1, pending: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0, ...trials };
    return this.#note('BatchTest', 'MODIFIED', {
      metadata: { name: 'cache', uid: UID, resourceVersion: '', generation: 1, finalizers },
      spec: { parallelism: 1 },
      status: {
        trials: counts,
        conditions: conditions.map((type) => ({
          type,
          status: 'True' as const,
          reason: 'Made',
          message: '',
          lastTransitionTime: '2026-01-01T00:00:00Z',
          observedGeneration,
        })),
      },
    });
  }

  gone(): this {
    const last = this.changes.findLast(({ kind }) => kind === 'BatchTest');
    if (last !== undefined) this.changes.push({ ...last, type: 'DELETED', revision: this.#next() });
    return this;
  }

  #meta(name: string, attempt: number): ObjectMeta {
    return {
      name,
      uid: `uid-${name}`,
      resourceVersion: '',
      labels: {
        [LABEL_RUN_UID]: UID,
        [LABEL_VARIANT_ID]: 'a',
        [LABEL_REPETITION]: '0',
        [LABEL_ATTEMPT]: String(attempt),
      },
    };
  }

  #note(kind: Change['kind'], type: Change['type'], object: Change['object']): this {
    const revision = this.#next();
    // The object is of the kind that the calling method makes.
    this.changes.push({ kind, type, object, revision, at: revision * 1_000 } as Change);
    return this;
  }

  #next(): number {
    this.#revision += 1;
    return this.#revision;
  }
}

const trial = { variantId: 'a', repetition: 0 };
const RESULT = { ...trial, attempt: 1, name: 'one', outcome: 'Succeeded', exitCode: 0 };
const STORED: StoredRunHistory = {
  uid: UID,
  state: 'Complete',
  trials: [{ ...trial, phase: 'Succeeded', acceptedAttempt: 1 }],
  attempts: [RESULT],
  events: [
    { kind: 'ResultStored', trialPhase: 'Succeeded', at: 4_500 },
    { kind: 'RunFinished', trialPhase: null, at: 4_600 },
  ],
};

/** One trial: started, seen to end, stored, removed, told. */
const good = () =>
  new MadeUp()
    .object({ pending: 1 })
    .job('one', 1)
    .pod('one', 1, 'Running', undefined, 'ADDED')
    .pod('one', 1, 'Succeeded', 0)
    .job('one', 1, 'DELETED')
    .pod('one', 1, 'Succeeded', 0, 'DELETED')
    .object({ succeeded: 1 }, ['Complete']);

const found = (made: MadeUp, run: Partial<StoredRunHistory> = {}, rest: Partial<JudgedHistory> = {}) =>
  judge({ changes: made.changes, run: { ...STORED, ...run }, timeOrigin: 0, ...rest }).map(
    ({ invariant, evidence }) => `${invariant}: ${evidence}`,
  );

it('finds nothing in a history in which all is well', () => {
  expect(found(good())).toEqual([]);
});

describe('finds', () => {
  it.each<[what: string, made: MadeUp, run: Partial<StoredRunHistory>, evidence: RegExp]>([
    [
      'a Job that is created twice',
      good().job('one', 1).pod('one', 1, 'Succeeded', 0),
      {},
      /^I1: one was created 2 times/,
    ],
    [
      'an attempt after the accepted one',
      good().job('two', 2).pod('two', 2, 'Failed', 1),
      {},
      /^I1: two is attempt 2 of a\/0, whose attempt 1 was accepted/,
    ],
    [
      'attempts that go back',
      new MadeUp().job('two', 2).job('one', 1),
      {},
      /^I1: one is attempt 1 of a\/0, after attempt 2/,
    ],
    [
      'an end without a row',
      good(),
      { attempts: [] },
      /^I2: pod one-pod \(attempt a\/0\/1\) ended and has no row/,
    ],
    [
      'an end with two rows',
      good(),
      { attempts: [RESULT, RESULT] },
      /^I2: attempt a\/0\/1 has more than one row/,
    ],
    [
      'a row that tells something else',
      good(),
      { attempts: [{ ...RESULT, outcome: 'TestFailed', exitCode: 3 }] },
      /^I2: .* exit code 0; its row says TestFailed, 3/,
    ],
    [
      'a success that was stored as lost',
      good(),
      { attempts: [{ ...RESULT, outcome: 'Infrastructure', exitCode: null }] },
      /^I2: .* ended well; its row says Infrastructure/,
    ],
    [
      'a row of nothing that was seen',
      good(),
      { attempts: [RESULT, { ...RESULT, attempt: 2, name: 'ghost' }] },
      /^I2: row a\/0\/2 \(Succeeded\) is of ghost, which nobody has seen/,
    ],
    [
      'more at once than allowed',
      new MadeUp().object({}).job('one', 1).job('other', 1),
      {},
      /^I3: above the parallelism: .*other was the 2th of 1/,
    ],
    ['a run that does not end', good(), { state: 'Running' }, /^I4: the store says that the run is Running/],
    [
      'a run that is over with a trial that is not',
      good(),
      { trials: [{ ...trial, phase: 'Pending', acceptedAttempt: null }] },
      /^I4: the run is Complete and 1 of its trials are Pending/,
    ],
    [
      'an object that says something else than the store',
      good(),
      { state: 'Failed' },
      /^I4: the store says Failed, the object Complete/,
    ],
    [
      'counts that do not add up',
      good().object({ succeeded: 1, failed: 1 }, ['Complete']),
      {},
      /^I4: the counts do not add up to 1/,
    ],
    [
      'counts that are not those of the store',
      good().object({ cancelled: 1 }, ['Complete']),
      {},
      /^I4: the store counts/,
    ],
    ['a pod that runs on', good().job('two', 1).pod('two', 1, 'Running'), {}, /^I5: pod two-pod runs on/],
    ['a Job that is left', good().job('two', 1), {}, /^I5: two is there, and no pod of it has ended/],
    [
      'a Job whose object is gone',
      good().job('one', 1).gone(),
      {},
      /^I5: one is there, and its BatchTest is gone/,
    ],
    [
      'an object that is never let go',
      good().object({ succeeded: 1 }, ['Complete'], 1, ['batchtest.dev/results']),
      {},
      /^I5: the object still has finalizers: batchtest.dev\/results/,
    ],
    [
      'a count that goes down',
      good().object({ pending: 1 }, ['Complete']),
      {},
      /^I7: .* succeeded went from 1 back to 0/,
    ],
    [
      'a status that is ahead of the store',
      good(),
      { events: STORED.events.map((event) => ({ ...event, at: 9_000 })) },
      /^I7: .* says 1 succeeded, 0 were stored by then/,
    ],
    [
      'an end that is told before it is stored',
      good(),
      { events: STORED.events.slice(0, 1) },
      /^I7: .* says that the run is over, which was not stored by then/,
    ],
    [
      'a condition of a spec that is yet to come',
      good().object({ succeeded: 1 }, ['Complete'], 2),
      {},
      /^I7: .* Complete is of generation 2 of 1/,
    ],
    [
      'a Job that belongs to another',
      good().job('stray', 1, 'ADDED', 'run-2'),
      {},
      /^I8: Job stray carries the run's UID and belongs to BatchTest run-2/,
    ],
    [
      'a pod that belongs to no Job of the run',
      good().pod('stray', 1, 'Failed', 1, 'ADDED'),
      {},
      /^I8: pod stray-pod carries the run's UID and carries no attempt of it/,
    ],
  ])('%s', (_, made, run, evidence) => {
    expect(found(made, run)).toContainEqual(expect.stringMatching(evidence));
  });

  it('a change after the run had settled', () => {
    const made = good();
    const settledAt = made.changes.at(-1)?.revision ?? 0;
    expect(found(made, {}, { settledAt })).toEqual([]);
    made.object({ succeeded: 1 }, ['Complete']);
    expect(found(made, {}, { settledAt })).toContainEqual(
      expect.stringMatching(/^I6: revision 8: BatchTest cache MODIFIED after the run had settled/),
    );
  });

  it('a row of a Job of another run', () => {
    const made = good();
    const foreign = new MadeUp().job('theirs', 1).changes.map((change) => ({
      ...change,
      object: {
        ...change.object,
        metadata: { ...change.object.metadata, labels: { [LABEL_RUN_UID]: 'run-2' } },
      },
    }));
    // The spread keeps the kind with its object.
    made.changes.push(...(foreign as Change[]));
    expect(found(made, { attempts: [RESULT, { ...RESULT, attempt: 2, name: 'theirs' }] })).toContainEqual(
      'I8: row theirs is of run run-2',
    );
  });
});
