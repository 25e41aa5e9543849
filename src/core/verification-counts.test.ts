import { describe, expect, it } from 'vitest';
import type { BatchTestStatus } from '../api/v1alpha1/status.ts';
import { statusAfterVerification, verifiedStatus } from './verification-counts.ts';

const NONE = { pending: 0, verified: 0, mismatched: 0, missing: 0 };

describe('the status of what was read back', () => {
  it('says nothing of a run without artifacts whose results are as they were reported', () => {
    expect(verifiedStatus({ artifacts: NONE, results: { ...NONE, verified: 5, pending: 1 } })).toEqual({});
  });

  it('counts artifacts in every state, and results that are not as they were reported', () => {
    const artifacts = { pending: 4, verified: 3, mismatched: 2, missing: 1 };
    expect(verifiedStatus({ artifacts, results: { ...NONE, mismatched: 1 } })).toEqual({
      artifacts: { tracked: 10, verified: 3, mismatched: 2, missing: 1 },
      results: { mismatched: 1, missing: 0 },
    });
  });
});

describe('the status of a run that is over', () => {
  const before: BatchTestStatus = {
    runUid: 'u',
    artifacts: { tracked: 2, verified: 1, mismatched: 0, missing: 0 },
  };
  const read = (verified: number, pending: number) =>
    statusAfterVerification(before, { artifacts: { ...NONE, verified, pending }, results: NONE });

  it('changes when more was read back, and in nothing else', () => {
    expect(read(2, 0)).toEqual({
      runUid: 'u',
      artifacts: { tracked: 2, verified: 2, mismatched: 0, missing: 0 },
    });
  });

  it('does not change otherwise, also not when what is stored of the run was deleted', () => {
    expect(read(1, 1)).toBeUndefined();
    expect(read(0, 0)).toBeUndefined();
  });
});
