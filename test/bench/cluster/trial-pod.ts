import { batchTestSchema } from '../../../src/api/v1alpha1/schema.ts';
import { defineRun } from '../../../src/core/run.ts';
import { type AttemptPod, attemptPod } from '../../../src/engine/kubernetes/attempt-pod.ts';
import { batchManifest, REPETITIONS } from './batch-manifest.ts';
import { batchNames, type Scenario } from './scenario.ts';

const UID = '6f1c8a52-0000-4000-8000-000000000001';
const NAMESPACE = 'bench';

/**
 * The pod of a trial as the operator makes it, as a template for those who make pods themselves: what a pod weighs costs whoever reads or writes it, above all the
 * API server, so that all contenders have pods of one size. It is always that of the first trial; the values of others are as long.
 */
export function trialPod(scenario: Scenario, batch: string): AttemptPod {
  const manifest = batchManifest({ ...scenario, trials: 2 * REPETITIONS }, batch, 'Job');
  const run = defineRun(
    batchTestSchema.parse({ ...manifest, metadata: { ...manifest.metadata, namespace: NAMESPACE } }),
    { uid: UID, engine: 'kubernetes' },
  );
  const [trial] = run.trials;
  if (trial === undefined) throw new Error('a batch has no trial');
  const { trialDeadlineSeconds } = run.manifest.spec;
  return attemptPod(
    { run, trial, attempt: 1, name: 'trial', deadlineSeconds: trialDeadlineSeconds },
    undefined,
  );
}

/** The pod of each batch, by the batch's name. To be made before the work begins: it takes a moment that is nobody's to be measured by. */
export const trialPods = (scenario: Scenario): ReadonlyMap<string, AttemptPod> =>
  new Map(batchNames(scenario).map((batch) => [batch, trialPod(scenario, batch)]));
