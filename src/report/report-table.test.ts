import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { aStoredRun, type VariantStory } from '../../test/builders/stored-run.ts';
import type { Comparison, Objective } from '../api/v1alpha1/schema.ts';
import { reportTable } from './report-table.ts';
import { runReport } from './run-report.ts';
import { textWidth } from './text-width.ts';

const OBJECTIVE: Objective = {
  metrics: [
    { name: 'p95_ms', goal: 'minimize', weight: '1' },
    { name: 'throughput', goal: 'maximize', weight: '0.5' },
  ],
};

const trial = (p95_ms: number, throughput: number, rss_mb = 128.5) => ({ p95_ms, throughput, rss_mb });

const VARIANTS: readonly VariantStory[] = [
  {
    name: 'production-today',
    parameters: { CACHE: 'lru', WORKERS: '4', JVM_OPTS: '-Xmx2g -XX:+UseG1GC' },
    trials: [trial(48.1, 1_520), trial(49.3, 1_534), trial(48.8, 1_527)],
  },
  {
    name: 'arc-8',
    parameters: { CACHE: 'arc', WORKERS: '8', JVM_OPTS: '-Xmx4g' },
    trials: [trial(41.2, 1_812, 301.25), trial(42.6, 1_799, 300.5), trial(41.9, 1_824, 299.75)],
  },
  {
    name: 'none-8',
    parameters: { CACHE: 'none', WORKERS: '8', JVM_OPTS: '-Xmx4g' },
    trials: [
      trial(60.2, 1_218),
      {
        failed: 'TestFailed',
        message:
          'exit code 1: /app/bench.js:12\n    throw new Error("boom")\n    ^\n\nError: connect ECONNREFUSED 127.0.0.1:6379\n    at TCPConnectWrap.afterConnect (node:net:1607:16)\n\nNode.js v20.20.2\n',
        logs: '/home/ada/.local/share/batchtest/runs/0f9c1a2b/checkout-cache-none-8-3fa9c01b2d',
      },
      { failed: 'TimedOut', reason: 'DeadlineExceeded', message: 'did not end within 600 s' },
    ],
  },
];

const tableOf = (
  variants: readonly VariantStory[],
  columns: number,
  overrides: Partial<Parameters<typeof aStoredRun>[0]> = {},
): string =>
  reportTable(runReport(aStoredRun({ variants, objective: OBJECTIVE, ...overrides })), {
    columns,
    colour: false,
  });

describe('the table of a report', () => {
  it('shows at 80 columns what decides', () => {
    expect(tableOf(VARIANTS, 80)).toMatchInlineSnapshot(`
      "checkout-cache · Failed · 7 of 9 trials succeeded, 2 failed · 4m 12s
      run 0f9c1a2b · local · workflow checkout · started 2026-11-24 10:00:00 UTC
      VariantsFailed: variants failed

        #  variant            score      p95_ms ↓   throughput ↑  trials
      ────────────────────────────────────────────────────────────────────────────
      ★ 1  arc-8             1.0000  41.90 ± 0.70  1811.7 ± 12.5     3/3
        2  production-today  0.0000  48.73 ± 0.60  1527.0 ±  7.0     3/3
        –  none-8                 –  60.20         1218.0            1/3  2 failed
      ↓ less is better  ↑ more is better  ± standard deviation  – not ranked
      not shown for lack of width: CACHE, WORKERS, JVM_OPTS, rss_mb

      2 failed trials
        none-8  repetition 1  TestFailed
          exit code 1: /app/bench.js:12 ↵ throw new Error("boom") ↵ Error: connect
          ECONNREFUSED 127.0.0.1:6379
          logs /home/ada/.local/share/batchtest/runs/0f9c1a2b/checkout-cache-none-8-3fa9c01b2d
        none-8  repetition 2  TimedOut
          DeadlineExceeded: did not end within 600 s

      ★ arc-8 is best: score 1.0000, p95_ms 41.90 ± 0.70, throughput 1811.7 ± 12.5
      "
    `);
  });

  it('shows at 200 columns parameters, a bar and further metrics as well', () => {
    expect(tableOf(VARIANTS, 200)).toMatchInlineSnapshot(`
      "checkout-cache · Failed · 7 of 9 trials succeeded, 2 failed · 4m 12s
      run 0f9c1a2b · local · workflow checkout · started 2026-11-24 10:00:00 UTC
      VariantsFailed: variants failed

        #  variant           CACHE  WORKERS  JVM_OPTS              score                    p95_ms ↓   throughput ↑         rss_mb  trials
      ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
      ★ 1  arc-8             arc          8  -Xmx4g               1.0000  ████████████  41.90 ± 0.70  1811.7 ± 12.5  300.50 ± 0.75     3/3
        2  production-today  lru          4  -Xmx2g -XX:+UseG1GC  0.0000                48.73 ± 0.60  1527.0 ±  7.0  128.50 ± 0.00     3/3
        –  none-8            none         8  -Xmx4g                    –                60.20         1218.0         128.50            1/3  2 failed
      ↓ less is better  ↑ more is better  ± standard deviation  – not ranked

      2 failed trials
        none-8  repetition 1  TestFailed
          exit code 1: /app/bench.js:12 ↵ throw new Error("boom") ↵ Error: connect ECONNREFUSED 127.0.0.1:6379
          logs /home/ada/.local/share/batchtest/runs/0f9c1a2b/checkout-cache-none-8-3fa9c01b2d
        none-8  repetition 2  TimedOut
          DeadlineExceeded: did not end within 600 s

      ★ arc-8 is best: score 1.0000, p95_ms 41.90 ± 0.70, throughput 1811.7 ± 12.5
      "
    `);
  });

  const judged = (gates: Comparison['gates']): string => {
    const variants: readonly VariantStory[] = [
      ...VARIANTS,
      { name: 'lru-8', trials: [trial(41.3, 1_800), trial(43.2, 1_540), trial(42.5, 1_690)] },
      { name: 'slow', trials: [trial(58.1, 1_300), trial(58.9, 1_290), trial(58.4, 1_310)] },
    ];
    const stored = aStoredRun({ variants, objective: OBJECTIVE });
    const comparison: Comparison = {
      confidence: '0.95',
      baseline: 'production-today',
      ...(gates === undefined ? {} : { gates }),
    };
    return tableOf(variants, 100, {
      manifest: { ...stored.manifest, spec: { ...stored.manifest.spec, comparison } },
    });
  };

  it('shows the verdicts against the baseline, what came of the gates, and who cannot be told apart', () => {
    const text = judged([
      { metric: 'p95_ms', against: 'Baseline', maxRegressionPercent: '5' },
      { metric: 'throughput', against: 'Baseline', min: '1000' },
    ]);
    expect(text).toMatchInlineSnapshot(`
      "checkout-cache · Failed · 13 of 15 trials succeeded, 2 failed · 4m 12s
      run 0f9c1a2b · local · workflow checkout · started 2026-11-24 10:00:00 UTC
      VariantsFailed: variants failed

        #  variant            score      p95_ms ↓  throughput ↑  vs production-today  trials
      ────────────────────────────────────────────────────────────────────────────────────────────────
      ★ 1  arc-8             1.0000  41.90 ± 0.70    1812 ±  13  better, better          3/3
        2  lru-8             0.8946  42.33 ± 0.96    1677 ± 131  better, =               3/3
        3  production-today  0.5396  48.73 ± 0.60    1527 ±   7  baseline                3/3
        4  slow              0.0000  58.47 ± 0.40    1300 ±  10  worse, worse            3/3
        –  none-8                 –  60.20           1218        –                       1/3  2 failed
      ↓ less is better  ↑ more is better  ± standard deviation  = no significant difference  – not ranked
      not shown for lack of width: CACHE, WORKERS, JVM_OPTS, rss_mb

      2 failed trials
        none-8  repetition 1  TestFailed
          exit code 1: /app/bench.js:12 ↵ throw new Error("boom") ↵ Error: connect ECONNREFUSED
          127.0.0.1:6379
          logs /home/ada/.local/share/batchtest/runs/0f9c1a2b/checkout-cache-none-8-3fa9c01b2d
        none-8  repetition 2  TimedOut
          DeadlineExceeded: did not end within 600 s

      ✘ gate p95_ms regression: failed: slow is 19.973 % worse than production-today (58.467 against
        48.733), 5 % allowed
      ✔ gate throughput min: passed: the lowest mean is 1300 (slow), 1000 allowed

      ★ arc-8 and lru-8 cannot be told apart, best score 1.0000
      "
    `);
  });

  it('has no more rows and no wider ones than needed without a baseline', () => {
    expect(tableOf(VARIANTS, 200)).not.toContain('vs ');
  });

  it('leaves out columns rather than wrapping a row', () => {
    expect(tableOf(VARIANTS, 45)).toMatchInlineSnapshot(`
      "checkout-cache · Failed · 7 of 9 trials succ…
      run 0f9c1a2b · local · workflow checkout · s…
      VariantsFailed: variants failed

        #  variant          score  p95_ms ↓  trials
      ─────────────────────────────────────────────
      ★ 1  arc-8           1.0000     41.90     3/3
        2  product…-today  0.0000     48.73     3/3
        –  none-8               –     60.20     1/3
      ↓ less is better  – not ranked
      not shown for lack of width: CACHE and 4 more

      2 failed trials
        none-8  repetition 1  TestFailed
          exit code 1: /app/bench.js:12 ↵ throw new
          Error("boom") ↵ Error: connect
          ECONNREFUSED 127.0.0.1:6379
          logs /home/ada/.local/share/batchtest/runs/0f9c1a2b/checkout-cache-none-8-3fa9c01b2d
        none-8  repetition 2  TimedOut
          DeadlineExceeded: did not end within 600
          s

      ★ arc-8 is best: score 1.0000
      "
    `);
  });

  it('gives ties one rank and names them all', () => {
    const same = ['arc-2', 'arc-4', 'arc-8'].map((name) => ({ name, trials: [trial(41, 1_800)] }));
    expect(tableOf([{ name: 'none-2', trials: [trial(60, 1_200)] }, ...same], 80)).toMatchInlineSnapshot(`
      "checkout-cache · Complete · 4 of 4 trials succeeded · 4m 12s
      run 0f9c1a2b · local · workflow checkout · started 2026-11-24 10:00:00 UTC

        #  variant   score                p95_ms ↓  throughput ↑  rss_mb  trials
      ──────────────────────────────────────────────────────────────────────────
      ★ 1  arc-2    1.0000  ████████████        41          1800   128.5     1/1
      ★ 1  arc-4    1.0000  ████████████        41          1800   128.5     1/1
      ★ 1  arc-8    1.0000  ████████████        41          1800   128.5     1/1
        4  none-2   0.0000                      60          1200   128.5     1/1
      ↓ less is better  ↑ more is better

      a variant has one trial only: chance cannot be ruled out (set repetitions)
      ★ arc-2, arc-4 and arc-8 are equally good, score 1.0000
      "
    `);
  });

  it('measures ideographs, emoji and accents as wide as terminals show them', () => {
    expect(
      tableOf(
        [
          { name: '日本語', trials: [trial(41, 1_800)] },
          { name: '👩‍🚀 crew', trials: [trial(42, 1_700)] },
          { name: 'caf\u0065\u0301', trials: [trial(43, 1_600)] },
        ],
        80,
      ),
    ).toMatchInlineSnapshot(`
      "checkout-cache · Complete · 3 of 3 trials succeeded · 4m 12s
      run 0f9c1a2b · local · workflow checkout · started 2026-11-24 10:00:00 UTC

        #  variant   score                p95_ms ↓  throughput ↑  rss_mb  trials
      ──────────────────────────────────────────────────────────────────────────
      ★ 1  日本語   1.0000  ████████████        41          1800   128.5     1/1
        2  👩‍🚀 crew  0.5000  ██████              42          1700   128.5     1/1
        3  café     0.0000                      43          1600   128.5     1/1
      ↓ less is better  ↑ more is better

      a variant has one trial only: chance cannot be ruled out (set repetitions)
      ★ 日本語 is best: score 1.0000, p95_ms 41, throughput 1800
      "
    `);
  });

  it('lets no name, message or path reach the terminal as anything but text', () => {
    const text = tableOf(
      [
        { name: '\x1b[31mred\x1b[0m\nfake row', parameters: { P: '\x1b[2J' }, trials: [trial(41, 1_800)] },
        {
          name: 'b\u202eb',
          parameters: { P: '\x07' },
          trials: [
            { failed: 'TestFailed', message: '\x1b]0;owned\x07bad\r\nworse', logs: '/tmp/\x1b[1m\nx' },
          ],
        },
      ],
      80,
      { name: 'evil\x1b[H', workflowId: '\u009b2J' },
    );
    expect(text).toMatchInlineSnapshot(`
      "evil · Failed · 1 of 2 trials succeeded, 1 failed · 4m 12s
      run 0f9c1a2b · local · workflow  · started 2026-11-24 10:00:00 UTC
      VariantsFailed: variants failed

        #  variant        P      score  p95_ms ↓  throughput ↑  trials
      ──────────────────────────────────────────────────────────────────────────
      ★ 1  red\\nfake row        1.0000        41          1800     1/1
        –  b\\u{202e}b     \\x07       –         –             –     0/1  1 failed
      ↓ less is better  ↑ more is better  – not ranked
      not shown for lack of width: rss_mb

      1 failed trial
        b\\u{202e}b  repetition 0  TestFailed
          bad ↵ worse
          logs /tmp/\\nx

      ★ red\\nfake row is best, the only one that is ranked: score 1.0000, p95_ms 41
      "
    `);
  });

  it('says why there is no best variant', () => {
    const closing = (variants: readonly VariantStory[], overrides = {}) =>
      tableOf(variants, 80, overrides).trimEnd().split('\n').at(-1);
    const failed = { failed: 'TestFailed' as const };
    expect(closing([{ name: 'a', trials: [failed] }])).toBe('No best variant: no trial succeeded');
    expect(closing([{ name: 'a', trials: [trial(1, 1), failed] }])).toBe(
      'No best variant: every variant has a failed trial',
    );
    expect(closing([{ name: 'a', trials: ['pending'] }], { state: 'Running', finishedAt: undefined })).toBe(
      'No best variant: no trial has succeeded yet',
    );
    expect(
      closing([
        { name: 'a', trials: [trial(1, 1), failed] },
        { name: 'b', trials: ['cancelled'] },
      ]),
    ).toBe('No best variant: the variants without a failed trial have no result');
  });

  it('shows a run that is under way', () => {
    expect(
      tableOf(
        [
          { name: 'arc-8', trials: [trial(41, 1_800), 'pending'] },
          { name: 'lru-8', trials: ['pending'] },
        ],
        80,
        {
          state: 'Running',
          reason: undefined,
          message: undefined,
          finishedAt: undefined,
        },
      ),
    ).toMatchInlineSnapshot(`
      "checkout-cache · Running · 1 of 3 trials succeeded
      run 0f9c1a2b · local · workflow checkout · started 2026-11-24 10:00:00 UTC

        #  variant   score                p95_ms ↓  throughput ↑  rss_mb  trials
      ──────────────────────────────────────────────────────────────────────────
      ★ 1  arc-8    1.0000  ████████████        41          1800   128.5     1/2
        –  lru-8         –                       –             –       –     0/1
      ↓ less is better  ↑ more is better  – not ranked

      ★ arc-8 is best so far, the only one that is ranked: score 1.0000, p95_ms 41
      "
    `);
  });

  it('shows a cancelled run', () => {
    expect(
      tableOf(
        [
          { name: 'arc-8', trials: [trial(41, 1_800), 'cancelled'] },
          { name: 'lru-8', trials: ['cancelled'] },
        ],
        80,
        {
          state: 'Cancelled',
          reason: 'CancelRequested',
          message: 'cancelled with 1 of 3 trials done',
        },
      ),
    ).toMatchInlineSnapshot(`
      "checkout-cache · Cancelled · 1 of 3 trials succeeded, 2 cancelled · 4m 12s
      run 0f9c1a2b · local · workflow checkout · started 2026-11-24 10:00:00 UTC
      CancelRequested: cancelled with 1 of 3 trials done

        #  variant   score  p95_ms ↓  throughput ↑  rss_mb  trials
      ─────────────────────────────────────────────────────────────────────────
      ★ 1  arc-8    1.0000        41          1800   128.5     1/2  1 cancelled
        –  lru-8         –         –             –       –     0/1  1 cancelled
      ↓ less is better  ↑ more is better  – not ranked

      ★ arc-8 is best, the only one that is ranked: score 1.0000, p95_ms 41
      "
    `);
  });

  const many = Array.from({ length: 41 }, (_, index) => ({ name: `v${index}`, trials: [trial(index, 100)] }));

  it('shows the first and the last of many variants, and all when asked to', () => {
    const report = runReport(aStoredRun({ variants: many, objective: OBJECTIVE }));
    const shown = reportTable(report, { columns: 80, colour: false }).split('\n');
    expect(shown.slice(24, 27).map((line) => line.slice(0, 54).trimEnd())).toEqual([
      ' 20  v19      0.6833  ████████▎           19',
      '… 16 more variants (--all or -o json shows them)',
      ' 37  v36      0.4000  ████▊               36',
    ]);
    expect(shown[30]).toMatch(/^ 41 {2}v40 /);
    const all = reportTable(report, { columns: 80, colour: false, all: true });
    expect(many.every(({ name }) => all.includes(` ${name} `))).toBe(true);
  });

  it('shows ten failures and how many more there are', () => {
    const variants = Array.from({ length: 12 }, (_, index) => ({
      name: `v${index}`,
      trials: [{ failed: 'TestFailed' as const }],
    }));
    const text = tableOf(variants, 80);
    expect(text).toContain(
      '  v9  repetition 0  TestFailed\n    exit code 1\n  … and 2 more (--all or -o json tells more)\n',
    );
  });

  it('shows the same text with colours, the best row bold and failures red', () => {
    const report = runReport(aStoredRun({ variants: VARIANTS, objective: OBJECTIVE }));
    const plain = reportTable(report, { columns: 80, colour: false });
    const coloured = reportTable(report, { columns: 80, colour: true });
    expect(stripVTControlCharacters(coloured)).toBe(plain);
    expect(coloured).toContain('\x1b[1marc-8\x1b[22m');
    expect(coloured).toContain('\x1b[31m2 failed\x1b[39m');
  });

  it.each([40, 60, 80, 100, 132, 200])('has no row wider than %i columns', (columns) => {
    const wide: readonly VariantStory[] = VARIANTS.map((variant, index) => ({
      ...variant,
      name: `${variant.name} with a long name 日本語`.repeat(2),
      trials: variant.trials.map((story) =>
        typeof story === 'object' && 'p95_ms' in story
          ? { ...story, [`another_metric_with_a_long_name_${index}`]: 1_234_567.891, m2: index, m3: 0.001 }
          : story,
      ),
    }));
    const tied: readonly VariantStory[] = ['キャッシュ🚀', '日本語'].map((name, index) => ({
      name: name.repeat(9),
      trials: [trial(1, 100), trial(2 + index, 100)],
    }));
    for (const variants of [VARIANTS, wide, many, tied, tied.slice(1)]) {
      const text = tableOf(variants, columns, {
        name: 'a-name-as-long-as-names-of-objects-in-a-cluster-may-be',
      });
      // Where logs are is never cut.
      const rows = text.split('\n').filter((line) => !line.trimStart().startsWith('logs '));
      expect(rows.filter((line) => textWidth(line) > columns)).toEqual([]);
    }
  });

  it('shows 10,000 variants', () => {
    const variants = Array.from({ length: 10_000 }, (_, index) => ({
      name: `キャッシュ-${index}`,
      trials: [trial(index, 100), trial(index + 1, 100)],
    }));
    const report = runReport(aStoredRun({ variants, objective: OBJECTIVE }));
    expect(reportTable(report, { columns: 80, colour: false }).split('\n').length).toBeLessThan(40);
    expect(reportTable(report, { columns: 80, colour: true, all: true }).split('\n').length).toBeGreaterThan(
      10_000,
    );
  });
});
