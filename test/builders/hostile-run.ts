import fc from 'fast-check';
import type { StoredRun } from '../../src/results/result-store.ts';
import { aStoredRun, type TrialStory, type VariantStory } from './stored-run.ts';

/** Text that some format or other could take for more than text. */
const HOSTILE: readonly string[] = [
  '<script>alert(1)</script>',
  '</script></style></title></pre><img src=x onerror=alert(1)>',
  '"><svg onload=alert(1)>',
  "' onmouseover='alert(1)",
  '<!-- ]]> <![CDATA[ <?xml',
  '&lt;b&gt; &amp; &#60;script&#62;',
  'javascript:alert(1)',
  '=HYPERLINK("http://example.com","x")',
  "+1+cmd|' /C calc'!A0",
  '-2+3',
  '@SUM(A1)',
  '\t=1+1',
  '\r=1+1',
  '\n=1+1',
  '\0=1+1',
  '＝1+1',
  'a,b;c"d""e',
  'line\r\nbreak\nand\rmore',
  '| pipe \\| and \\\\| again |',
  '``` ` `` backticks',
  '`',
  ' ',
  '',
  '@octocat and @org/team, see #1 and owner/name#2',
  '[link](http://example.com) ![image](http://example.com/x.png) https://example.com www.example.com',
  '**bold** _it_ ~~no~~ :smile: </details>',
  '\u202eright to left\u202c',
  'עברית מים',
  '\u001b[2J\u001b[31mred\u001b[0m\u009b31m\u0007\u0008',
  '\ufffe\uffff\ud800 and \udc00',
  'x'.repeat(300),
  '日本語'.repeat(100),
  '__proto__',
  'constructor',
];

/** Hostile text, alone, joined or within other text. */
export const hostileText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.tuple(fc.constantFrom(...HOSTILE), fc.constantFrom(...HOSTILE)).map((parts) => parts.join('')),
  fc.tuple(fc.string({ maxLength: 5 }), fc.constantFrom(...HOSTILE)).map((parts) => parts.join('')),
);

const trialStory: fc.Arbitrary<TrialStory> = fc.oneof(
  { arbitrary: fc.record({ p95_ms: fc.double({ min: -1e300, max: 1e300, noNaN: true }) }), weight: 4 },
  fc.tuple(fc.double({ min: 1, max: 9, noNaN: true }), hostileText).map(([p95_ms, name]) =>
    Object.fromEntries([
      ['p95_ms', p95_ms],
      [`m${name}`, 1],
    ]),
  ),
  fc.constantFrom('pending' as const, 'cancelled' as const),
  fc.record({
    failed: fc.constantFrom('TestFailed' as const, 'Infrastructure' as const, 'TimedOut' as const),
    reason: hostileText,
    message: hostileText,
    logs: hostileText,
  }),
);

const variantStory: fc.Arbitrary<VariantStory> = fc.record(
  {
    name: hostileText,
    parameters: fc.dictionary(hostileText, hostileText, { maxKeys: 3 }),
    trials: fc.array(trialStory, { minLength: 1, maxLength: 4 }),
    stoppedAtLook: fc.constant(1),
  },
  { requiredKeys: ['name', 'parameters', 'trials'] },
);

/** A run in which every text that comes from a user or a program may be hostile. The names of its variants differ. */
export const hostileRun: fc.Arbitrary<StoredRun> = fc
  .record({
    variants: fc.uniqueArray(variantStory, { minLength: 1, maxLength: 6, selector: ({ name }) => name }),
    name: hostileText,
    workflowId: hostileText,
    message: hostileText,
    namespace: fc.option(hostileText, { nil: undefined }),
    state: fc.constantFrom('Running' as const, 'Complete' as const, 'Failed' as const, 'Cancelled' as const),
    hasBaseline: fc.boolean(),
  })
  .map(({ hasBaseline, ...story }) => {
    const run = aStoredRun(story);
    const baseline = story.variants[0]?.name;
    return hasBaseline && baseline !== undefined ? withBaseline(run, baseline) : run;
  });

/** The run with a baseline, an earlier run and limits, whose verdicts are sentences with names in them. */
function withBaseline(run: StoredRun, baseline: string): StoredRun {
  const gates = [
    { metric: 'p95_ms', against: 'Baseline' as const, maxRegressionPercent: '5' },
    { metric: 'p95_ms', against: 'Baseline' as const, max: '3' },
    { metric: 'p95_ms', against: 'PreviousRun' as const, maxRegressionPercent: '5' },
  ];
  const spec = { ...run.manifest.spec, comparison: { confidence: '0.95', baseline, gates } };
  const previousRun = {
    uid: '0b9c7f9e-6f0a-4c3a-9f6c-0d6f1f8f2a11',
    startedAt: new Date('2026-11-20T08:00:00.123Z'),
    samples: new Map([[baseline, new Map([['p95_ms', { values: [1, 2.5], repetitions: [1, 2] }]])]]),
  };
  return { ...run, previousRun, manifest: { ...run.manifest, spec } };
}
