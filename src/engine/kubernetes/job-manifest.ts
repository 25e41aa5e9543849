import type { V1Job } from '@kubernetes/client-node';
import type { AttemptRequest } from '../engine.ts';
import { attemptMetadata, attemptPod } from './attempt-pod.ts';
import type { ResultIngestAddress } from './result-volume.ts';

/**
 * The batch/v1 Job that is one attempt: one pod, started once. Pure: the same attempt always gives the same Job, byte for byte.
 * @param ingest where its result may be pushed to; needed for a run with `spec.results.push`
 * @throws Error when the run has no namespace: it is not a cluster's
 */
export const jobManifest = (request: AttemptRequest, ingest?: ResultIngestAddress): V1Job => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: attemptMetadata(request),
  spec: {
    // Another attempt is another Job: whether there is one is decided by the core, the same for every engine.
    backoffLimit: 0,
    completions: 1,
    parallelism: 1,
    // A pod that is being deleted may still write its result.
    podReplacementPolicy: 'Failed',
    template: attemptPod(request, ingest),
  },
});
