import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CONTROL_PLANE_FILES } from './component-launch.ts';
import type { ControlPlaneProgram } from './control-plane-binaries.ts';

/** A user whom the API server knows by a static token. */
export type StaticUser =
  | 'admin'
  | 'kubelet'
  | Extract<ControlPlaneProgram, 'kube-controller-manager' | 'kube-scheduler' | 'kwok'>;
export const STATIC_USERS: readonly {
  readonly user: StaticUser;
  readonly userName: string;
  readonly group: string;
}[] = [
  { user: 'admin', userName: 'admin', group: 'system:masters' },
  // Without an account per controller (which would cost start-up time), all controllers share this one.
  { user: 'kube-controller-manager', userName: 'system:kube-controller-manager', group: 'system:masters' },
  { user: 'kube-scheduler', userName: 'system:kube-scheduler', group: 'system:authenticated' },
  { user: 'kubelet', userName: 'system:node:real-node', group: 'system:nodes' },
  { user: 'kwok', userName: 'kwok', group: 'system:masters' },
];

/** Writes the keys and tokens with which the API server starts. Returns the token of each user. */
export async function writeSecrets(directory: string): Promise<Readonly<Record<StaticUser, string>>> {
  const file = (name: keyof typeof CONTROL_PLANE_FILES) => join(directory, CONTROL_PLANE_FILES[name]);
  const newToken = () => randomBytes(24).toString('base64url');
  const tokens = {
    admin: newToken(),
    kubelet: newToken(),
    'kube-controller-manager': newToken(),
    'kube-scheduler': newToken(),
    kwok: newToken(),
  };
  const keys = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const tokenLines = STATIC_USERS.map(
    ({ user, userName, group }) => `${tokens[user]},${userName},${userName},${group}\n`,
  );
  await mkdir(join(directory, 'certificates'));
  await writeFile(file('serviceAccountKey'), keys.privateKey, { mode: 0o600 });
  await writeFile(file('serviceAccountPublicKey'), keys.publicKey);
  await writeFile(file('tokens'), tokenLines.join(''), { mode: 0o600 });
  return tokens;
}
