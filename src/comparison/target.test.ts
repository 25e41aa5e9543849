import { describe, expect, it } from 'vitest';
import type { Objective } from '../api/v1alpha1/schema.ts';
import { meetsTargets, targetsText } from './target.ts';

const objective = (latency?: string | number, throughput?: string): Objective => ({
  metrics: [
    { name: 'p95_ms', goal: 'minimize', weight: '1', ...(latency === undefined ? {} : { target: latency }) },
    {
      name: 'throughput',
      goal: 'maximize',
      weight: '1',
      ...(throughput === undefined ? {} : { target: throughput }),
    },
  ],
});

describe('targets', () => {
  it.each([
    { of: objective('40'), means: [40, 0], met: true },
    { of: objective(40), means: [40.1, 9_999], met: false },
    { of: objective('40', '1000'), means: [39, 1_000], met: true },
    { of: objective('40', '1000'), means: [39, 999], met: false },
    { of: objective(undefined, '-2.5'), means: [1, -2.4], met: true },
    { of: objective(), means: [0, 9_999], met: false },
    { of: objective('0.1'), means: [0.1 + 2 ** -56, 0], met: true },
    { of: objective(undefined, '0.7'), means: [0, 0.7 - 2 ** -53], met: true },
  ])('of $of.metrics are met by $means: $met', ({ of, means, met }) => {
    expect(meetsTargets(of, means)).toBe(met);
  });

  it('are told with their direction', () => {
    expect(targetsText(objective('40', '1000'))).toBe('p95_ms at most 40, throughput at least 1000');
  });
});
