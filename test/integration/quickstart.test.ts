/**
 * The cluster parts of docs/quickstart.md, as they are written there, with the real kubectl and Helm on a real API server. What is left out needs an
 * image engine or a node, which .github/workflows/kind.yml has: images are built and loaded, a port is forwarded, and programs run in their containers.
 * Here KWOK plays the pods, and the operator runs beside them.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { parseDocument } from 'yaml';
import { type ControlPlane, startControlPlane } from '../tools/control-plane.ts';
import { type Clone, makeClone, without } from '../tools/documented-commands.ts';
import { resolveGoTool } from '../tools/go-tools.ts';
import { resolveKubectl } from '../tools/kubectl-binary.ts';
import { blocksUnder, markdownPage, REPOSITORY } from '../tools/markdown-page.ts';
import { type PostgresServer, startPostgresServer } from './postgres-server.ts';
import { startOperator } from './running-operator.ts';

const page = markdownPage('docs/quickstart.md');
const NEEDS_IMAGES = ['docker', 'kind'];
const EXAMPLE = 'examples/compression/batchtest.yaml';

/** What is to be typed under a heading, a block each. */
const commandsUnder = (heading: string): readonly string[] =>
  blocksUnder(page, heading).map(({ text }) => without(text, NEEDS_IMAGES));

let tools: { readonly helm: string; readonly kubectl: string };
let postgres: PostgresServer;
beforeAll(async () => {
  tools = { helm: await resolveGoTool('helm'), kubectl: await resolveKubectl() };
  postgres = await startPostgresServer();
}, 900_000);
afterAll(() => postgres?.stop());

interface Site {
  readonly cluster: ControlPlane;
  readonly clone: Clone;
  /** Does what is written, with a kubeconfig for the cluster and nothing of this user's own configuration of Helm. */
  run(commands: string, environment?: Readonly<Record<string, string>>): Promise<string>;
}

/** A cluster as after `kind create cluster`, and a clone to work in. They go with the test. */
async function open(): Promise<Site> {
  const [cluster, clone] = await Promise.all([startControlPlane(), makeClone(tools)]);
  onTestFinished(async () => {
    await cluster.stop();
    await clone.remove();
  });
  const environment = {
    KUBECONFIG: cluster.kubeconfigPath,
    HELM_CACHE_HOME: join(clone.folder, '.helm', 'cache'),
    HELM_CONFIG_HOME: join(clone.folder, '.helm', 'config'),
    HELM_DATA_HOME: join(clone.folder, '.helm', 'data'),
  };
  return { cluster, clone, run: (commands, further) => clone.run(commands, { ...environment, ...further }) };
}

describe('the quickstart', () => {
  it('builds and loads the images that the chart and the example ask for', async () => {
    const clone = await makeClone(tools);
    onTestFinished(() => clone.remove());
    const typed = blocksUnder(page, 'A cluster and two images')
      .map(({ text }) => text)
      .join('');
    const [install = ''] = commandsUnder('The operator');
    const rendered = await clone.run(install.replace('helm install', 'helm template --kube-version 1.34.0'));
    const inCluster = (await readFile(join(REPOSITORY, EXAMPLE), 'utf8')) + rendered;
    const images = new Set([...inCluster.matchAll(/^ *image: "?([^\s"]+)"?$/gm)].map(([, image]) => image));
    // The database's is pulled.
    images.delete('docker.io/library/postgres:18.1');
    expect(images.size).toBe(2);
    for (const image of images) {
      expect(typed).toMatch(new RegExp(`^docker build -t ${image} `, 'm'));
      expect(typed).toMatch(new RegExp(`^kind load docker-image .*${image}`, 'm'));
    }
  });

  it('installs, runs the example, reads its report and removes everything', {
    timeout: 600_000,
  }, async () => {
    const { cluster, clone, run } = await open();
    const [install = ''] = commandsUnder('The operator');
    expect(await run(install)).toContain('STATUS: deployed');

    const { host, port, user, database } = await postgres.createDatabase();
    const databaseUrl = `postgres:///${database}?${new URLSearchParams({ host, port: String(port), user })}`;
    const operator = await startOperator({
      kubeconfigPath: cluster.kubeconfigPath,
      namespace: 'default',
      databaseUrl,
      logFile: join(clone.folder, 'operator.log'),
    });
    onTestFinished(() => operator.kill());

    await playPods(clone);
    const [apply = ''] = commandsUnder('A run');
    expect(await run(apply)).toMatch(/^compression +Complete +55 +0 +55 +\S+/m);

    const [forward = '', report = ''] = commandsUnder('The report');
    const [, service, remotePort] = /port-forward service\/(\S+) \d+:(\d+)$/m.exec(forward) ?? [];
    expect(await cluster.request('GET', `/api/v1/namespaces/batchtest/services/${service}`)).toMatchObject({
      spec: { ports: [{ port: Number(remotePort) }] },
    });
    const [findUrl = '', ...rest] = report.split('\n');
    const found = await run(`${findUrl}\necho "$DATABASE_URL"`);
    expect(found).toMatch(/^postgres:\/\/batchtest:\w+@127\.0\.0\.1:15432\/batchtest\n$/);
    expect(await run(rest.join('\n'), { DATABASE_URL: databaseUrl })).toContain('55 of 55 trials succeeded');

    const [remove = ''] = commandsUnder('The end');
    const removed = await run(remove);
    expect(removed).toContain('"compression" deleted');
    expect(removed).toContain('release "batchtest" uninstalled');
  });

  it('installs into a cluster with a database of the reader’s own', { timeout: 300_000 }, async () => {
    const { cluster, run } = await open();
    const commands = commandsUnder('In your cluster');
    expect(await run(commands.join(''))).toContain('STATUS: deployed');
    const deployment = '/apis/apps/v1/namespaces/batchtest/deployments/batchtest';
    expect(await cluster.request('GET', deployment)).toMatchObject({
      spec: {
        template: {
          spec: {
            containers: [{ image: 'registry.example/batchtest:0.1.0' }],
            volumes: [{ secret: { secretName: 'batchtest-database' } }],
          },
        },
      },
    });
  });
});

/** Has KWOK end the example's pods at once, with a result. */
async function playPods({ folder }: Clone): Promise<void> {
  const file = join(folder, EXAMPLE);
  const manifest = parseDocument(await readFile(file, 'utf8'));
  const metrics = { ratio: 3, throughput_mb_s: 10 };
  const annotations = { 'kwok.test/run': '10ms', 'kwok.test/message': JSON.stringify({ metrics }) };
  manifest.setIn(['spec', 'template', 'metadata'], { annotations });
  await writeFile(file, manifest.toString());
}
