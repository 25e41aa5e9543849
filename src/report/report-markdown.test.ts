import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hostileRun } from '../../test/builders/hostile-run.ts';
import { aStoredRun, type VariantStory } from '../../test/builders/stored-run.ts';
import { MARKDOWN_LIMIT, reportMarkdown } from './report-markdown.ts';
import { runReport } from './run-report.ts';

const markdownOf = (...story: Parameters<typeof aStoredRun>): string =>
  reportMarkdown(runReport(aStoredRun(...story)));

/** What of the text Markdown interprets: without code. */
const withoutCode = (text: string): string =>
  text
    .replace(/<pre>[^<]*<\/pre>/g, '')
    .replace(/<code>[^<]*<\/code>/g, '')
    .replace(/`[^`\n]*`/g, '');

const manyVariants = (count: number, length: number): readonly VariantStory[] =>
  Array.from({ length: count }, (_, index) => ({
    name: `${index}${'|'.repeat(length)}`,
    parameters: { P: `${index}${'<'.repeat(length)}` },
    trials: [
      { p95_ms: index },
      index % 3 === 2 ? { failed: 'TestFailed', message: '&'.repeat(2_000) } : { p95_ms: 1 },
    ],
  }));

describe('a report as Markdown', () => {
  it('says in a comment which variant is best, why, and what failed', () => {
    const text = markdownOf({
      variants: [
        { name: 'arc-8', parameters: { CACHE: 'arc' }, trials: [{ p95_ms: 41.2 }, { p95_ms: 41.6 }] },
        { name: 'lru-8', parameters: { CACHE: 'a|b' }, trials: [{ p95_ms: 48.1 }, { p95_ms: 48.9 }] },
        {
          name: 'none',
          parameters: { CACHE: 'none' },
          trials: [
            { p95_ms: 60 },
            {
              failed: 'TestFailed',
              message: 'exit code 1: reading\nError: <no> such file',
              logs: '/runs/none',
            },
          ],
        },
      ],
    });
    expect(text).toMatchInlineSnapshot(`
      "### \`checkout-cache\` · Failed · 5 of 6 trials succeeded, 1 failed · 4m 12s

      ★ **\`arc-8\`** is best: score 1.0000.

      VariantsFailed: \`variants failed\`

      | # | variant | \`CACHE\` | score | \`p95_ms\` ↓ | trials |
      | --: | --- | --- | --: | --: | --: |
      | ★ 1 | \`arc-8\` | \`arc\` | 1.0000 | **41.40 ± 0.28** | 2/2 |
      | 2 | \`lru-8\` | <code>a&#124;b</code> | 0.0000 | 48.50 ± 0.57 | 2/2 |
      | – | \`none\` | \`none\` | – | 60.00 | 1/2, 1 failed |

      <details><summary>1 failed trial</summary>

      \`none\` repetition 1: **TestFailed** \`NonZeroExitCode\`

      <pre>exit code 1: reading
      Error: &#60;no&#62; such file
      logs /runs/none</pre>

      </details>

      <sub>run \`0f9c1a2b-7d1e-4d3a-9b60-2f5a3a9c1d11\` · everything: \`batchtest report 0f9c1a2b-7d1e-4d3a-9b60-2f5a3a9c1d11 -o html\`</sub>
      "
    `);
  });

  it('shows the first twenty variants at once and the others when it is opened', () => {
    const text = markdownOf({
      variants: manyVariants(50, 0).map((story) => ({ ...story, trials: [{ p95_ms: 1 }] })),
    });
    const [open = '', folded = ''] = text.split('<details>');
    expect(open.split('\n').filter((line) => line.startsWith('| ★'))).toHaveLength(20);
    expect(folded).toContain('<summary>30 further variants</summary>');
  });

  it.each([
    [10, 60],
    [300, 60],
    [3_000, 10],
  ])(
    'fits into a comment with %i variants whose names are %i characters longer than a number',
    (count, length) => {
      const text = markdownOf({ variants: manyVariants(count, length) });
      expect(text.length).toBeLessThanOrEqual(MARKDOWN_LIMIT);
      expect(text).toContain('| ★ 1 |');
    },
  );

  it('is formatted by nothing that names or logs hold, and notifies nobody', () => {
    fc.assert(
      fc.property(hostileRun, (run) => {
        const text = reportMarkdown(runReport(run));
        const interpreted = withoutCode(text);
        expect(interpreted).not.toMatch(/[@[\]`\\]|http|www\.|:smile:/);
        expect(text.replace(/<\/?(?:code|pre|details|summary|sub)>/g, '')).not.toContain('<');
        const cellCounts = text
          .split('\n')
          .filter((line) => line.startsWith('| '))
          .map((line) => line.split('|').length);
        expect(new Set(cellCounts).size).toBeLessThanOrEqual(1);
        expect(text.length).toBeLessThanOrEqual(MARKDOWN_LIMIT);
      }),
    );
  });
});
