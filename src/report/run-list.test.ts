import { describe, expect, it } from 'vitest';
import { aStoredRun } from '../../test/builders/stored-run.ts';
import { reportJson } from './report-json.ts';
import { runList, runListTable } from './run-list.ts';
import { textWidth } from './text-width.ts';

const RUNS = [
  aStoredRun({ variants: [{ name: 'a', trials: [{ p95_ms: 1 }] }] }),
  aStoredRun({
    variants: [{ name: 'a', trials: [{ p95_ms: 1 }, { failed: 'TestFailed' }] }],
    uid: 'c2b1a09f-1e7d-3a4d-609b-119c3a5a2f0d',
    name: '日本語\x1b[2J-benchmark',
    namespace: 'team-a',
    engine: 'kubernetes',
    state: 'Running',
    finishedAt: undefined,
  }),
];

describe('the list of runs', () => {
  it('shows one line per run', () => {
    expect(runListTable(runList(RUNS), { columns: 120, colour: false })).toMatchInlineSnapshot(`
      "run       name                     state     trials  started                    took  engine      workflow
      0f9c1a2b  checkout-cache           Complete     1/1  2026-11-24 10:00:00 UTC  4m 12s  local       checkout
      c2b1a09f  team-a/日本語-benchmark  Running      1/2  2026-11-24 10:00:00 UTC          kubernetes  checkout
      "
    `);
  });

  it.each([50, 60, 80, 100])('has no line wider than %i columns', (columns) => {
    const text = runListTable(runList(RUNS), { columns, colour: false });
    expect(text.split('\n').filter((line) => textWidth(line) > columns)).toEqual([]);
  });

  it('says so when there is none', () => {
    expect(runListTable(runList([]), { columns: 80, colour: false })).toBe('No runs are stored.\n');
  });

  it('holds of each run what its report says of it', () => {
    const [first] = JSON.parse(reportJson(runList(RUNS))).runs;
    expect(first).toMatchObject({ name: 'checkout-cache', state: 'Complete', namespace: null });
  });
});
