import { describe, expect, it } from 'vitest';
import { aBatchTest } from '../../test/builders/batch-test.ts';
import { type FailureAction, failureActionFor } from './failure-policy.ts';

type Rule = readonly [FailureAction, 'In' | 'NotIn', ...(readonly number[])];

const policyOf = (...rules: readonly Rule[]) =>
  aBatchTest({
    spec: {
      failurePolicy: {
        rules: rules.map(([action, operator, ...values]) => ({ action, onExitCodes: { operator, values } })),
      },
    },
  }).spec.failurePolicy;

describe('the action for an exit code', () => {
  it.each<{ rules: readonly Rule[]; actions: Readonly<Record<number, FailureAction | undefined>> }>([
    { rules: [['Ignore', 'In', 3, 5]], actions: { 3: 'Ignore', 4: undefined, 5: 'Ignore' } },
    {
      rules: [['FailVariant', 'NotIn', 3, 5]],
      actions: { 3: undefined, 4: 'FailVariant', 255: 'FailVariant' },
    },
    {
      rules: [
        ['Retry', 'In', 3],
        ['FailVariant', 'In', 3, 4],
        ['Ignore', 'NotIn', 5],
      ],
      actions: { 3: 'Retry', 4: 'FailVariant', 5: undefined, 6: 'Ignore' },
    },
    {
      rules: [
        ['Ignore', 'NotIn', 1],
        ['FailVariant', 'In', 3],
      ],
      actions: { 1: undefined, 3: 'Ignore' },
    },
  ])('is that of the first rule that matches: $rules', ({ rules, actions }) => {
    for (const [exitCode, action] of Object.entries(actions))
      expect(failureActionFor(policyOf(...rules), Number(exitCode)), exitCode).toBe(action);
  });

  it('is none for exit code 0, and none without an exit code', () => {
    const all = policyOf(['FailVariant', 'NotIn', 1]);
    expect(failureActionFor(all, 2)).toBe('FailVariant');
    expect(failureActionFor(all, 0)).toBeUndefined();
    expect(failureActionFor(all, undefined)).toBeUndefined();
  });

  it('is none without a policy', () => {
    expect(failureActionFor(undefined, 1)).toBeUndefined();
  });
});
