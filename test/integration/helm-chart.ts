import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import type { ClusterClient } from '../tools/cluster-client.ts';
import { resolveGoTool } from '../tools/go-tools.ts';
import { REPOSITORY } from '../tools/markdown-page.ts';

/** The folder of the chart. */
export const CHART = join(REPOSITORY, 'charts', 'batchtest');

export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

/** Helm, which sees nothing of this user's own configuration. */
export interface Helm {
  /** Standard output of a command. */
  run(...args: readonly string[]): Promise<string>;
  /** The chart's objects for a release called batchtest. */
  rendered(namespace: string, ...values: readonly string[]): Promise<readonly KubernetesObject[]>;
  /** Those for one of this name. */
  renderedAs(
    release: string,
    namespace: string,
    ...values: readonly string[]
  ): Promise<readonly KubernetesObject[]>;
  close(): Promise<void>;
}

/** Builds Helm first, when it is not there yet. */
export async function openHelm(): Promise<Helm> {
  const program = await resolveGoTool('helm');
  const home = await mkdtemp(join(tmpdir(), 'batchtest-helm-'));
  const run = async (...args: readonly string[]): Promise<string> => {
    const { stdout } = await promisify(execFile)(program, [...args], {
      maxBuffer: 64 * 1024 * 1024,
      env: {
        PATH: process.env.PATH,
        HOME: home,
        HELM_CACHE_HOME: join(home, 'cache'),
        HELM_CONFIG_HOME: join(home, 'config'),
        HELM_DATA_HOME: join(home, 'data'),
      },
    });
    return stdout;
  };
  const renderedAs: Helm['renderedAs'] = async (name, namespace, ...values) => {
    const release = ['template', name, CHART, '-n', namespace, '--kube-version', '1.34.0'];
    return parseAllDocuments(await run(...release, ...values)).flatMap((document) => document.toJS() ?? []);
  };
  return {
    run,
    rendered: (namespace, ...values) => renderedAs('batchtest', namespace, ...values),
    renderedAs,
    close: () => rm(home, { recursive: true, force: true }),
  };
}

/** The collection that an object belongs to, as the API server's discovery says. */
export async function collectionOf(
  cluster: ClusterClient,
  { apiVersion, kind, metadata }: KubernetesObject,
): Promise<string> {
  const group = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const { resources } = await cluster.request<{
    resources: readonly { readonly name: string; readonly kind: string; readonly namespaced: boolean }[];
  }>('GET', group);
  const resource = resources.find((candidate) => candidate.kind === kind && !candidate.name.includes('/'));
  if (resource === undefined) throw new Error(`the API server knows no ${kind} of ${apiVersion}`);
  return `${group}${resource.namespaced ? `/namespaces/${metadata.namespace}` : ''}/${resource.name}`;
}
