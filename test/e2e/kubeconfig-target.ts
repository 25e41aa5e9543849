import { administratorOf } from './administrator.ts';
import type { OpenTarget } from './target.ts';

/** Any cluster of one node that can pull the images of test/e2e/write-images.ts and reach this machine. It is left with the CRD, and an administrator. */
export async function openKubeconfigTarget(): Promise<OpenTarget> {
  const kubeconfigPath = needed('KUBECONFIG', 'the path of the kubeconfig of an administrator');
  const registry = needed('E2E_REGISTRY', 'what the names of the images begin with, as they were pushed');
  const machineAddress = needed('E2E_MACHINE_ADDRESS', 'an IP address of this machine that pods reach');
  return {
    target: {
      ...(await administratorOf(kubeconfigPath)),
      kubeconfigPath,
      registry,
      machineAddress,
      runsHere: false,
    },
    close: () => Promise.resolve(),
  };
}

function needed(variable: string, meaning: string): string {
  const value = process.env[variable];
  if (value === undefined || value === '')
    throw new Error(`E2E_CLUSTER=kubeconfig needs the environment variable ${variable}: ${meaning}`);
  return value;
}
