import { expect, it } from 'vitest';
import { batchTestSpecSchema, countBeforeExclusions, isMetricName } from './schema.ts';

const template = { spec: { containers: [{ name: 'test', image: 'bench:1' }] } };
const objective = { metrics: [{ name: 'p95_ms', goal: 'minimize' as const }] };

it('fills in every default', () => {
  expect(batchTestSpecSchema.parse({ variants: [{ name: 'a' }], template, objective })).toEqual({
    parallelism: 1,
    repetitions: 1,
    trialDeadlineSeconds: 3_600,
    trialStartDeadlineSeconds: 3_600,
    suspend: false,
    cancel: false,
    scaleDownPolicy: 'Drain',
    retryPolicy: { limit: 1, backoffSeconds: 2, maxBackoffSeconds: 60, outcomes: ['Infrastructure'] },
    podCleanupPolicy: 'Succeeded',
    results: { push: false },
    execution: 'Job',
    reusePolicy: 'Never',
    comparison: { confidence: '0.95' },
    variants: [{ name: 'a', parameters: {} }],
    template,
    objective: { metrics: [{ name: 'p95_ms', goal: 'minimize', weight: '1' }] },
  });
});

it('leaves the template as it is: the same object, nothing added', () => {
  const parsed = batchTestSpecSchema.parse({ variants: [{ name: 'a' }], template, objective });
  expect(parsed.template).toBe(template);
});

it('counts explicit variants and the product of the matrix', () => {
  const matrix = {
    parameters: [
      { name: 'A', values: ['1', '2', '3'] },
      { name: 'B', values: ['1', '2'] },
    ],
    exclude: [{ A: '1' }],
  };
  expect(countBeforeExclusions({ matrix })).toBe(6);
  expect(countBeforeExclusions({ matrix, variants: [{ name: 'a', parameters: {} }] })).toBe(7);
  expect(countBeforeExclusions({})).toBe(0);
});

it.each([
  ['p95_ms', true],
  ['latency/p95:%', true],
  ['__proto__', false],
  ['', false],
  ['a b', false],
  ['x'.repeat(64), false],
])('says of the metric name %s whether it is one: %s', (name, isOne) => {
  expect(isMetricName(name)).toBe(isOne);
});
