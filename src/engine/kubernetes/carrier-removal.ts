import { LABEL_RUN_UID } from '../../api/v1alpha1/constants.ts';
import { isApiError } from './api-error.ts';
import { carrierPath, podsPath } from './attempt-carrier.ts';
import type { CarrierProjection, PodProjection } from './attempt-projections.ts';
import type { KubeClient } from './kube-client.ts';

/** The server deletes a collection one object after the other before it answers, and ends a request after 60 s by itself. */
const COLLECTION_TIMEOUT_MS = 60_000;

const DELETE_OPTIONS = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Background' };

/** Deletes this Job or pod, and no other that has its name by now. Resolves as well when it is gone. */
export const deleteCarrier = (client: KubeClient, carrier: CarrierProjection): Promise<void> =>
  deleteObject(client, carrierPath(carrier), carrier.uid);

/** As `deleteCarrier`, for a pod that a Job made. */
export const deletePod = (client: KubeClient, { namespace, podName, uid }: PodProjection): Promise<void> =>
  deleteObject(client, `${podsPath(namespace)}/${podName}`, uid);

async function deleteObject(client: KubeClient, path: string, uid: string): Promise<void> {
  try {
    await client.request('DELETE', path, { body: { ...DELETE_OPTIONS, preconditions: { uid } } });
  } catch (error) {
    // Gone already, or another object has the name by now.
    if (!isApiError(error, 404) && !isApiError(error, 409)) throw error;
  }
}

/**
 * Deletes every object of the collection that the run's UID is written on, in one request. The server looks for them, so that those
 * which no watch has shown yet go as well.
 * @returns false when this is not allowed: it takes the verb `deletecollection`
 */
export async function deleteAllOfRun(
  client: KubeClient,
  collection: string,
  runUid: string,
): Promise<boolean> {
  try {
    await client.request('DELETE', collection, {
      query: { labelSelector: `${LABEL_RUN_UID}=${runUid}` },
      body: DELETE_OPTIONS,
      timeoutMs: COLLECTION_TIMEOUT_MS,
    });
    return true;
  } catch (error) {
    if (isApiError(error, 403)) return false;
    throw error;
  }
}
