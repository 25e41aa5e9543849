import { setTimeout as sleep } from 'node:timers/promises';
import { API_VERSION, PLURAL } from '../../src/api/v1alpha1/constants.ts';
import { batchTestCrd } from '../../src/api/v1alpha1/crd.ts';
import type { ClusterClient } from '../tools/cluster-client.ts';

export interface ConditionOfCrd {
  readonly type: string;
  readonly status: string;
  readonly message: string;
}

interface InstalledCrd {
  readonly status?: { readonly conditions?: readonly ConditionOfCrd[] };
}

const CRD_PATH = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${batchTestCrd().metadata.name}`;
const ESTABLISHED_DEADLINE_MS = 20_000;

/**
 * Applies the CRD, or one of another version, which several test files may do at once, and resolves with its conditions when the API server serves
 * BatchTests. Throws with the conditions when it does not within 20 s.
 */
export async function installCrd(
  client: ClusterClient,
  crd: unknown = batchTestCrd(),
): Promise<readonly ConditionOfCrd[]> {
  await client.request(
    'PATCH',
    `${CRD_PATH}?fieldManager=tests&force=true`,
    crd,
    'application/apply-patch+yaml',
  );
  for (let waitedMs = 0; ; waitedMs += 100) {
    const { status } = await client.request<InstalledCrd>('GET', CRD_PATH);
    const conditions = status?.conditions ?? [];
    const isEstablished = conditions.some(({ type, status }) => type === 'Established' && status === 'True');
    // For a moment after that the server still answers that its storage is being set up.
    if (isEstablished && (await isServed(client))) return conditions;
    if (waitedMs >= ESTABLISHED_DEADLINE_MS)
      throw new Error(`the CRD is not established: ${JSON.stringify(conditions)}`);
    await sleep(100);
  }
}

const isServed = (client: ClusterClient): Promise<boolean> =>
  client.request('GET', `/apis/${API_VERSION}/${PLURAL}`).then(
    () => true,
    () => false,
  );
