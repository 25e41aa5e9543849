import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { hostileRun } from '../../test/builders/hostile-run.ts';
import { aStoredRun, type VariantStory } from '../../test/builders/stored-run.ts';
import type { Objective } from '../api/v1alpha1/schema.ts';
import type { StoredRun } from '../results/result-store.ts';
import { comparisonMarkdown } from './comparison-markdown.ts';
import { comparisonTable } from './comparison-table.ts';
import { reportJson } from './report-json.ts';
import { MARKDOWN_LIMIT } from './report-markdown.ts';
import { reportYaml } from './report-yaml.ts';
import { runComparison } from './run-comparison.ts';
import { runReport } from './run-report.ts';
import { textWidth } from './text-width.ts';

const OBJECTIVE: Objective = {
  metrics: [
    { name: 'p95_ms', goal: 'minimize', weight: '1' },
    { name: 'throughput', goal: 'maximize', weight: '1' },
  ],
};

const trials = (p95: readonly number[], throughput: readonly number[]) =>
  p95.map((p95_ms, index) => ({ p95_ms, throughput: throughput[index] ?? 0 }));

const EARLIER = aStoredRun({
  uid: '0f9c1a2b-7d1e-4d3a-9b60-2f5a3a9c1d11',
  objective: OBJECTIVE,
  variants: [
    { name: 'lru', trials: trials([48.1, 48.6, 48.4], [1_000, 1_010, 1_005]) },
    { name: 'arc', trials: trials([41.2, 41.6, 41.4], [1_200, 1_210, 1_190]) },
    { name: 'gone', trials: trials([50, 51, 52], [900, 901, 902]) },
  ],
});

const LATER = aStoredRun({
  uid: 'c2b1a09f-1e7d-3a4d-609b-119c3a5a2f0d',
  objective: OBJECTIVE,
  startedAt: new Date('2026-11-25T10:00:00Z'),
  variants: [
    { name: 'lru', trials: trials([38.2, 38.6, 38.4], [1_002, 1_004, 1_009]) },
    { name: 'new', trials: trials([60, 61, 62], [800, 801, 802]) },
    { name: 'arc', trials: trials([45.1, 45.5, 45.3], [1_205, 1_195, 1_203]) },
  ],
});

const COMPARISON = runComparison(runReport(LATER), runReport(EARLIER));

const metricOf = (variant: string, metric: string) =>
  COMPARISON.variants.find((compared) => compared.variant === variant)?.metrics[metric];

describe('one run against another', () => {
  it('has the difference of the means of variants of the same name, and in percent', () => {
    const { run, against, difference, percent } = metricOf('lru', 'p95_ms') ?? {};
    expect(run).toMatchObject({ n: 3, mean: expect.closeTo(38.4) });
    expect(against).toMatchObject({ n: 3, mean: expect.closeTo(48.367, 3) });
    expect(difference).toBeCloseTo(-9.967, 3);
    expect(percent).toBeCloseTo(-20.606, 3);
  });

  it.each([
    ['lru', 'p95_ms', 'Better'],
    ['arc', 'p95_ms', 'Worse'],
    ['lru', 'throughput', 'NoDifference'],
  ])('judges %s by %s as %s, by the goal', (variant, metric, verdict) => {
    expect(metricOf(variant, metric)?.verdict).toBe(verdict);
    expect(COMPARISON.whyNoVerdicts).toBeNull();
  });

  it('has no verdict on a metric without a goal', () => {
    expect(metricOf('lru', 'other')).toBeUndefined();
    const withOther: readonly VariantStory[] = [{ name: 'a', trials: [{ p95_ms: 1, other: 1 }] }];
    const report = runReport(aStoredRun({ variants: withOther }));
    const [compared] = runComparison(report, report).variants;
    expect(compared?.metrics.other).toMatchObject({ goal: null, difference: 0, verdict: null });
  });

  it('calls one trial too few for a verdict', () => {
    const report = runReport(aStoredRun({ variants: [{ name: 'a', trials: [{ p95_ms: 1 }] }] }));
    const other = runReport(aStoredRun({ variants: [{ name: 'a', trials: [{ p95_ms: 9 }] }] }));
    expect(runComparison(report, other).variants[0]?.metrics.p95_ms).toMatchObject({
      difference: -8,
      verdict: 'TooFewSamples',
    });
  });

  it('takes what remains of the rounding of sums for no difference', () => {
    const report = runReport(
      aStoredRun({ variants: [{ name: 'a', trials: [{ p95_ms: 0.2 }, { p95_ms: 0.2 }, { p95_ms: 0.2 }] }] }),
    );
    const other = runReport(
      aStoredRun({ variants: [{ name: 'a', trials: [{ p95_ms: 0.2 }, { p95_ms: 0.2 }] }] }),
    );
    expect(runComparison(report, other).variants[0]?.metrics.p95_ms).toMatchObject({
      difference: 0,
      verdict: 'NoDifference',
    });
  });

  it.each(['run', 'against'] as const)('has no verdict on a variant with failed trials in %s', (side) => {
    const story = (failures: number, p95: readonly number[]) =>
      runReport(
        aStoredRun({
          variants: [
            {
              name: 'a',
              trials: [
                ...p95.map((p95_ms) => ({ p95_ms })),
                ...Array.from({ length: failures }, () => ({ failed: 'TestFailed' as const })),
              ],
            },
            {
              name: 'whole',
              trials: [10.1, 10.2, 10.3].map((p95_ms) => ({ p95_ms: p95_ms - (p95[0] ?? 0) / 10 })),
            },
          ],
        }),
      );
    const run = story(side === 'run' ? 2 : 0, [10.1, 10.2, 10.3]);
    const against = story(side === 'against' ? 2 : 0, [20.1, 20.2, 20.3]);
    const compared = runComparison(run, against);
    const variant = compared.variants.find(({ variant }) => variant === 'a');
    expect(variant?.failed).toEqual({ run: 0, against: 0, [side]: 2 });
    expect(variant?.metrics.p95_ms).toMatchObject({
      percent: expect.any(Number),
      adjustedPValue: null,
      verdict: null,
    });
    // The other variant is tested alone.
    const { difference: _, ...whole } =
      compared.variants.find(({ variant }) => variant === 'whole')?.metrics.p95_ms ?? {};
    const alone = runComparison(
      { ...run, matrix: run.matrix.filter(({ variant }) => variant === 'whole') },
      against,
    ).variants[0]?.metrics.p95_ms;
    expect(whole).toMatchObject({ verdict: 'Worse', adjustedPValue: alone?.adjustedPValue });
    const table = comparisonTable(compared, { columns: 100, colour: false });
    expect(table).toMatch(/^a .* % +2 failed$/m);
    expect(table).toContain('no verdict on variants with failed trials');
    expect(comparisonMarkdown(compared)).toMatch(/^\| `a` .*\| 2 failed \|$/m);
  });

  it.each([
    { what: 'the run', run: 1, against: null },
    { what: 'the other run', run: null, against: 1 },
    { what: 'both, at the same look', run: 1, against: 1 },
  ])('has no verdict on a variant that was stopped early by $what', ({ run, against }) => {
    // The values rise while a run is under way, in both alike.
    const story = (look: number | null, faster: number) => {
      const trials = Array.from({ length: 12 }, (_, index) => ({
        p95_ms: 100 + 2 * index + (index % 2) / 5,
      }));
      const skipped = Array.from({ length: 9 }, () => 'skipped' as const);
      return runReport(
        aStoredRun({
          variants: [
            { name: 'whole', trials: trials.map(({ p95_ms }) => ({ p95_ms: p95_ms / faster })) },
            look === null
              ? { name: 'slow', trials }
              : { name: 'slow', trials: [...trials.slice(0, 3), ...skipped], stoppedAtLook: look },
          ],
        }),
      );
    };
    const report = story(run, 2);
    const other = story(against, 1);
    const compared = runComparison(report, other);
    const slow = compared.variants.find(({ variant }) => variant === 'slow');
    expect(slow).toMatchObject({
      stoppedAtLook: { run, against },
      metrics: { p95_ms: { percent: expect.any(Number), adjustedPValue: null, verdict: null } },
    });
    // The other variant is tested alone.
    const whole = compared.variants.find(({ variant }) => variant === 'whole');
    const alone = runComparison(
      { ...report, matrix: report.matrix.filter(({ variant }) => variant === 'whole') },
      other,
    ).variants[0];
    expect(whole?.stoppedAtLook).toEqual({ run: null, against: null });
    expect(whole?.metrics.p95_ms).toEqual(alone?.metrics.p95_ms);
    expect(whole?.metrics.p95_ms?.verdict).toBe('Better');
    const table = comparisonTable(compared, { columns: 100, colour: false });
    expect(table).toMatch(/^slow .* % +stopped$/m);
    expect(table).toContain('no verdict on variants stopped early');
    expect(table).not.toContain('failed trials');
    expect(comparisonMarkdown(compared)).toMatch(/^\| `slow` .*\| stopped \|$/m);
  });

  it.each([
    { what: 'the run', changed: ['run'], names: 'run c2b1a09f' },
    { what: 'the other run', changed: ['against'], names: 'run 0f9c1a2b' },
    { what: 'both', changed: ['run', 'against'], names: 'run c2b1a09f and run 0f9c1a2b' },
  ])('has no verdict where the shared data of $what changed, and says why', ({ changed, names }) => {
    const ended = (run: StoredRun, side: string): StoredRun =>
      changed.includes(side) ? { ...run, state: 'Failed', reason: 'SharedDataChanged' } : run;
    const compared = runComparison(runReport(ended(LATER, 'run')), runReport(ended(EARLIER, 'against')));
    const why = `the shared data of ${names} changed, so what was measured cannot be compared`;
    expect(compared.whyNoVerdicts).toBe(why);
    const metrics = compared.variants.flatMap((variant) => Object.values(variant.metrics));
    expect(metrics.map(({ percent }) => percent)).toHaveLength(4);
    for (const metric of metrics)
      expect(metric).toMatchObject({ percent: expect.any(Number), adjustedPValue: null, verdict: null });
    const table = comparisonTable(compared, { columns: 120, colour: false });
    expect(table).toContain(`\nNo verdicts: ${why}\n`);
    expect(table).not.toMatch(/ % {2}\S/);
    const markdown = comparisonMarkdown(compared);
    expect(markdown).toContain(`\n\n**No verdicts: ${why}.**\n\n`);
    expect(markdown).not.toMatch(/ % \| \S+ \|$/m);
  });

  it('has no percentage of a mean of 0', () => {
    const report = runReport(aStoredRun({ variants: [{ name: 'a', trials: [{ p95_ms: 1 }] }] }));
    const other = runReport(aStoredRun({ variants: [{ name: 'a', trials: [{ p95_ms: 0 }] }] }));
    expect(runComparison(report, other).variants[0]?.metrics.p95_ms).toMatchObject({
      difference: 1,
      percent: null,
    });
  });

  it('lists the variants that only one of the runs has', () => {
    expect(COMPARISON.onlyInRun).toEqual(['new']);
    expect(COMPARISON.onlyInAgainst).toEqual(['gone']);
  });

  it('says of a variant when what it runs is another', () => {
    // Identities of the builder come from the place in the list.
    expect(COMPARISON.variants.map(({ variant, changed }) => [variant, changed])).toEqual([
      ['arc', true],
      ['lru', false],
    ]);
  });

  it('is the same as JSON and as YAML', () => {
    expect(JSON.parse(reportJson(COMPARISON))).toEqual(JSON.parse(JSON.stringify(COMPARISON)));
    expect(parse(reportYaml(COMPARISON))).toEqual(JSON.parse(reportJson(COMPARISON)));
  });

  it('is a table on a terminal', () => {
    expect(comparisonTable(COMPARISON, { columns: 100, colour: false })).toMatchInlineSnapshot(`
      "checkout-cache · run c2b1a09f · Complete · started 2026-11-25 10:00:00 UTC
      against checkout-cache · run 0f9c1a2b · Complete · started 2026-11-24 10:00:00 UTC

      variant  metric             0f9c1a2b      c2b1a09f  difference
      arc *    p95_ms ↓       41.40 ± 0.20  45.30 ± 0.20       +3.90   +9.4 %  worse
               throughput ↑  1200.0 ± 10.0  1201.0 ± 5.3        +1.0   +0.1 %  =
      lru      p95_ms ↓       48.37 ± 0.25  38.40 ± 0.20       -9.97  -20.6 %  better
               throughput ↑   1005.0 ± 5.0  1005.0 ± 3.6         0.0    0.0 %  =
      ↓ less is better, ↑ more is better, ± standard deviation, = no significant difference
      * what this variant runs is not the same in both runs

      1 variant only in run c2b1a09f: new
      1 variant only in run 0f9c1a2b: gone
      "
    `);
  });

  it('is a table in Markdown', () => {
    expect(comparisonMarkdown(COMPARISON)).toMatchInlineSnapshot(`
      "### \`checkout-cache\`: run \`c2b1a09f\` (Complete, 2026-11-25 10:00:00 UTC) against \`0f9c1a2b\` (Complete, 2026-11-24 10:00:00 UTC)

      | variant | metric | \`0f9c1a2b\` | \`c2b1a09f\` | difference | % |  |
      | --- | --- | --: | --: | --: | --: | --- |
      | \`arc\` \\* | \`p95_ms\` ↓ | 41.40 ± 0.20 | 45.30 ± 0.20 | +3.90 | +9.4 % | **worse** |
      |  | \`throughput\` ↑ | 1200.0 ± 10.0 | 1201.0 ± 5.3 | +1.0 | +0.1 % | = |
      | \`lru\` | \`p95_ms\` ↓ | 48.37 ± 0.25 | 38.40 ± 0.20 | -9.97 | -20.6 % | better |
      |  | \`throughput\` ↑ | 1005.0 ± 5.0 | 1005.0 ± 3.6 | 0.0 | 0.0 % | = |

      \\* what this variant runs is not the same in both runs

      Only in run \`c2b1a09f\`: \`new\`

      Only in run \`0f9c1a2b\`: \`gone\`

      <sub>runs \`c2b1a09f-1e7d-3a4d-609b-119c3a5a2f0d\` and \`0f9c1a2b-7d1e-4d3a-9b60-2f5a3a9c1d11\`; ± is the standard deviation, = no significant difference at a confidence of 0.95, ? too few trials, and there is no verdict on variants with failed trials or stopped early</sub>
      "
    `);
  });

  it.each([60, 80, 100, 160])('has no line wider than %i columns, whatever names hold', (columns) => {
    fc.assert(
      fc.property(hostileRun, (run) => {
        const later = runReport(withValues(run, (value) => 1 + (Math.abs(value) % 50)));
        const earlier = runReport(withValues(run, (value) => 1 + (Math.abs(value) % 40)));
        const text = comparisonTable(runComparison(later, earlier), { columns, colour: false });
        expect(text.split('\n').filter((line) => textWidth(line) > columns)).toEqual([]);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it is about.
        expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
      }),
    );
  });

  it('is formatted in Markdown by nothing that names hold', () => {
    fc.assert(
      fc.property(hostileRun, (run) => {
        const text = comparisonMarkdown(runComparison(runReport(run), runReport(run)));
        const interpreted = text.replace(/<code>[^<]*<\/code>/g, '').replace(/`[^`\n]*`/g, '');
        expect(interpreted.replaceAll('\\*', '')).not.toMatch(/[@[\]`\\]|http|www\./);
        expect(text.replace(/<\/?(?:code|sub)>/g, '')).not.toContain('<');
        const rows = text.split('\n').filter((line) => line.startsWith('| '));
        expect(rows.length).toBe(run.variants.length + 2);
        expect(rows.filter((line) => line.split('|').length !== 9)).toEqual([]);
      }),
    );
  });

  it('fits into a comment as Markdown', () => {
    const variants = Array.from({ length: 3_000 }, (_, index) => ({
      name: `${index}${'|'.repeat(60)}`,
      trials: [{ p95_ms: index }],
    }));
    const report = runReport(aStoredRun({ variants }));
    expect(comparisonMarkdown(runComparison(report, report)).length).toBeLessThanOrEqual(MARKDOWN_LIMIT);
  });
});

const withValues = (run: StoredRun, value: (value: number) => number): StoredRun => ({
  ...run,
  trialDetails: run.trialDetails.map((trial) => ({
    ...trial,
    metrics: new Map([...trial.metrics].map(([name, old]) => [name, value(old)])),
  })),
});
