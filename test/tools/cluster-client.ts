import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request as httpRequest } from 'undici';
import { type ClusterCredentials, kubeconfigText } from './kubeconfig.ts';

/** The API server refused a request. `reason` and the message are those of its Status object. */
export class ApiRequestError extends Error {
  readonly statusCode: number;
  readonly reason: string;

  constructor(method: string, path: string, statusCode: number, body: unknown) {
    super(`${method} ${path}: ${statusCode} ${textField(body, 'message') ?? JSON.stringify(body)}`);
    this.name = 'ApiRequestError';
    this.statusCode = statusCode;
    this.reason = textField(body, 'reason') ?? '';
  }
}

function textField(body: unknown, field: string): string | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  const value: unknown = Reflect.get(body, field);
  return typeof value === 'string' ? value : undefined;
}

export type HttpMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** A plain client for tests to arrange and inspect a cluster: nothing of the product is between a test and the server. */
export interface ClusterClient {
  /**
   * Sends one request and returns the answer's JSON (text, when it is not JSON). The caller names the answer's type;
   * it is not checked. A PATCH is a JSON merge patch unless `contentType` says otherwise. Throws `ApiRequestError`
   * when the server answers 400 or above.
   */
  request<Answer = unknown>(
    method: HttpMethod,
    path: string,
    body?: unknown,
    contentType?: string,
  ): Promise<Answer>;
  /** Creates a namespace called `prefix-` plus random letters, waits until pods can be created in it, returns its name. */
  createNamespace(prefix: string, labels?: Readonly<Record<string, string>>): Promise<string>;
  /** A token of a service account, valid for an hour. Creates the service account when it is missing. */
  tokenOfServiceAccount(namespace: string, name: string): Promise<string>;
  /**
   * A kubeconfig of a service account, valid for an hour, with no right that was not granted to it by a binding.
   * Creates the service account when it is missing.
   */
  kubeconfigForServiceAccount(namespace: string, name: string): Promise<string>;
  /** Closes the pooled connections. */
  close(): Promise<void>;
}

const NAMESPACE_READY_DEADLINE_MS = 20_000;
const REQUEST_TIMEOUT_MS = 30_000;

/** A client over pooled connections. The pool ends with `close`. */
export function createClusterClient(credentials: ClusterCredentials): ClusterClient {
  const agent = new Agent({
    connect: { ca: credentials.certificateAuthority },
    headersTimeout: REQUEST_TIMEOUT_MS,
    bodyTimeout: REQUEST_TIMEOUT_MS,
  });

  async function request<Answer>(
    method: HttpMethod,
    path: string,
    body?: unknown,
    contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
  ): Promise<Answer> {
    const response = await httpRequest(`${credentials.url}${path}`, {
      method,
      dispatcher: agent,
      headers: { authorization: `Bearer ${credentials.token}`, 'content-type': contentType },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await response.body.text();
    const isJson = String(response.headers['content-type']).startsWith('application/json');
    const answer = isJson ? JSON.parse(text) : text;
    if (response.statusCode >= 400) throw new ApiRequestError(method, path, response.statusCode, answer);
    return answer;
  }

  async function createNamespace(
    prefix: string,
    labels: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const namespace = await request<{ metadata: { name: string } }>('POST', '/api/v1/namespaces', {
      metadata: { generateName: `${prefix}-`, labels },
    });
    const { name } = namespace.metadata;
    await waitForServiceAccount(name, 'default');
    return name;
  }

  // Pods are refused in a namespace until the controller manager has given it its default service account.
  async function waitForServiceAccount(namespace: string, name: string): Promise<void> {
    const deadline = performance.now() + NAMESPACE_READY_DEADLINE_MS;
    while (!(await exists(`/api/v1/namespaces/${namespace}/serviceaccounts/${name}`))) {
      if (performance.now() > deadline) {
        throw new Error(
          `namespace ${namespace} has no service account "${name}" after ${NAMESPACE_READY_DEADLINE_MS / 1000} s: is the controller manager running?`,
        );
      }
      await sleep(20);
    }
  }

  async function exists(path: string): Promise<boolean> {
    try {
      await request('GET', path);
      return true;
    } catch (error) {
      if (error instanceof ApiRequestError && error.statusCode === 404) return false;
      throw error;
    }
  }

  async function tokenOfServiceAccount(namespace: string, name: string): Promise<string> {
    const collection = `/api/v1/namespaces/${namespace}/serviceaccounts`;
    await request('POST', collection, { metadata: { name } }).catch((error: unknown) => {
      const isThere = error instanceof ApiRequestError && error.reason === 'AlreadyExists';
      if (!isThere) throw error;
    });
    const issued = await request<{ status: { token: string } }>('POST', `${collection}/${name}/token`, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { expirationSeconds: 3600 },
    });
    return issued.status.token;
  }

  async function kubeconfigForServiceAccount(namespace: string, name: string): Promise<string> {
    return kubeconfigText({ ...credentials, token: await tokenOfServiceAccount(namespace, name) }, name);
  }

  return {
    request,
    createNamespace,
    tokenOfServiceAccount,
    kubeconfigForServiceAccount,
    close: () => agent.close(),
  };
}
