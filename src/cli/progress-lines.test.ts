import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { BatchTestStatus, Condition } from '../api/v1alpha1/status.ts';
import { textWidth } from '../report/text-width.ts';
import { finishedLine, type ProgressSnapshot, progressBlock, progressLine } from './progress-lines.ts';

const START = '2026-11-24T10:00:00Z';

const condition = (type: string, status: 'True' | 'False', reason: string, message: string): Condition => ({
  type,
  status,
  reason,
  message,
  lastTransitionTime: START,
});

const RUNNING = condition('Progressing', 'True', 'Running', 'trials are running');
const STORED = condition('ResultStoreAvailable', 'True', 'Available', 'results are stored');

const aSnapshot = (
  status: Partial<BatchTestStatus> = {},
  overrides: Partial<ProgressSnapshot> = {},
): ProgressSnapshot => ({
  name: 'checkout-cache',
  status: {
    startTime: START,
    trials: { total: 60, pending: 30, running: 6, succeeded: 22, failed: 2, cancelled: 0 },
    best: { name: 'arc-8', score: '0.9312' },
    conditions: [RUNNING, STORED],
    ...status,
  },
  now: Date.parse(START) + 75_400,
  watchedSince: Date.parse(START) + 500,
  trialsPerSecond: 2.44,
  ...overrides,
});

const blockOf = (snapshot: ProgressSnapshot, columns = 80) =>
  progressBlock(snapshot, { columns, colour: false }).join('\n');

describe('the progress block', () => {
  it('shows counts, speed, what is left and the best so far', () => {
    expect(blockOf(aSnapshot())).toMatchInlineSnapshot(`
      "checkout-cache  ██████████████████▓▓▒▒▒▒▒░░░░░░░░░░░░░░░░░░░░░░░░░  24/60   40 %
        6 running  30 pending  22 succeeded  2 failed
        1m 15s elapsed  2.4 trials/s  about 15 s left
        best so far arc-8  score 0.9312"
    `);
  });

  it('shows what the run waits for, and expects nothing of it then', () => {
    const waiting = condition('Progressing', 'True', 'PodsPending', '20 pods are not running yet\nno nodes');
    expect(blockOf(aSnapshot({ conditions: [waiting, STORED] }))).toMatchInlineSnapshot(`
      "checkout-cache  ██████████████████▓▓▒▒▒▒▒░░░░░░░░░░░░░░░░░░░░░░░░░  24/60   40 %
        6 running  30 pending  22 succeeded  2 failed
        1m 15s elapsed  2.4 trials/s
        best so far arc-8  score 0.9312
        PodsPending: 20 pods are not running yet ↵ no nodes"
    `);
  });

  it('shows that results cannot be stored, once', () => {
    const waiting = condition('Progressing', 'True', 'WaitingForResultStore', 'nothing new starts');
    const store = condition('ResultStoreAvailable', 'False', 'ConnectionRefused', 'no connection');
    const snapshot = aSnapshot({ conditions: [waiting, store] });
    expect(blockOf(snapshot)).toMatchInlineSnapshot(`
      "checkout-cache  ██████████████████▓▓▒▒▒▒▒░░░░░░░░░░░░░░░░░░░░░░░░░  24/60   40 %
        6 running  30 pending  22 succeeded  2 failed
        1m 15s elapsed  2.4 trials/s
        best so far arc-8  score 0.9312
        results cannot be stored: ConnectionRefused: no connection"
    `);
    expect(progressBlock(snapshot, { columns: 80, colour: true }).at(-1)).toBe(
      '  \x1b[31mresults cannot be stored: ConnectionRefused: no connection\x1b[39m',
    );
  });

  it('shows a run of which nothing is known yet', () => {
    const bare = aSnapshot({}, { status: {}, trialsPerSecond: undefined });
    expect(blockOf(bare)).toMatchInlineSnapshot(`
      "checkout-cache  starting
        1m 14s elapsed"
    `);
  });

  it('says 100 % only when everything is done', () => {
    const trials = { total: 1_000, pending: 0, running: 1, succeeded: 999, failed: 0, cancelled: 0 };
    expect(blockOf(aSnapshot({ trials }))).toContain(' 999/1000   99 %');
  });

  it('tells slow speeds by the minute', () => {
    expect(blockOf(aSnapshot({}, { trialsPerSecond: 0.05 }))).toContain('3.0 trials/min  about 12m 00s left');
  });

  it.each([40, 60, 80, 160])('has no line wider than %i columns, with and without colours', (columns) => {
    const snapshot = aSnapshot(
      {
        best: { name: '日本語'.repeat(20), score: '0.9312' },
        trials: {
          total: 100_000,
          pending: 33_333,
          running: 33_333,
          succeeded: 11_111,
          failed: 11_111,
          cancelled: 11_112,
        },
        conditions: [condition('Progressing', 'True', 'Paused', 'because '.repeat(40)), STORED],
      },
      { name: 'a-name-as-long-as-names-of-objects-in-a-cluster-may-well-be' },
    );
    const plain = progressBlock(snapshot, { columns, colour: false });
    expect(plain.filter((line) => textWidth(line) > columns)).toEqual([]);
    const coloured = progressBlock(snapshot, { columns, colour: true });
    expect(coloured.filter((line) => textWidth(stripVTControlCharacters(line)) > columns)).toEqual([]);
  });
});

describe('progress in one line', () => {
  it('says all that the block says', () => {
    expect(progressLine(aSnapshot())).toBe(
      'checkout-cache: 24 of 60 trials done (40 %), 6 running, 2 failed, 2.4 trials/s, about 15 s left, best so far arc-8 (0.9312)',
    );
  });

  it('has no control codes, whatever names and reasons hold', () => {
    const hostile = aSnapshot(
      {
        best: { name: '\x1b[31mred\n', score: '1' },
        conditions: [condition('Progressing', 'True', 'Paused', 'a\r\nb\x1b[2J'), STORED],
      },
      { name: 'x\x07' },
    );
    expect(progressLine(hostile)).not.toMatch(/\p{C}/u);
  });
});

describe('the line at the end', () => {
  const finished = (type: string, reason: string, message: string) =>
    aSnapshot({
      completionTime: '2026-11-24T10:04:12Z',
      conditions: [
        condition(type, 'True', reason, message),
        condition('Progressing', 'False', reason, message),
      ],
    });

  it.each([
    ['Complete', 'AllTrialsSucceeded', '✔ checkout-cache: Complete, 22 of 60 trials succeeded in 4m 12s'],
    [
      'Failed',
      'VariantsFailed',
      '✘ checkout-cache: Failed, 22 of 60 trials succeeded in 4m 12s (VariantsFailed: why)',
    ],
    [
      'Cancelled',
      'CancelRequested',
      '✘ checkout-cache: Cancelled, 22 of 60 trials succeeded in 4m 12s (CancelRequested: why)',
    ],
  ])('of a run that is %s', (type, reason, expected) => {
    expect(finishedLine(finished(type, reason, 'why'), { columns: 200, colour: false })).toBe(expected);
  });

  it('of a run whose gate failed', () => {
    const snapshot = finished('Complete', 'AllTrialsSucceeded', 'why');
    const failed = { ...snapshot, status: { ...snapshot.status, gate: 'Failed' as const } };
    expect(finishedLine(failed, { columns: 200, colour: false })).toBe(
      '✘ checkout-cache: Complete, 22 of 60 trials succeeded in 4m 12s (a gate failed)',
    );
  });

  it('is cut to the terminal', () => {
    const line = finishedLine(finished('Failed', 'VariantsFailed', 'why '.repeat(50)), {
      columns: 60,
      colour: false,
    });
    expect(textWidth(line)).toBe(60);
  });

  it('of a run that was left before it was over', () => {
    expect(finishedLine(aSnapshot(), { columns: 200, colour: false })).toBe(
      '✘ checkout-cache: Not over, 22 of 60 trials succeeded in 1m 15s',
    );
  });
});
