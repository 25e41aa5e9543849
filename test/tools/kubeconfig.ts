import { stringify } from 'yaml';

/** Where an API server is and how to prove who one is. */
export interface ClusterCredentials {
  /** For example https://127.0.0.1:26443. */
  readonly url: string;
  /** PEM certificates to verify the server with. */
  readonly certificateAuthority: string;
  /** Bearer token. */
  readonly token: string;
}

/** A kubeconfig file's text with one context, which is the current one. */
export function kubeconfigText(credentials: ClusterCredentials, user: string): string {
  const cluster = 'batchtest-test';
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: cluster,
        cluster: {
          server: credentials.url,
          'certificate-authority-data': Buffer.from(credentials.certificateAuthority).toString('base64'),
        },
      },
    ],
    users: [{ name: user, user: { token: credentials.token } }],
    contexts: [{ name: cluster, context: { cluster, user, namespace: 'default' } }],
    'current-context': cluster,
  });
}
