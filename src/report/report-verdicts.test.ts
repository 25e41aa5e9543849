import { describe, expect, it } from 'vitest';
import { aStoredRun } from '../../test/builders/stored-run.ts';
import { reportCsv } from './report-csv.ts';
import { reportHtml } from './report-html.ts';
import { reportJunit } from './report-junit.ts';
import { reportMarkdown } from './report-markdown.ts';
import { reportTable } from './report-table.ts';
import { trialReport } from './trial-report.ts';

const trials = (values: readonly number[]) => values.map((p95_ms) => ({ p95_ms }));

const WITHOUT_BASELINE = aStoredRun({
  variants: [
    { name: 'today', trials: trials([50, 51, 52]) },
    { name: 'arc', trials: trials([40, 41, 42]) },
    { name: 'slow', trials: trials([70, 71, 72]) },
  ],
});

const REPORTED = trialReport({
  ...WITHOUT_BASELINE,
  manifest: {
    ...WITHOUT_BASELINE.manifest,
    spec: {
      ...WITHOUT_BASELINE.manifest.spec,
      comparison: {
        confidence: '0.95',
        baseline: 'today',
        gates: [{ metric: 'p95_ms', against: 'Baseline', maxRegressionPercent: '5', max: '100' }],
      },
    },
  },
});

describe('a run whose variants were not all run to their end', () => {
  const stored = aStoredRun({
    reason: 'StoppedEarly',
    message: '1 variant was stopped early; 7 of 8 trials succeeded, 1 was skipped',
    variants: [
      { name: 'fast', trials: trials([40, 41, 42, 40]) },
      { name: 'slow', trials: [...trials([59, 61, 60]), 'skipped'], stoppedAtLook: 1 },
    ],
  });
  const reported = trialReport(stored);

  it('names the stopped ones behind the others, with a score and without a rank, and is sure of the best', () => {
    expect(reported.report).toMatchObject({
      best: { name: 'fast', ties: [], evidence: 'Significant' },
      matrix: [
        { variant: 'fast', rank: 1, stoppedAtLook: null },
        { variant: 'slow', rank: null, score: 0, stoppedAtLook: 1, trials: { succeeded: 3, skipped: 1 } },
      ],
    });
    // However good its few trials look.
    const lucky = aStoredRun({
      variants: [
        { name: 'fast', trials: trials([40, 41]) },
        { name: 'lucky', trials: [...trials([10, 10]), 'skipped'], stoppedAtLook: 1 },
      ],
    });
    expect(trialReport(lucky).report).toMatchObject({
      best: { name: 'fast', ties: [] },
      matrix: [
        { variant: 'fast', rank: 1 },
        { variant: 'lucky', rank: null, score: 1 },
      ],
    });
  });

  it('has no best variant when the others failed', () => {
    const { report } = trialReport(
      aStoredRun({
        variants: [
          { name: 'a', trials: [...trials([40, 41]), { failed: 'TestFailed' }] },
          { name: 'b', trials: [...trials([60, 61]), 'skipped'], stoppedAtLook: 1 },
        ],
      }),
    );
    expect(report.best).toBeNull();
    expect(reportMarkdown(report)).toContain(
      '**No best variant: every variant that was not stopped early has a failed trial.**',
    );
  });

  it('says so in every format', () => {
    const { report } = reported;
    const why = 'StoppedEarly: `1 variant was stopped early; 7 of 8 trials succeeded, 1 was skipped`';
    expect(reportMarkdown(report)).toContain(why);
    expect(reportMarkdown(report)).toContain('| 3/4, stopped early |');
    expect(reportTable(report, { columns: 120, colour: false })).toMatch(/slow .* 3\/4 {2}stopped early/);
    expect(reportJunit(reported)).toContain('<skipped message="the variant was stopped early"/>');
    expect(reportHtml(reported)).toContain('<span class="cancelled">stopped early</span>');
    expect(reportCsv(report).split('\r\n')[0]).toContain('trials.skipped,stopped_at_look');
  });

  it('tells trials that a target made unnecessary from those', () => {
    const target = trialReport(
      aStoredRun({
        reason: 'TargetMet',
        message: 'a meets the target: p95_ms at most 50',
        variants: [
          { name: 'a', trials: trials([40]) },
          { name: 'b', trials: ['skipped'] },
        ],
      }),
    );
    expect(reportTable(target.report, { columns: 120, colour: false })).toContain(
      'TargetMet: a meets the target: p95_ms at most 50',
    );
    expect(reportTable(target.report, { columns: 120, colour: false })).toMatch(/b .* 0\/1 {2}1 skipped/);
    expect(reportJunit(target)).toContain('<skipped message="another variant met the target"/>');
  });
});

describe('verdicts and gates', () => {
  it('are in Markdown, the limits that are not kept first', () => {
    const text = reportMarkdown(REPORTED.report);
    expect(text).toContain('| # | variant | score | `p95_ms` ↓ | vs `today` | trials |');
    expect(text).toMatch(/^\| 3 \| `slow` \|.*\| worse \| 3\/3 \|$/m);
    expect(text).toMatch(/^- gate `p95_ms` regression: \*\*failed\*\*: .*\n- gate `p95_ms` max: passed: /m);
  });

  it('are in CSV, as a percentage and a word', () => {
    const [titles = '', ...rows] = reportCsv(REPORTED.report)
      .split('\r\n')
      .map((line) => line.split(','));
    const at = titles.indexOf('metric.p95_ms.vs_baseline.verdict');
    expect(rows.map((cells) => [cells[1], cells[at]])).toEqual([
      ['arc', 'Better'],
      ['today', ''],
      ['slow', 'Worse'],
      [undefined, undefined],
    ]);
    expect(reportCsv(trialReport(WITHOUT_BASELINE).report)).not.toContain('vs_baseline');
  });

  it('are test cases in JUnit, of which those fail whose limit is not kept', () => {
    const text = reportJunit(REPORTED);
    expect(text).toContain('tests="11" failures="1"');
    expect(text).toMatch(/name="gate p95_ms regression" time="0\.000"><failure message="slow is/);
    expect(text).toContain('name="gate p95_ms max" time="0.000"/>');
  });

  it('are on the page', () => {
    const page = reportHtml(REPORTED);
    expect(page).toContain('<span class="failed">✘ failed</span> <bdi>p95_ms</bdi> regression: slow is');
    expect(page).toContain('<span class="verdict-Better">better</span>');
  });

  it('say in a page and in a comment when others cannot be told apart from the best', () => {
    const reported = trialReport(
      aStoredRun({
        variants: [
          { name: 'a', trials: trials([40, 44, 42]) },
          { name: 'b', trials: trials([41, 45, 42]) },
        ],
      }),
    );
    expect(reportMarkdown(reported.report)).toContain(
      '★ **`a`** and `b` cannot be told apart: best score 1.0000.',
    );
    expect(reportHtml(reported)).toContain('cannot be told apart: best score 1.0000');
  });
});
