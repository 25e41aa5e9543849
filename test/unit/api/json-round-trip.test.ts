/** What docs/reference/typescript.md calls plain values survives JSON. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type BatchTestManifest,
  dryRun,
  runComparison,
  runParity,
  runReport,
  runStatus,
  storedRunFromJson,
  storedRunToJson,
  validManifest,
} from '../../../src/index.ts';
import { hostileRun, hostileText } from '../../builders/hostile-run.ts';

const throughJson = <T>(value: T): T => JSON.parse(JSON.stringify(value));

/**
 * The value with 0 in the place of -0: JSON has both and JSON.stringify writes one. Objects of any class but plain ones, arrays, dates and maps are
 * a defect, because JSON would lose them.
 */
function withPlainZeros(value: unknown): unknown {
  if (typeof value === 'number') return value === 0 ? 0 : value;
  if (Array.isArray(value)) return value.map(withPlainZeros);
  if (value instanceof Map) return new Map([...value].map(([key, entry]) => [key, withPlainZeros(entry)]));
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, withPlainZeros(entry)]));
}

/** Strictly equal, so that a field that is undefined is a failure. */
const expectPlain = (value: object) => expect(throughJson(value)).toStrictEqual(withPlainZeros(value));

const variableName = fc.stringMatching(/^[A-Z][A-Z0-9_]{0,10}$/);
const value = fc.string({ unit: 'grapheme-ascii', maxLength: 20 });

const manifest: fc.Arbitrary<BatchTestManifest> = fc
  .record({
    values: fc.uniqueArray(value, { minLength: 1, maxLength: 4 }),
    parameter: variableName,
    repetitions: fc.integer({ min: 1, max: 50 }),
    env: fc.dictionary(variableName, value, { maxKeys: 3 }),
    local: fc.option(
      fc.record({
        command: fc.array(value, { minLength: 1, maxLength: 3 }),
        env: fc.dictionary(variableName, value, { maxKeys: 3 }),
      }),
      { nil: undefined },
    ),
    weight: fc.constantFrom('0.5', '1', 2),
    suspend: fc.boolean(),
    baseline: fc.boolean(),
  })
  .map(({ values, parameter, env, local, weight, baseline, ...spec }) => ({
    apiVersion: 'batchtest.dev/v1alpha1' as const,
    kind: 'BatchTest' as const,
    metadata: { name: 'any' },
    spec: {
      ...spec,
      variants: values.map((text, index) => ({ name: `v${index}`, parameters: { [parameter]: text } })),
      template: {
        spec: {
          containers: [
            {
              name: 'test',
              image: 'bench:1',
              env: Object.entries(env).map(([name, text]) => ({ name, value: text })),
            },
          ],
        },
      },
      objective: { metrics: [{ name: 'x', goal: 'minimize' as const, weight }] },
      ...(baseline ? { comparison: { baseline: 'v0', gates: [{ metric: 'x', max: '3' }] } } : {}),
      ...(local === undefined ? {} : { local }),
    },
  }));

describe('through JSON and back', () => {
  it('is a manifest, valid before and after, and what both engines make of it', () => {
    fc.assert(
      fc.property(manifest, (input) => {
        const valid = validManifest(input);
        expectPlain(valid);
        expect(validManifest(throughJson(valid))).toEqual(valid);
        expect(validManifest(JSON.stringify(valid))).toEqual(valid);
        expectPlain(dryRun(valid));
      }),
    );
  });

  it('is a report, a comparison and a parity of runs, whatever they hold', () => {
    fc.assert(
      fc.property(hostileRun, hostileRun, (first, second) => {
        expectPlain(runReport(first));
        expectPlain(runComparison(runReport(first), runReport(second)));
        expectPlain(runParity(first, second, { exact: ['p95_ms'], exactOutputs: true }));
      }),
    );
  });

  it('is a stored run, by its own functions', () => {
    fc.assert(
      fc.property(hostileRun, (run) => {
        expect(withPlainZeros(storedRunFromJson(throughJson(storedRunToJson(run))))).toEqual(
          withPlainZeros(run),
        );
      }),
    );
  });

  it('is the status of a run of a cluster', () => {
    const count = fc.nat();
    const time = fc.constant('2026-11-24T10:00:00Z');
    const condition = fc.record({
      type: fc.constantFrom('Progressing', 'Complete', 'Failed', 'Suspended', 'ResultStoreAvailable'),
      status: fc.constantFrom('True' as const, 'False' as const),
      reason: hostileText,
      message: hostileText,
      lastTransitionTime: time,
    });
    const status = fc.record(
      {
        runUid: fc.uuid(),
        completionTime: time,
        trials: fc.record({
          total: count,
          pending: count,
          running: count,
          succeeded: count,
          failed: count,
          cancelled: count,
        }),
        best: fc.record({ name: hostileText, score: fc.constantFrom('0.5000', '1.0000') }),
        gate: fc.constantFrom('Passed' as const, 'Failed' as const),
        conditions: fc.array(condition, { maxLength: 5 }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.option(status, { nil: undefined }), (known) => {
        const metadata = { name: 'any', uid: 'u', creationTimestamp: '2026-11-24T10:00:00Z' };
        if (known !== undefined) expectPlain(known);
        expectPlain(runStatus({ metadata, ...(known === undefined ? {} : { status: known }) }));
      }),
    );
  });
});
