import { API_VERSION, KIND } from '../../../src/api/v1alpha1/constants.ts';
import type { BatchTestManifest, BatchTestSpec, PodTemplate } from '../../../src/api/v1alpha1/schema.ts';
import { BATCH_LABEL } from './contender.ts';
import type { Scenario } from './scenario.ts';

export const REPETITIONS = 10;

const MEASURED = JSON.stringify({ metrics: { x: 1 } });

/** What the user of the operator asks for: one batch of a scenario, by its name. */
export const batchManifest = (
  scenario: Scenario,
  batch: string,
  execution: BatchTestSpec['execution'],
): BatchTestManifest => ({
  apiVersion: API_VERSION,
  kind: KIND,
  metadata: { name: batch },
  spec: {
    execution,
    parallelism: scenario.parallelism,
    ...(scenario.isSuspended === true ? { suspend: true } : {}),
    repetitions: REPETITIONS,
    variants: Array.from({ length: scenario.trials / REPETITIONS }, (_, index) => ({
      name: `v${index}`,
      parameters: { V: String(index) },
    })),
    objective: { metrics: [{ name: 'x', goal: 'minimize' }] },
    template: podTemplate(scenario, batch),
  },
});

/** As KWOK plays it. */
const podTemplate = ({ runMs, longestRunMs }: Scenario, batch: string): PodTemplate => ({
  metadata: {
    labels: { [BATCH_LABEL]: batch },
    annotations: {
      'kwok.test/run': `${runMs}ms`,
      ...(longestRunMs === undefined ? {} : { 'kwok.test/run-at-most': `${longestRunMs}ms` }),
      'kwok.test/message': MEASURED,
    },
  },
  spec: { containers: [{ name: 'test', image: 'test:1' }] },
});
