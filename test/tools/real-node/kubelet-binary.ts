import { join } from 'node:path';
import { BUILD_OPTIONS, buildGoPrograms, goProgramsFolder } from '../go-programs.ts';

/** Finds the kubelet in this user's cache, else builds it from the version that the control plane is pinned to. Gives its path. */
export async function resolveKubelet(): Promise<string> {
  const folder = await goProgramsFolder('kubelet', ['kubernetes'], BUILD_OPTIONS.environment);
  const kubelet = {
    name: 'kubelet',
    moduleFolder: 'kubernetes',
    goPackage: 'k8s.io/kubernetes/cmd/kubelet',
    instead: '',
  };
  await buildGoPrograms([kubelet], folder, BUILD_OPTIONS);
  return join(folder, kubelet.name);
}
