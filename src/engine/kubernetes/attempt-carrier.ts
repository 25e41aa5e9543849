/**
 * What carries an attempt in a cluster: a Job, whose controller makes the pod, or the pod itself (`spec.execution`). Here is all that
 * is not the same for both when one is made, read or addressed.
 */
import type { V1Job, V1Pod } from '@kubernetes/client-node';
import type { RunDefinition } from '../../core/run.ts';
import type { AttemptRequest } from '../engine.ts';
import { type CarrierProjection, projectCarrierPod, projectJob } from './attempt-projections.ts';
import { jobManifest } from './job-manifest.ts';
import type { ObjectMeta } from './kubernetes-objects.ts';
import { podManifest } from './pod-manifest.ts';
import type { ResultIngestAddress } from './result-volume.ts';

export interface CarrierObject {
  readonly metadata: ObjectMeta;
}

export interface AttemptCarrier {
  readonly kind: CarrierProjection['kind'];
  /** Path of all of a namespace. */
  readonly collection: (namespace: string) => string;
  readonly manifest: (request: AttemptRequest, ingest?: ResultIngestAddress) => V1Job | V1Pod;
  /** Undefined for an object that carries no attempt; `known` is what was kept of the same object before. */
  readonly project: (object: CarrierObject, known?: CarrierProjection) => CarrierProjection | undefined;
}

const CARRIERS: Readonly<Record<AttemptCarrier['kind'], AttemptCarrier>> = {
  Job: {
    kind: 'Job',
    collection: (namespace) => `/apis/batch/v1/namespaces/${namespace}/jobs`,
    manifest: jobManifest,
    project: projectJob,
  },
  Pod: {
    kind: 'Pod',
    collection: (namespace) => `/api/v1/namespaces/${namespace}/pods`,
    manifest: podManifest,
    project: projectCarrierPod,
  },
};

/** What carries the attempts of this run. */
export const carrierOf = ({ manifest }: Pick<RunDefinition, 'manifest'>): AttemptCarrier =>
  CARRIERS[manifest.spec.execution];

/** Path of the object that carries an attempt. */
export const carrierPath = ({ kind, namespace, name }: CarrierAddress): string =>
  `${CARRIERS[kind].collection(namespace)}/${name}`;

/** Path of all pods of a namespace, whatever carries the attempts. */
export const podsPath = CARRIERS.Pod.collection;

/** What is kept of an object that was `known` to carry an attempt. */
export const projectCarrier = (
  object: CarrierObject,
  known: CarrierProjection,
): CarrierProjection | undefined => CARRIERS[known.kind].project(object, known);

export type CarrierAddress = Pick<CarrierProjection, 'kind' | 'namespace' | 'name'>;
