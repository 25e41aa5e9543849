import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, inject, it, onTestFinished } from 'vitest';
import { KubeClient } from '../../src/engine/kubernetes/kube-client.ts';
import { type Leadership, LeaseElection } from '../../src/engine/kubernetes/lease-election.ts';
import { type FaultyProxy, FORWARD, openFaultyProxy } from './faulty-proxy.ts';
import { type KubernetesWorld, openWorld } from './kubernetes-world.ts';

const DEADLINE_MS = 20_000;
const TIMES = { leaseDurationSeconds: 2, renewDeadlineMs: 1_200, retryPeriodMs: 150 };

let world: KubernetesWorld;
beforeAll(async () => {
  world = await openWorld(inject('controlPlane'), 'election');
});
afterAll(() => world?.close());

let leases = 0;
/** An election of which it is written down who led when. */
function anElection(times = TIMES) {
  leases += 1;
  const name = `lease-${leases}`;
  const leaders = new Set<string>();
  const history: string[] = [];
  const problems: unknown[] = [];
  let mostAtOnce = 0;
  const terms = new Map<string, Leadership>();

  /** Takes part; `stop` resolves when it has left. */
  const candidate = (identity: string, over?: FaultyProxy | KubeClient) => {
    const controller = new AbortController();
    const election = new LeaseElection({
      client: over instanceof KubeClient ? over : world.client(over?.access),
      namespace: world.namespace,
      name,
      identity,
      ...times,
      onProblem: (error) => problems.push(error),
    });
    const left = election.run(async (leadership) => {
      leaders.add(identity);
      terms.set(identity, leadership);
      history.push(identity);
      mostAtOnce = Math.max(mostAtOnce, leaders.size);
      await new Promise((resolve) => leadership.signal.addEventListener('abort', resolve));
      leaders.delete(identity);
    }, controller.signal);
    const stop = async () => {
      controller.abort();
      await left;
    };
    onTestFinished(stop);
    return { stop };
  };
  return {
    candidate,
    history,
    problems,
    terms,
    leaders: () => [...leaders],
    mostAtOnce: () => mostAtOnce,
    lease: () =>
      world.cluster.request<{ spec: Record<string, unknown> }>(
        'GET',
        `/apis/coordination.k8s.io/v1/namespaces/${world.namespace}/leases/${name}`,
      ),
  };
}

const eventually = (look: () => unknown, expected: unknown) =>
  expect.poll(look, { timeout: DEADLINE_MS, interval: 20 }).toEqual(expected);

async function aProxy(): Promise<FaultyProxy> {
  const proxy = await openFaultyProxy(inject('controlPlane'));
  onTestFinished(() => proxy.close());
  return proxy;
}

it('elects one of two, and keeps it', async () => {
  const { candidate, leaders, history, lease } = anElection();
  candidate('a');
  candidate('b');
  await eventually(() => leaders().length, 1);
  await sleep(TIMES.leaseDurationSeconds * 1_000 + 500);
  expect(history).toHaveLength(1);
  expect((await lease()).spec).toMatchObject({ holderIdentity: history[0], leaseDurationSeconds: 2 });
});

it('hands over at once when the leader leaves', async () => {
  const { candidate, leaders, mostAtOnce, lease } = anElection();
  const first = candidate('a');
  await eventually(leaders, ['a']);
  candidate('b');
  await sleep(300);
  const leftAt = performance.now();
  await first.stop();
  await eventually(leaders, ['b']);
  expect(performance.now() - leftAt).toBeLessThan(TIMES.leaseDurationSeconds * 1_000);
  expect(mostAtOnce()).toBe(1);
  expect((await lease()).spec).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });
});

it('makes a leader that cannot renew give up before another one begins', async () => {
  const { candidate, leaders, history, mostAtOnce, terms, problems } = anElection();
  const proxy = await aProxy();
  candidate('a', proxy);
  await eventually(leaders, ['a']);
  candidate('b');
  proxy.onRequest(() => ({ kind: 'Answer', status: 503 }));
  await eventually(leaders, ['b']);
  expect(mostAtOnce()).toBe(1);
  expect(terms.get('a')?.isHeld()).toBe(false);
  expect(problems).not.toEqual([]);
  proxy.onRequest(() => FORWARD);
  await sleep(1_000);
  expect(history).toEqual(['a', 'b']);
});

it('does the same when the server no longer answers at all', async () => {
  const { candidate, leaders, mostAtOnce, problems } = anElection();
  const proxy = await aProxy();
  candidate('a', proxy);
  await eventually(leaders, ['a']);
  candidate('b');
  proxy.onRequest(() => ({ kind: 'Hang' }));
  await eventually(leaders, ['b']);
  expect(mostAtOnce()).toBe(1);
  expect(problems.map(String)).toContainEqual(
    expect.stringContaining(
      `the Lease was not renewed for ${TIMES.renewDeadlineMs} ms: not leading any more`,
    ),
  );
});

it('lets a leader go on of which one renewal is never answered, and says so', async () => {
  const { candidate, leaders, history, problems } = anElection({
    leaseDurationSeconds: 6,
    renewDeadlineMs: 5_000,
    retryPeriodMs: 500,
  });
  const proxy = await aProxy();
  candidate('a', proxy);
  await eventually(leaders, ['a']);
  let hung = 0;
  proxy.onRequest(({ method }) => {
    if (method !== 'PUT' || hung > 0) return FORWARD;
    hung += 1;
    return { kind: 'Hang' };
  });
  await eventually(() => problems.length, 1);
  await sleep(3_000);
  expect(history).toEqual(['a']);
  expect(leaders()).toEqual(['a']);
  expect(problems.map(String)).toEqual([expect.stringMatching(/PUT .*: no answer within 2500 ms/)]);
});

it('elects a leader while all other requests and reviews wait for their answers', async () => {
  const proxy = await aProxy();
  proxy.onRequest(({ url }) => (url.includes('/leases') ? FORWARD : { kind: 'Hang' }));
  const client = world.client(proxy.access);
  const { candidate, leaders } = anElection();
  const ask = (urgent: boolean) =>
    client.request('GET', '/version', { urgent, maxTries: 1 }).catch(() => undefined);
  for (let count = 0; count < 32; count += 1) void ask(false);
  for (let count = 0; count < 8; count += 1) void ask(true);
  await expect.poll(() => proxy.requests.length, { timeout: DEADLINE_MS }).toBe(40);
  candidate('a', client);
  await eventually(leaders, ['a']);
});

it('lets a leader go on that could not renew for a moment', async () => {
  const { candidate, leaders, history } = anElection();
  const proxy = await aProxy();
  candidate('a', proxy);
  await eventually(leaders, ['a']);
  proxy.onRequest(() => ({ kind: 'Answer', status: 500 }));
  await sleep(500);
  proxy.onRequest(() => FORWARD);
  await sleep(1_500);
  expect(history).toEqual(['a']);
  expect(leaders()).toEqual(['a']);
});

it('notices when somebody else has taken the Lease', async () => {
  const { candidate, leaders, lease } = anElection();
  candidate('a');
  await eventually(leaders, ['a']);
  await world.cluster.request(
    'PATCH',
    `/apis/coordination.k8s.io/v1/namespaces/${world.namespace}/leases/lease-${leases}`,
    { spec: { holderIdentity: 'somebody' } },
  );
  await eventually(leaders, []);
  // Who never renews loses it again.
  await eventually(leaders, ['a']);
  expect((await lease()).spec).toMatchObject({ holderIdentity: 'a' });
});

it('does not go by the times that are written in the Lease', async () => {
  const { candidate, leaders } = anElection();
  await world.cluster.request('POST', `/apis/coordination.k8s.io/v1/namespaces/${world.namespace}/leases`, {
    metadata: { name: `lease-${leases}` },
    spec: {
      holderIdentity: 'a holder whose clock is years behind',
      leaseDurationSeconds: 2,
      renewTime: '2020-01-01T00:00:00.000000Z',
    },
  });
  const startedAt = performance.now();
  candidate('a');
  await eventually(leaders, ['a']);
  expect(performance.now() - startedAt).toBeGreaterThan(1_900);
});

it('refuses times that leave a leader no time to give up', () => {
  const election = (times: Partial<typeof TIMES>) => () =>
    new LeaseElection({
      client: world.client(),
      namespace: world.namespace,
      name: 'x',
      identity: 'x',
      ...TIMES,
      ...times,
    });
  expect(election({ renewDeadlineMs: 2_000 })).toThrow(RangeError);
  expect(election({ retryPeriodMs: 1_100 })).toThrow(RangeError);
  expect(election({ leaseDurationSeconds: 1.5 })).toThrow(RangeError);
});
