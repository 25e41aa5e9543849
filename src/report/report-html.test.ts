import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hostileRun } from '../../test/builders/hostile-run.ts';
import { anAttempt, aStoredRun, type VariantStory } from '../../test/builders/stored-run.ts';
import { reportHtml } from './report-html.ts';
import { trialReport } from './trial-report.ts';

const pageOf = (...story: Parameters<typeof aStoredRun>): string =>
  reportHtml(trialReport(aStoredRun(...story)));

const contentOf = (page: string, tag: 'style' | 'script'): string => {
  const [, content = ''] = new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`).exec(page) ?? [];
  return content;
};

/** The page without what is the same in every page. */
const bodyOf = (page: string): string =>
  page.slice(page.indexOf('<body>')).replace(`<script>${contentOf(page, 'script')}</script>`, '');

const TAG = /<\/?([a-z0-9]+)((?: [a-z0-9-]+(?:="[^"<>]*")?)*)\/?>/g;

/** As many and as long as they may be, of characters that take the most room. */
const longParameters = (index: number): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Array.from({ length: 30 }, (_, parameter) => [`LONG_${parameter}`, `${index}${'"'.repeat(1_000)}`]),
  );

const VARIANTS: readonly VariantStory[] = [
  {
    name: 'arc-8',
    parameters: { CACHE: 'arc', WORKERS: '8', SIZE: '1' },
    trials: [41, 42, 40, 43, 41].map((p95_ms) => ({ p95_ms })),
  },
  {
    name: 'lru-2',
    parameters: { CACHE: 'lru', WORKERS: '2', SIZE: '1' },
    trials: [48, 49, 47, 51, 48].map((p95_ms) => ({ p95_ms })),
  },
];

describe('a report as a page', () => {
  it('allows by hash the style and the script that are in it, and nothing else', () => {
    const page = pageOf({ variants: VARIANTS });
    const [, policy = ''] = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(page) ?? [];
    const hash = (text: string): string => createHash('sha256').update(text).digest('base64');
    expect(policy.split('; ')).toEqual([
      "default-src 'none'",
      `style-src 'sha256-${hash(contentOf(page, 'style'))}'`,
      `script-src 'sha256-${hash(contentOf(page, 'script'))}'`,
      "base-uri 'none'",
      "form-action 'none'",
    ]);
  });

  it('refers to nothing outside of itself', () => {
    const page = pageOf({ variants: VARIANTS });
    expect(page).not.toMatch(/ (src|href|action|style)=|url\(|@import|https?:/);
  });

  it('names the best variant and shows the matrix, the distributions, the parameters and the timeline', () => {
    const page = pageOf({ variants: VARIANTS });
    expect(page).toContain('<strong><bdi>arc-8</bdi></strong> is best: score 1.0000');
    expect(page.match(/<h2[^>]*>[^<]*/g)?.map((title) => title.replace(/<[^>]*>/, ''))).toEqual([
      'Variants',
      'Distributions',
      'Parameters',
      'Timeline',
    ]);
    expect(page).toMatch(/<td class="number h10 top" data-v="41.4">41.4/);
    expect(page).toMatch(/<td class="number h0" data-v="48.6">48.6/);
    expect(page).toContain('<bdi>SIZE</bdi> = <bdi>1</bdi>');
  });

  it('colours means alike that are equal but for the rounding of their sums', () => {
    const cells = (...variants: readonly VariantStory[]): readonly string[] =>
      [...pageOf({ variants }).matchAll(/<td class="number([^"]*)" data-v="(0\.[^"]*)">/g)].map(
        ([, colour, mean]) => `${mean}${colour}`,
      );
    const once = { name: 'once', trials: [{ p95_ms: 0.1 }] };
    const thrice = { name: 'thrice', trials: Array.from({ length: 3 }, () => ({ p95_ms: 0.1 })) };
    expect(cells(once, thrice)).toEqual(['0.1', '0.10000000000000002']);
    expect(cells(once, thrice, { name: 'worst', trials: [{ p95_ms: 0.3 }] })).toEqual([
      '0.1 h10 top',
      '0.10000000000000002 h10 top',
      '0.3 h0',
    ]);
  });

  it('says nothing of parameters when none differs', () => {
    const same = VARIANTS.map((story) => ({ ...story, parameters: { CACHE: 'lru' } }));
    expect(pageOf({ variants: same })).not.toContain('<h2>Parameters</h2>');
  });

  it('shows failures with what their programs said and where their output is', () => {
    const page = pageOf({
      variants: [
        {
          name: 'lru',
          trials: [{ failed: 'TestFailed', message: 'exit code 1: a\n\tb <c>', logs: '/runs/lru.log' }],
        },
      ],
    });
    expect(page).toContain('exit code 1: a\n    b &lt;c&gt;\n</pre>');
    expect(page).toContain('<code>/runs/lru.log</code>');
  });

  it('draws attempts that ran at the same time in different slots', () => {
    const stored = aStoredRun({
      variants: [{ name: 'a', trials: [{ p95_ms: 1 }, { p95_ms: 2 }, { p95_ms: 3 }] }],
    });
    const at = (second: number): Date => new Date(Date.UTC(2026, 10, 24, 10, 0, second));
    const times = [
      [0, 10],
      [2, 4],
      [4, 6],
    ] as const;
    const trialDetails = stored.trialDetails.map((trial, index) => {
      const [from, to] = times[index] ?? [0, 0];
      return { ...trial, attempts: [anAttempt({ startedAt: at(from), finishedAt: at(to) })] };
    });
    const page = reportHtml(trialReport({ ...stored, trialDetails }));
    expect(page).toContain('3 attempts in 2 slots, over 10.0 s.');
    const bars = [...page.matchAll(/<rect class="o-Succeeded" x="([^"]*)" width="([^"]*)" y="([^"]*)"/g)];
    expect(bars.map(([, x, width, y]) => [x, width, y])).toEqual([
      ['0%', '100%', '3.5'],
      ['20%', '20%', '21.5'],
      ['40%', '20%', '21.5'],
    ]);
  });

  it('has a report of a run whose results cannot be read', () => {
    const { report } = trialReport(aStoredRun({ variants: [] }));
    expect(reportHtml({ report, trials: [] })).toContain('The results of the variants cannot be read here.');
  });

  it('has no tag and no attribute that comes from names or logs', () => {
    fc.assert(
      fc.property(hostileRun, (run) => {
        const body = bodyOf(reportHtml(trialReport(run)));
        expect(body.replace(TAG, '')).not.toMatch(/[<>]/);
        for (const [, tag, attributes = ''] of body.matchAll(TAG)) {
          expect(['script', 'img', 'style', 'iframe', 'object', 'link', 'a', 'form']).not.toContain(tag);
          expect(attributes.replace(/="[^"]*"/g, '')).not.toMatch(/ (on|style|src|href)/);
        }
        expect(body).not.toMatch(/\p{Cc}(?<!\n)|\u202e/u);
      }),
    );
  });

  it('has no place or size that is not a number, whatever the values are', () => {
    fc.assert(
      fc.property(hostileRun, (run) => {
        expect(bodyOf(reportHtml(trialReport(run)))).not.toMatch(/"(-?Infinity|NaN)%?"/);
      }),
    );
  });

  it('stays below 10 MB with 10,000 variants, and says what it leaves out', () => {
    const variants = Array.from({ length: 10_000 }, (_, index) => ({
      name: `${index}${'n'.repeat(50)}`,
      parameters: {
        ...(index < 600 ? longParameters(index) : {}),
        P: String(index),
        R: index % 2 === 0 ? 'even' : 'odd',
      },
      trials: [{ p95_ms: index, other: 1 }],
    }));
    const page = pageOf({ variants });
    expect(Buffer.byteLength(page)).toBeLessThan(10_000_000);
    expect(page).toContain('The best 500 of 10000 variants; 9500 further ones not shown.');
    expect(page).toContain('The first 2000 of 10000 attempts; the later ones are not drawn.');
    expect(page.match(/<tr/g)).toHaveLength(501);
  });
});
