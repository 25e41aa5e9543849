import { describe, expect, it } from 'vitest';
import { aBatchTest } from '../../../test/builders/batch-test.ts';
import { isFinished } from '../../core/status.ts';
import { expandVariants } from '../../core/variants.ts';
import { type BatchTestObject, projectBatchTest } from './batchtest-projection.ts';

const { spec } = aBatchTest({ variants: 2 });

const desiredOf = (object: Partial<BatchTestObject>) =>
  projectBatchTest(
    {
      metadata: { name: 'cache', namespace: 'team', uid: 'uid-1', resourceVersion: '7', generation: 1 },
      spec,
      ...object,
    },
    undefined,
  ).desired;

describe('a BatchTest whose resource is that of a later version', () => {
  it('is wanted without the fields that only that version knows, which are named', () => {
    expect(
      desiredOf({ spec: { ...spec, later: 'x', comparison: { ...spec.comparison, later: {} } } }),
    ).toMatchObject({
      kind: 'Runnable',
      manifest: { metadata: { name: 'cache', namespace: 'team' }, spec },
      ignoredFields: ['spec.comparison.later', 'spec.later'],
    });
  });

  it('has the variants that it has for that version, also where the template has such fields', () => {
    const later = { ...spec, template: { ...spec.template, spec: { ...spec.template.spec, later: true } } };
    const desired = desiredOf({ spec: later });
    const ids = desired.kind === 'Runnable' ? expandVariants(desired.manifest.spec).map(({ id }) => id) : [];
    expect(ids).toEqual(expandVariants(later).map(({ id }) => id));
    expect(ids).not.toEqual(expandVariants(spec).map(({ id }) => id));
  });

  it('cannot be run when only that version knows all of what its variants mount, as they would be others', () => {
    const sharedData = [
      { name: 'corpus', mountPath: '/data', configMap: { name: 'corpus' }, subPath: 'small' },
    ];
    expect(desiredOf({ spec: { ...spec, sharedData } })).toMatchObject({
      kind: 'Invalid',
      message: expect.stringContaining('spec.sharedData[0].subPath: unknown field'),
    });
  });

  it('is known to be over, whatever else its status tells', () => {
    const lastTransitionTime = '2026-01-01T00:00:00Z';
    const complete = { type: 'Complete', status: 'True', reason: 'Test', message: '', lastTransitionTime };
    const { status } = desiredOf({
      status: { later: 1, gate: 'Later', conditions: [{ ...complete, later: 2 }] },
    });
    expect(isFinished(status)).toBe(true);
  });

  it('cannot be run with a value that only that version knows', () => {
    expect(desiredOf({ spec: { ...spec, later: 'x', execution: 'Later' } })).toMatchObject({
      kind: 'Invalid',
      message: 'BatchTest: spec.execution: expected "Job" or "Pod", got "Later"',
      metadata: { name: 'cache', namespace: 'team' },
    });
  });
});

it('a BatchTest of before a pod was required cannot be run without one', () => {
  expect(desiredOf({ spec: { ...spec, template: {} } })).toMatchObject({
    kind: 'Invalid',
    message: 'BatchTest: spec.template.spec: required, but missing',
  });
});
