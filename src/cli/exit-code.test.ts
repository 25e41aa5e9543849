import { expect, it } from 'vitest';
import type { RunEnd } from '../core/plan.ts';
import { exitCodeOf } from './exit-code.ts';

const end = (reason: RunEnd['reason']): RunEnd => ({ state: 'Failed', reason, message: '' });

it('is 1 for a complete run that does not pass its gates, and 0 for one that does or has none', () => {
  for (const reason of ['AllTrialsSucceeded', 'StoppedEarly', 'TargetMet'] as const) {
    expect(exitCodeOf(end(reason), { gate: 'Failed' })).toBe(1);
    expect(exitCodeOf(end(reason), { gate: 'Passed' })).toBe(0);
    expect(exitCodeOf(end(reason), { gate: null })).toBe(0);
  }
});

it('is that of the end of a run that is not complete, whatever became of its gates', () => {
  for (const gate of ['Failed', 'Passed', null] as const) {
    expect(exitCodeOf(end('VariantsFailed'), { gate })).toBe(1);
    expect(exitCodeOf(end('InvalidSpec'), { gate })).toBe(2);
    expect(exitCodeOf(end('InfrastructureFailed'), { gate })).toBe(3);
    expect(exitCodeOf(end('CancelRequested'), { gate })).toBe(4);
  }
});
