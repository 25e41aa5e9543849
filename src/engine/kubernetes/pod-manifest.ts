import type { V1Pod } from '@kubernetes/client-node';
import type { AttemptRequest } from '../engine.ts';
import { attemptMetadata, attemptPod } from './attempt-pod.ts';
import type { ResultIngestAddress } from './result-volume.ts';

/**
 * The pod that is one attempt without a Job around it. Pure: the same attempt always gives the same pod, byte for byte.
 * @param ingest where its result may be pushed to; needed for a run with `spec.results.push`
 * @throws Error when the run has no namespace: it is not a cluster's
 */
export function podManifest(request: AttemptRequest, ingest?: ResultIngestAddress): V1Pod {
  const { metadata, spec } = attemptPod(request, ingest);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...attemptMetadata(request), annotations: metadata.annotations },
    spec,
  };
}
