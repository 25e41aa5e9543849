import { API_VERSION, GROUP, KIND, PLURAL, VERSION } from '../api/v1alpha1/constants.ts';
import type { BatchTest } from '../api/v1alpha1/schema.ts';
import type { BatchTestStatus } from '../api/v1alpha1/status.ts';

/** A BatchTest as the API server gives it, as far as it is read. */
export interface BatchTestObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly resourceVersion: string;
    /** ISO 8601 in UTC, whole seconds. */
    readonly creationTimestamp: string;
    readonly deletionTimestamp?: string;
    readonly finalizers?: readonly string[];
  };
  readonly spec: unknown;
  readonly status?: BatchTestStatus;
}

/** Path of a namespace's BatchTests. */
export const collectionPath = (namespace: string): string =>
  `/apis/${GROUP}/${VERSION}/namespaces/${namespace}/${PLURAL}`;

/** What is sent to create the object: the manifest without a status, which is the operator's. */
export const objectOf = ({ metadata, spec }: BatchTest, namespace: string): unknown => ({
  apiVersion: API_VERSION,
  kind: KIND,
  metadata: { ...metadata, namespace },
  spec,
});
