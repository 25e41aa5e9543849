/** The operator is killed at writes chosen from all that a run needs; crash.long.test.ts does it at every one. */
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type OperatorSite, openOperatorSite } from '../integration/operator-world.ts';
import { differencesAt, playWithCrash } from './crash-points.ts';
import type { Played } from './played-run.ts';

let site: OperatorSite;
beforeAll(async () => {
  site = await openOperatorSite(inject('controlPlane'));
}, 120_000);
afterAll(() => site?.close());

describe.each([
  { execution: 'Job', carriers: 'jobs' },
  { execution: 'Pod', carriers: 'pods' },
] as const)('with execution $execution', ({ execution, carriers }) => {
  let reference: Played;
  beforeAll(async () => {
    reference = await playWithCrash(site, 'reference', undefined, execution);
  }, 120_000);

  it('the reference run retries, fails and is cancelled as planned, and the judge finds nothing wrong with it', () => {
    const { end, violations, apiWrites, commits } = reference;
    expect(violations).toEqual([]);
    expect(end).toMatchObject({
      run: 'Cancelled CancelRequested',
      counts: { total: 9, pending: 0, running: 0, succeeded: 4, failed: 2, cancelled: 3 },
      best: 'steady',
      attemptsLeft: ['broken/0 attempt 1', 'broken/1 attempt 1', 'flaky/0 attempt 1', 'flaky/1 attempt 1'],
    });
    expect(end.attempts).toEqual([
      ...Array(2).fill('a variant/2 attempt 1: Cancelled RunCancelled null '),
      'broken/0 attempt 1: TestFailed NonZeroExitCode 3 ',
      'broken/1 attempt 1: TestFailed NonZeroExitCode 3 ',
      'flaky/0 attempt 1: Infrastructure Evicted null ',
      'flaky/0 attempt 2: Succeeded Completed 0 x=20',
      'flaky/1 attempt 1: Infrastructure Evicted null ',
      'flaky/1 attempt 2: Succeeded Completed 0 x=21',
      'steady/0 attempt 1: Succeeded Completed 0 x=10',
      'steady/1 attempt 1: Succeeded Completed 0 x=11',
    ]);
    expect(commits).toEqual(['open_run', ...Array(10).fill('record_attempt'), 'end_run']);
    expect(apiWrites.filter((name) => name === `POST ${carriers}`)).toHaveLength(10);
    expect(apiWrites.filter((name) => name === `DELETE ${carriers}`)).toHaveLength(6);
  });

  it('F1: comes to the same end when the operator is killed after one of its writes to the API server', {
    timeout: 120_000,
  }, async () => {
    const found = await differencesAt(
      site,
      reference,
      [
        { kind: 'ApiWrite', write: { name: `POST ${carriers}`, occurrence: 3 } },
        { kind: 'ApiWrite', write: { name: `DELETE ${carriers}`, occurrence: 2 } },
        { kind: 'ApiWrite', write: { name: 'PATCH batchtests', occurrence: 1 } },
      ],
      execution,
    );
    expect(found).toEqual([]);
  });

  // What is committed does not depend on what carries the attempts.
  if (execution === 'Job')
    it('F2: comes to the same end when the operator is killed around one of its commits', {
      timeout: 120_000,
    }, async () => {
      const found = await differencesAt(
        site,
        reference,
        [
          { kind: 'Commit', write: { name: 'record_attempt', occurrence: 3 }, when: 'Before' },
          { kind: 'Commit', write: { name: 'record_attempt', occurrence: 4 }, when: 'Unanswered' },
          { kind: 'Commit', write: { name: 'end_run', occurrence: 1 }, when: 'Unanswered' },
        ],
        execution,
      );
      expect(found).toEqual([]);
    });
});
