/** The volumes of `spec.sharedData`, by reference: nothing is copied, and nothing of them is read by the operator. */
import type { V1Volume, V1VolumeMount } from '@kubernetes/client-node';
import type { SharedData } from '../../api/v1alpha1/schema.ts';

const volumeName = (name: string): string => `batchtest-data-${name}`;

export const sharedDataVolumes = (sharedData: readonly SharedData[]): readonly V1Volume[] =>
  sharedData.map(({ name, configMap, persistentVolumeClaim }) => ({
    name: volumeName(name),
    ...(configMap === undefined ? {} : { configMap: { name: configMap.name } }),
    ...(persistentVolumeClaim === undefined
      ? {}
      : { persistentVolumeClaim: { claimName: persistentVolumeClaim.claimName, readOnly: true } }),
  }));

export const sharedDataMounts = (sharedData: readonly SharedData[]): readonly V1VolumeMount[] =>
  sharedData.map(({ name, mountPath }) => ({ name: volumeName(name), mountPath, readOnly: true }));
