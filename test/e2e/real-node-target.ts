import { join } from 'node:path';
import { startRealNode } from '../tools/real-node/real-node.ts';
import { LOCAL_REGISTRY, writeImages } from './images.ts';
import type { OpenTarget } from './target.ts';

/** A control plane and one node of this machine, for as long as the tests take. */
export async function openRealNodeTarget(): Promise<OpenTarget> {
  const node = await startRealNode((folder) => writeImages(join(folder, 'e2e.tar')));
  const { url, certificateAuthority, token, kubeconfigPath } = node.controlPlane;
  return {
    target: {
      ...{ url, certificateAuthority, token, kubeconfigPath },
      machineAddress: node.machineAddress,
      registry: LOCAL_REGISTRY,
      runsHere: true,
    },
    close: () => node.stop(),
  };
}
