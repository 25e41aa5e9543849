import { describe, expect, it } from 'vitest';
import type { BatchTestStatus, Condition } from '../api/v1alpha1/status.ts';
import { type RunPhase, runStatus } from './run-status.ts';
import { runStatusTable } from './run-status-table.ts';

const AT = '2026-11-24T10:00:00Z';

const object = (status?: BatchTestStatus) => ({
  metadata: { name: 'cache', namespace: 'team-a', uid: '5c1b671f', creationTimestamp: AT },
  ...(status === undefined ? {} : { status }),
});

const condition = (type: string, status: Condition['status'], reason: string): Condition => ({
  type,
  status,
  reason,
  message: `because of ${reason}`,
  lastTransitionTime: AT,
});

const AVAILABLE = condition('ResultStoreAvailable', 'True', 'Available');

describe('the phase of a run', () => {
  const cases: readonly (readonly [RunPhase, string | null, BatchTestStatus | undefined])[] = [
    ['Unattended', 'NoOperator', undefined],
    ['Running', null, { conditions: [condition('Progressing', 'True', 'Running'), AVAILABLE] }],
    [
      'Waiting',
      'WaitingForPods',
      { conditions: [condition('Progressing', 'True', 'WaitingForPods'), AVAILABLE] },
    ],
    [
      'Waiting',
      'Unreachable',
      {
        conditions: [
          condition('Progressing', 'True', 'WaitingForResultStore'),
          condition('ResultStoreAvailable', 'False', 'Unreachable'),
        ],
      },
    ],
    [
      'Suspended',
      'RunSuspended',
      {
        conditions: [
          condition('Progressing', 'False', 'RunSuspended'),
          condition('Suspended', 'True', 'RunSuspended'),
        ],
      },
    ],
    [
      'Complete',
      null,
      {
        conditions: [
          condition('Progressing', 'False', 'AllTrialsSucceeded'),
          condition('Complete', 'True', 'AllTrialsSucceeded'),
        ],
      },
    ],
    ['Failed', null, { conditions: [condition('Failed', 'True', 'VariantsFailed')] }],
    ['Cancelled', null, { conditions: [condition('Cancelled', 'True', 'CancelRequested')] }],
  ];
  it.each(cases)('is %s, and it waits for %s', (phase, reason, status) => {
    const { waitingFor, ...rest } = runStatus(object(status));
    expect(rest.phase).toBe(phase);
    expect(waitingFor?.reason ?? null).toBe(reason);
  });
});

it('survives JSON', () => {
  const status = runStatus(object({ best: { name: 'lru', score: '0.9300' }, conditions: [AVAILABLE] }));
  expect(JSON.parse(JSON.stringify(status))).toEqual(status);
});

it('keeps every line within the terminal, and hostile text harmless', () => {
  const status = runStatus(
    object({
      trials: {
        total: 10,
        pending: 1,
        running: 2,
        succeeded: 3,
        failed: 4,
        cancelled: 0,
        skipped: 5,
        reused: 1,
      },
      variants: { total: 5, succeeded: 1, failed: 2 },
      best: { name: `\u001b[31m${'x'.repeat(200)}`, score: '0.9300', tieCount: 1 },
      gate: 'Failed',
      conditions: [{ ...condition('Complete', 'True', 'R'), message: `a\nb\u0007${'y'.repeat(300)}` }],
    }),
  );
  const now = Date.parse(AT) + 61_000;
  const text = runStatusTable(status, { columns: 60, colour: false, now });
  for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(60);
  expect(text).not.toMatch(/(?!\n)\p{Cc}/u);
  expect(text).toContain('trials    10: 3 succeeded (1 reused), 4 failed, 5 skipped, …');
  expect(text).toMatch(/^Complete {3}True {4}1m 01s {2}R: a ↵ b\\x07y+…$/m);
});
