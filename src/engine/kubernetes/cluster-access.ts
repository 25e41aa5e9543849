/**
 * Where an API server is and how to prove who one is: from a service account inside a pod, or from a kubeconfig. Everything that a
 * kubeconfig can hold (client certificates, tokens, exec plugins, OIDC) is left to @kubernetes/client-node, which costs 0.4 s and
 * 70 MB to import, and 0.1 s and 20 MB in the bundle, so that it is imported only when there is a kubeconfig.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';

/** What a TLS connection to the server needs, as for tls.connect. */
export interface TlsMaterial {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

export interface ClusterCredentials {
  /** Headers that go with every request. */
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsMaterial;
}

export interface ClusterAccess {
  /** For example https://10.0.0.1:443, without a slash at the end. */
  readonly server: string;
  /** The namespace that is meant when none is named; undefined when nothing says so. */
  readonly namespace: string | undefined;
  /** The credentials of now. Reads them anew each time: tokens and certificates are rotated while we run. */
  credentials(): Promise<ClusterCredentials>;
}

/** Where to look for access to a cluster. */
export interface AccessOptions {
  /** A kubeconfig file; looked up as described at {@link findClusterAccess} when undefined. */
  readonly kubeconfig?: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

const SERVICE_ACCOUNT_DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * Access to the cluster that is meant, by the order of kubectl: the kubeconfig that is named, that of the variable KUBECONFIG (a list of files is merged),
 * `~/.kube/config` where there is one, the service account of the pod that this process runs in.
 * @throws when none is there, or what is there cannot be used
 */
export async function findClusterAccess(options: AccessOptions): Promise<ClusterAccess> {
  const { kubeconfig, environment } = options;
  if (kubeconfig !== undefined) return kubeconfigAccess([kubeconfig]);
  const named = (environment.KUBECONFIG ?? '').split(delimiter).filter((file) => file !== '');
  // A list may name files that are only there at times.
  const present = named.filter((file) => existsSync(file));
  if (named.length > 0) return kubeconfigAccess(present.length > 0 ? present : named);
  const ownFile = join(environment.HOME ?? homedir(), '.kube', 'config');
  const isInPod = environment.KUBERNETES_SERVICE_HOST && environment.KUBERNETES_SERVICE_PORT;
  if (isInPod && !existsSync(ownFile)) return inClusterAccess(environment);
  return kubeconfigAccess([ownFile]);
}

/**
 * Access by the service account of the pod that this process runs in.
 * @param directory where the service account is mounted
 */
export async function inClusterAccess(
  environment: AccessOptions['environment'],
  directory = SERVICE_ACCOUNT_DIRECTORY,
): Promise<ClusterAccess> {
  const host = environment.KUBERNETES_SERVICE_HOST ?? '';
  const port = environment.KUBERNETES_SERVICE_PORT ?? '';
  const read = (name: string): Promise<string> => readFile(join(directory, name), 'utf8');
  const namespace = await read('namespace').catch(() => '');
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    namespace: namespace.trim() || undefined,
    async credentials() {
      const [token, ca] = await Promise.all([read('token'), read('ca.crt')]);
      return { headers: { authorization: `Bearer ${token.trim()}` }, tls: { ca } };
    },
  };
}

/**
 * Access by the current context of one or more kubeconfig files, merged as kubectl does.
 * @throws when a file cannot be read, or none has the context
 */
export async function kubeconfigAccess(files: readonly string[]): Promise<ClusterAccess> {
  const { mergedKubeconfigs } = await import('./kubeconfig.ts');
  return accessOf(await mergedKubeconfigs(files), files.join(delimiter));
}

function accessOf(config: KubeConfig, source: string): ClusterAccess {
  const context = config.getContextObject(config.getCurrentContext());
  const cluster = config.getCurrentCluster();
  if (context === null || cluster === null)
    throw new Error(
      `kubeconfig ${source} has no context ${JSON.stringify(config.getCurrentContext() ?? '')} with a cluster; it has ${
        config
          .getContexts()
          .map(({ name }) => name)
          .join(', ') || 'none'
      }`,
    );
  if (cluster.proxyUrl !== undefined)
    throw new Error(`kubeconfig ${source}: proxy-url of cluster ${cluster.name} is not supported`);
  if (!cluster.server.startsWith('https://'))
    throw new Error(`kubeconfig ${source}: server of cluster ${cluster.name} must be an https:// address`);
  return {
    server: cluster.server.replace(/\/+$/, ''),
    namespace: context.namespace,
    async credentials() {
      const options: RequestOptions = {};
      try {
        await config.applyToHTTPSOptions(options);
      } catch (cause) {
        // What a credential plugin printed: the only hint at what to do, such as to log in anew.
        const said = messageOf(cause).trim().slice(0, 1_024);
        throw new Error(`kubeconfig ${source}: no credentials for context ${context.name}: ${said}`);
      }
      return credentialsOf(options);
    },
  };
}

function credentialsOf(options: RequestOptions): ClusterCredentials {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {}))
    if (typeof value === 'string') headers[name.toLowerCase()] = value.trim();
  if (options.auth) headers.authorization = `Basic ${Buffer.from(options.auth).toString('base64')}`;
  return {
    headers,
    tls: {
      ...pem('ca', options.ca),
      ...pem('cert', options.cert),
      ...pem('key', options.key),
      ...(options.servername === undefined ? {} : { servername: options.servername }),
      ...(options.rejectUnauthorized === undefined ? {} : { rejectUnauthorized: options.rejectUnauthorized }),
    },
  };
}

const pem = (name: 'ca' | 'cert' | 'key', value: unknown): TlsMaterial =>
  typeof value === 'string' || Buffer.isBuffer(value) ? { [name]: value.toString() } : {};

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
