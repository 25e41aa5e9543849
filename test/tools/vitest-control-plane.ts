import type { TestProject } from 'vitest/node';
import { type ClusterClient, createClusterClient } from './cluster-client.ts';
import { startControlPlane } from './control-plane.ts';
import type { ClusterCredentials } from './kubeconfig.ts';

/** What a test file is given of the control plane that the whole test run shares. */
export interface ProvidedControlPlane extends ClusterCredentials {
  /** Of an administrator. */
  readonly kubeconfigPath: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    controlPlane: ProvidedControlPlane;
  }
}

/** Vitest's globalSetup: one control plane per test run. Tests get it with `inject('controlPlane')`. */
export default async function setUpControlPlane(project: TestProject): Promise<() => Promise<void>> {
  const controlPlane = await startControlPlane();
  const { url, certificateAuthority, token, kubeconfigPath } = controlPlane;
  project.provide('controlPlane', { url, certificateAuthority, token, kubeconfigPath });
  return () => controlPlane.stop();
}

/**
 * An administrator's client of the shared control plane. Each test works in a namespace of its own
 * (`createNamespace`), as all test files use the same cluster at once; `close` it when the test file is done.
 */
export function connectControlPlane(provided: ProvidedControlPlane): ClusterClient {
  return createClusterClient(provided);
}
