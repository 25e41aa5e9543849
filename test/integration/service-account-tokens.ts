import { createPrivateKey, sign } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { PodObject } from '../../src/engine/kubernetes/kubernetes-objects.ts';
import { RESULT_TOKEN_AUDIENCE } from '../../src/engine/kubernetes/result-volume.ts';
import { CONTROL_PLANE_FILES } from '../tools/component-launch.ts';
import type { OperatorWorld } from './operator-world.ts';

/** A token as a kubelet gets it for a projected volume of the pod: by the API server, bound to the pod. */
export async function tokenOf(
  { cluster, namespace }: Pick<OperatorWorld, 'cluster' | 'namespace'>,
  pod: Pick<PodObject, 'metadata'> | undefined,
  audience: string = RESULT_TOKEN_AUDIENCE,
): Promise<string> {
  const { status } = await cluster.request<{ readonly status: { readonly token: string } }>(
    'POST',
    `/api/v1/namespaces/${namespace}/serviceaccounts/default/token`,
    {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {
        audiences: [audience],
        expirationSeconds: 3_600,
        ...(pod === undefined
          ? {}
          : {
              boundObjectRef: {
                apiVersion: 'v1',
                kind: 'Pod',
                name: pod.metadata.name,
                uid: pod.metadata.uid,
              },
            }),
      },
    },
  );
  return status.token;
}

/** The same token, issued two hours ago: signed anew with the API server's own key. */
export async function expired(token: string, kubeconfigPath: string): Promise<string> {
  const [header = '', payload = ''] = token.split('.');
  const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString());
  const then = Math.floor(Date.now() / 1_000) - 7_200;
  const old = { ...(claims as object), iat: then, nbf: then, exp: then + 3_600 };
  const signed = `${header}.${Buffer.from(JSON.stringify(old)).toString('base64url')}`;
  const key = createPrivateKey(
    await readFile(join(dirname(kubeconfigPath), CONTROL_PLANE_FILES.serviceAccountKey), 'utf8'),
  );
  return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`;
}

/** Lets the operator's service account ask whose a token is, which no right in a namespace does. */
export async function grantTokenReviews(
  { cluster, namespace }: OperatorWorld,
  account = 'operator',
): Promise<() => Promise<void>> {
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  const name = `${namespace}-${account}-token-reviews`;
  const rules = [{ apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] }];
  await cluster.request('POST', `${rbac}/clusterroles`, { metadata: { name }, rules });
  await cluster.request('POST', `${rbac}/clusterrolebindings`, {
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
    subjects: [{ kind: 'ServiceAccount', name: account, namespace }],
  });
  return async () => {
    await cluster.request('DELETE', `${rbac}/clusterrolebindings/${name}`);
    await cluster.request('DELETE', `${rbac}/clusterroles/${name}`);
  };
}
