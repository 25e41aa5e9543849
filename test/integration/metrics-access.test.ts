/** Who may read protected metrics: decided by the real API server, from real tokens and real RBAC. */
import { mkdtempSync, rmSync } from 'node:fs';
import { copyFile, writeFile } from 'node:fs/promises';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { kubeconfigAccess } from '../../src/engine/kubernetes/cluster-access.ts';
import { KubeClient } from '../../src/engine/kubernetes/kube-client.ts';
import { TokenAccess } from '../../src/engine/kubernetes/token-access.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { startMetricsServer } from '../../src/telemetry/metrics-server.ts';
import { seriesOf, seriesValue } from '../tools/exposition.ts';
import { type OperatorSite, type OperatorWorld, openOperatorSite } from './operator-world.ts';
import { aGateToTheCluster } from './outage-gates.ts';

let site: OperatorSite;
beforeAll(async () => {
  site = await openOperatorSite(inject('controlPlane'));
});
afterAll(() => site?.close());

const ownFolder = mkdtempSync(join(tmpdir(), 'batchtest-certificate-'));
afterAll(() => rmSync(ownFolder, { recursive: true, force: true }));

const RBAC = '/apis/rbac.authorization.k8s.io/v1';

/** Gives a service account of the world a right in the whole cluster; it goes with the test. Gives how to take it away before. */
async function grantClusterwide(
  { cluster, namespace }: OperatorWorld,
  account: string,
  rule: Readonly<Record<string, readonly string[]>>,
): Promise<() => Promise<void>> {
  const name = `${namespace}-${account}-${Object.values(rule)
    .flat()
    .join('-')
    .replace(/[^a-z-]/g, '')}`;
  await cluster.request('POST', `${RBAC}/clusterroles`, { metadata: { name }, rules: [rule] });
  await cluster.request('POST', `${RBAC}/clusterrolebindings`, {
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
    subjects: [{ kind: 'ServiceAccount', name: account, namespace }],
  });
  const unbind = async () => {
    await cluster.request('DELETE', `${RBAC}/clusterrolebindings/${name}`).catch(() => undefined);
  };
  onTestFinished(async () => {
    await unbind();
    await cluster.request('DELETE', `${RBAC}/clusterroles/${name}`);
  });
  return unbind;
}

const MAY_READ = { nonResourceURLs: ['/metrics'], verbs: ['get'] } as const;

/** The operator's rights to ask who somebody is and what they may. */
async function grantReviews(world: OperatorWorld): Promise<void> {
  await grantClusterwide(world, 'operator', {
    apiGroups: ['authentication.k8s.io'],
    resources: ['tokenreviews'],
    verbs: ['create'],
  });
  await grantClusterwide(world, 'operator', {
    apiGroups: ['authorization.k8s.io'],
    resources: ['subjectaccessreviews'],
    verbs: ['create'],
  });
}

/** The certificate that the API server made for itself, which is good for 127.0.0.1. */
function certificateFiles(): { readonly cert: string; readonly key: string } {
  const folder = join(dirname(inject('controlPlane').kubeconfigPath), 'certificates');
  return { cert: join(folder, 'apiserver.crt'), key: join(folder, 'apiserver.key') };
}

interface Answer {
  readonly status: number | undefined;
  readonly text: string;
}

function get(port: unknown, authorization?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      {
        host: '127.0.0.1',
        port: Number(port),
        path: '/metrics',
        ca: inject('controlPlane').certificateAuthority,
        headers: authorization === undefined ? {} : { authorization },
        agent: false,
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part) => {
          text += part;
        });
        response.on('end', () => resolve({ status: response.statusCode, text }));
      },
    );
    request.on('error', reject).end();
  });
}

describe('protected metrics', () => {
  it('are told only to a token that may get /metrics, and to nobody while that cannot be asked', async () => {
    const world = await site.aWorld('metrics-secure');
    await grantReviews(world);
    await grantClusterwide(world, 'prometheus', MAY_READ);
    const [reader, stranger, late] = await Promise.all([
      world.cluster.tokenOfServiceAccount(world.namespace, 'prometheus'),
      world.cluster.tokenOfServiceAccount(world.namespace, 'stranger'),
      world.cluster.tokenOfServiceAccount(world.namespace, 'prometheus'),
    ]);
    const cluster = await aGateToTheCluster(world);
    await cluster.gate.open();
    const { cert, key } = certificateFiles();
    const operator = await world.startOperator({
      kubeconfigPath: cluster.kubeconfigPath,
      options: [
        '--metrics-port',
        '0',
        '--metrics-secure',
        '--metrics-tls-cert',
        cert,
        '--metrics-tls-key',
        key,
      ],
    });
    await operator.untilReady();
    const { metricsPort } = await operator.untilLogged(
      'it has started',
      ({ msg }) => msg === 'operator started',
    );

    // The rights that were just granted reach the API server's authorizer after a moment, and a refusal is remembered for ten seconds.
    await expect
      .poll(async () => (await get(metricsPort, `Bearer ${reader}`)).status, {
        timeout: 60_000,
        interval: 1_000,
      })
      .toBe(200);
    const { text } = await get(metricsPort, `Bearer ${reader}`);
    const expiry = seriesValue(seriesOf(text), 'batchtest_metrics_certificate_expiry_timestamp_seconds');
    expect(expiry).toBeGreaterThan(Date.now() / 1_000);
    expect(await get(metricsPort)).toEqual({
      status: 401,
      text: 'a valid bearer token of the cluster is needed\n',
    });
    expect((await get(metricsPort, 'Bearer not-a-token')).status).toBe(401);
    expect((await get(metricsPort, `Bearer ${reader}x`)).status).toBe(401);
    expect((await get(metricsPort, `Basic ${reader}`)).status).toBe(401);
    expect(await get(metricsPort, `Bearer ${stranger}`)).toEqual({
      status: 403,
      text: 'this token may not get /metrics\n',
    });
    expect((await operator.health('/metrics')).status).toBe(404);
    await expect(fetch(`http://127.0.0.1:${metricsPort}/metrics`)).rejects.toThrow();

    await cluster.gate.shut();
    expect((await get(metricsPort, `Bearer ${late}`)).status).toBe(503);
    const log = (await operator.log()).map((line) => JSON.stringify(line)).join('\n');
    for (const token of [reader, stranger, late]) expect(log).not.toContain(token);
  });

  it('are told to nobody by an operator that may not ask', async () => {
    const world = await site.aWorld('metrics-unasked');
    await grantClusterwide(world, 'prometheus', MAY_READ);
    const token = await world.cluster.tokenOfServiceAccount(world.namespace, 'prometheus');
    const { cert, key } = certificateFiles();
    const operator = await world.startOperator({
      options: [
        '--metrics-port',
        '0',
        '--metrics-secure',
        '--metrics-tls-cert',
        cert,
        '--metrics-tls-key',
        key,
      ],
    });
    await operator.untilReady();
    const { metricsPort } = await operator.untilLogged(
      'it has started',
      ({ msg }) => msg === 'operator started',
    );
    expect((await get(metricsPort, `Bearer ${token}`)).status).toBe(503);
    await operator.untilLogged(
      'it says why',
      ({ msg }) => msg === 'who asks for the metrics could not be found out',
    );
  });

  it('need a certificate that can be used', async () => {
    const world = await site.aWorld('metrics-certificate');
    const file = join(world.directory, 'certificate.pem');
    await writeFile(file, 'nothing of the kind');
    const start = world.startOperator({
      options: [
        '--metrics-port',
        '0',
        '--metrics-secure',
        '--metrics-tls-cert',
        file,
        '--metrics-tls-key',
        file,
      ],
    });
    await expect(start).rejects.toThrow(`${file} is no certificate in PEM form`);
  });
});

it('go on with a renewed certificate, and with the earlier one while the new files are of no use', async () => {
  const folder = join(dirname(inject('controlPlane').kubeconfigPath), 'certificates');
  const [certFile, keyFile] = [join(ownFolder, 'tls.crt'), join(ownFolder, 'tls.key')];
  const use = async (owner: string) => {
    await copyFile(join(folder, `${owner}.key`), keyFile);
    await copyFile(join(folder, `${owner}.crt`), certFile);
  };
  await use('apiserver');
  const problems: unknown[] = [];
  const metrics = createMetrics();
  const server = await startMetricsServer(
    {
      host: '127.0.0.1',
      port: 0,
      secure: {
        ...{ certFile, keyFile, lookEveryMs: 50 },
        decide: async () => 'Allowed',
        onProblem: (error) => problems.push(error),
      },
    },
    metrics,
  );
  onTestFinished(() => server.close());
  const first = await certificateAt(server.port);
  await use('kube-controller-manager');
  await expect.poll(() => certificateAt(server.port), { timeout: 30_000 }).not.toBe(first);
  const second = await certificateAt(server.port);
  problems.length = 0;
  await writeFile(certFile, 'half of a fi');
  await expect.poll(() => problems.length, { timeout: 30_000 }).toBeGreaterThan(0);
  expect(await certificateAt(server.port)).toBe(second);
});

/** Fingerprint of the certificate that is served. */
function certificateAt(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

describe('the answer to a token', () => {
  it('is used again for a minute when it is yes, for ten seconds when it is no', async () => {
    const world = await site.aWorld('token-access');
    await grantReviews(world);
    const cluster = await aGateToTheCluster(world);
    await cluster.gate.open();
    const client = new KubeClient({
      access: await kubeconfigAccess([cluster.kubeconfigPath]),
      version: '0.0.0-test',
      // Who does not lead may ask all the same.
      mayWrite: () => false,
    });
    onTestFinished(() => client.close());
    let now = 0;
    const problems: unknown[] = [];
    const access = new TokenAccess({
      client,
      path: '/metrics',
      onProblem: (error) => problems.push(error),
      monotonicNow: () => now,
    });
    const header = `Bearer ${await world.cluster.tokenOfServiceAccount(world.namespace, 'prometheus')}`;
    /** Each look is later than a refusal is remembered for. */
    const until = (verdict: string) =>
      expect
        .poll(
          () => {
            now += 61_000;
            return access.decide(header);
          },
          { timeout: 30_000 },
        )
        .toBe(verdict);

    await until('Forbidden');
    const refusedAt = now;
    const takeAway = await grantClusterwide(world, 'prometheus', MAY_READ);
    now = refusedAt + 9_999;
    expect(await access.decide(header)).toBe('Forbidden');
    await until('Allowed');
    const allowedAt = now;
    await takeAway();
    await cluster.gate.shut();
    now = allowedAt + 59_999;
    expect(await access.decide(header)).toBe('Allowed');
    now = allowedAt + 60_000;
    expect(await access.decide(header)).toBe('Unavailable');
    expect(problems).toHaveLength(1);
    await cluster.gate.open();
    // What could not be found out is not remembered.
    await until('Forbidden');
  });

  it('is asked for once, however many ask at the same time, and not for everybody who floods', async () => {
    const asked: string[] = [];
    let answer = (): void => {};
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const access = new TokenAccess({
      client: {
        async request<Answer>(_method: string, path: string): Promise<Answer> {
          asked.push(path);
          await answered;
          return JSON.parse('{"status":{"authenticated":false}}');
        },
      },
      path: '/metrics',
      onProblem: () => {},
      monotonicNow: () => 0,
    });
    const same = [access.decide('Bearer a'), access.decide('bearer a')];
    const others = Array.from({ length: 20 }, (_, index) => access.decide(`Bearer other-${index}`));
    answer();
    expect(await Promise.all(same)).toEqual(['Unauthenticated', 'Unauthenticated']);
    const verdicts = await Promise.all(others);
    expect(verdicts.filter((verdict) => verdict === 'Unauthenticated')).toHaveLength(7);
    expect(verdicts.filter((verdict) => verdict === 'Unavailable')).toHaveLength(13);
    expect(asked).toHaveLength(8);
  });
});
