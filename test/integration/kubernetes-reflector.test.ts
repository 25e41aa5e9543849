import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, inject, it, onTestFinished } from 'vitest';
import { ApiError } from '../../src/engine/kubernetes/api-error.ts';
import {
  Reflector,
  type ReflectorProblem,
  type ReflectorTimes,
} from '../../src/engine/kubernetes/reflector.ts';
import {
  type Fault,
  type FaultyProxy,
  FORWARD,
  openFaultyProxy,
  type ProxiedRequest,
} from './faulty-proxy.ts';
import { type KubernetesWorld, openWorld } from './kubernetes-world.ts';

interface ConfigMap {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly resourceVersion: string;
  };
  readonly data?: Readonly<Record<string, string>>;
}
interface Kept {
  readonly uid: string;
  readonly resourceVersion: string;
  readonly name: string;
  readonly value: string | undefined;
}

const DEADLINE_MS = 20_000;
let world: KubernetesWorld;
beforeAll(async () => {
  world = await openWorld(inject('controlPlane'), 'reflector');
});
afterAll(() => world?.close());

let sets = 0;
/** A reflector, behind a faulty proxy, of config maps that no other test has. */
async function aReflection(times: Partial<ReflectorTimes> = {}) {
  sets += 1;
  const set = `set-${sets}`;
  const proxy = await openFaultyProxy(inject('controlPlane'));
  const problems: ReflectorProblem[] = [];
  const changes: string[] = [];
  const reflector = new Reflector<ConfigMap, Kept>({
    client: world.client(proxy.access),
    path: collection(),
    labelSelector: `set=${set}`,
    project: ({ metadata: { uid, resourceVersion, name }, data }) => ({
      uid,
      resourceVersion,
      name,
      value: data?.value,
    }),
    onChange: (_key, before, after) =>
      changes.push(`${(after ?? before)?.name} ${before?.value} → ${after?.value}`),
    onProblem: (problem) => problems.push(problem),
    times,
  });
  onTestFinished(async () => {
    await reflector.stop();
    await proxy.close();
  });
  const path = (name: string) => `${collection()}/${set}-${name}`;
  return {
    reflector,
    proxy,
    problems,
    changes,
    create: (name: string, value: string) =>
      world.cluster.request('POST', collection(), {
        metadata: { name: `${set}-${name}`, labels: { set } },
        data: { value },
      }),
    update: (name: string, value: string) => world.cluster.request('PATCH', path(name), { data: { value } }),
    remove: (name: string) => world.cluster.request('DELETE', path(name)),
    /** What the reflector holds. */
    held: () =>
      Object.fromEntries(
        [...reflector.values()].map(({ name, value }) => [name.slice(set.length + 1), value]),
      ),
    text: (line: string) => line.replaceAll(`${set}-`, ''),
  };
}

const collection = (): string => `/api/v1/namespaces/${world.namespace}/configmaps`;
const watchesOf = ({ requests }: FaultyProxy) => requests.filter(({ isWatch }) => isWatch);
const listsOf = ({ requests }: FaultyProxy) =>
  requests.filter(({ isWatch, method }) => !isWatch && method === 'GET');
const eventually = (look: () => unknown, expected: unknown) =>
  expect.poll(look, { timeout: DEADLINE_MS, interval: 20 }).toEqual(expected);

it('follows what is created, changed and deleted, and reports each change with what was before', async () => {
  const { reflector, changes, held, create, update, remove, text } = await aReflection();
  await create('a', '1');
  reflector.start();
  await reflector.whenSynced();
  expect(held()).toEqual({ a: '1' });
  await create('b', '1');
  await update('a', '2');
  await remove('b');
  await eventually(held, { a: '2' });
  await eventually(
    () => changes.map(text).filter((line) => line.startsWith('b')),
    // A deletion brings the object as it was at last.
    ['b undefined → 1', 'b 1 → 1', 'b 1 → undefined'],
  );
  expect(changes.map(text).filter((line) => line.startsWith('a'))).toEqual(['a undefined → 1', 'a 1 → 2']);
});

it('lists in pages of 200', async () => {
  const { reflector, proxy, create } = await aReflection();
  const names = Array.from({ length: 450 }, (_, index) => `n${index}`);
  for (let from = 0; from < names.length; from += 50)
    await Promise.all(names.slice(from, from + 50).map((name) => create(name, name)));
  reflector.start();
  await reflector.whenSynced();
  expect(reflector.size).toBe(450);
  expect(listsOf(proxy)).toHaveLength(3);
});

it('loses nothing while its watches are cut all the time, and reconnects at a bounded rate', async () => {
  const { reflector, proxy, held, create, update, remove } = await aReflection();
  reflector.start();
  await reflector.whenSynced();
  const startedAt = performance.now();
  const cutting = setInterval(() => proxy.cutWatches(Math.random() < 0.5 ? 'End' : 'Reset'), 100);
  const expected: Record<string, string> = {};
  for (let round = 0; round < 40; round += 1) {
    const name = `n${round % 7}`;
    if (expected[name] === undefined) await create(name, String(round));
    else if (round % 3 === 0) await remove(name);
    else await update(name, String(round));
    if (expected[name] !== undefined && round % 3 === 0) delete expected[name];
    else expected[name] = String(round);
    await sleep(100);
  }
  clearInterval(cutting);
  const seconds = (performance.now() - startedAt) / 1_000;
  await eventually(held, expected);
  // The first tries follow each other quickly, then the back-off grows.
  expect(watchesOf(proxy).length).toBeLessThan(8 + seconds);
});

it('does not reconnect in a hot loop when each watch is ended in good order at once', async () => {
  const { reflector, proxy } = await aReflection();
  proxy.onRequest(({ isWatch }) => (isWatch ? { kind: 'Answer', status: 200, body: '' } : FORWARD));
  reflector.start();
  await reflector.whenSynced();
  await sleep(3_000);
  expect(watchesOf(proxy).length).toBeGreaterThan(1);
  expect(watchesOf(proxy).length).toBeLessThan(12);
});

it('lists anew after 410 Gone, whether by status or by event, and reports what was deleted meanwhile', async () => {
  const { reflector, proxy, changes, held, create, remove, text } = await aReflection();
  await create('a', '1');
  await create('b', '1');
  reflector.start();
  await reflector.whenSynced();
  const gone = {
    kind: 'Status',
    status: 'Failure',
    code: 410,
    reason: 'Expired',
    message: 'too old resource version',
  };
  const faults = [
    { kind: 'Answer', status: 410, body: JSON.stringify(gone) } as const,
    { kind: 'Answer', status: 200, body: `${JSON.stringify({ type: 'ERROR', object: gone })}\n` } as const,
  ];
  proxy.onRequest(({ isWatch }) => (isWatch ? (faults.shift() ?? FORWARD) : FORWARD));
  proxy.cutWatches('Reset');
  await remove('b');
  await eventually(() => listsOf(proxy).length, 3);
  await eventually(held, { a: '1' });
  await create('c', '1');
  await eventually(held, { a: '1', c: '1' });
  expect(changes.map(text)).toEqual([
    'a undefined → 1',
    'b undefined → 1',
    'b 1 → undefined',
    'c undefined → 1',
  ]);
});

it('reports an object that was replaced unseen as gone and then as new', async () => {
  const { reflector, proxy, changes, held, create, remove, text } = await aReflection();
  await create('a', '1');
  reflector.start();
  await reflector.whenSynced();
  let isAway = true;
  // Neither the deletion nor the creation can be watched; the list afterwards shows only the new one.
  const listed = listsOf(proxy).length;
  proxy.onRequest(({ isWatch }) => (isAway ? { kind: 'Answer', status: isWatch ? 410 : 500 } : FORWARD));
  proxy.cutWatches('Reset');
  await eventually(() => listsOf(proxy).length > listed, true);
  await remove('a');
  await create('a', '2');
  isAway = false;
  await eventually(held, { a: '2' });
  expect(changes.map(text)).toEqual(['a undefined → 1', 'a 1 → undefined', 'a undefined → 2']);
});

it('notices a half-open watch, and resumes it without a list', async () => {
  const { reflector, proxy, problems, held, create } = await aReflection({ inactivityMs: 1_000 });
  reflector.start();
  await reflector.whenSynced();
  await eventually(() => watchesOf(proxy).length, 1);
  proxy.freezeWatches();
  await create('a', '1');
  await eventually(() => problems.length > 0, true);
  expect(held()).toEqual({});
  proxy.thawWatches();
  await eventually(held, { a: '1' });
  expect(listsOf(proxy)).toHaveLength(1);
  expect(String(problems[0]?.error)).toContain('nothing arrived for 1000 ms');
});

it('tries again with a growing delay while the server fails, and then catches up', async () => {
  const { reflector, proxy, problems, held, create } = await aReflection();
  reflector.start();
  await reflector.whenSynced();
  let isDown = true;
  proxy.onRequest(() =>
    isDown ? { kind: 'Answer', status: 500, body: 'etcdserver: leader changed' } : FORWARD,
  );
  proxy.cutWatches('Reset');
  await create('a', '1');
  await sleep(3_000);
  expect(problems.length).toBeGreaterThan(2);
  expect(problems.length).toBeLessThan(12);
  expect(problems.at(-1)?.error).toMatchObject({ status: 500, statement: 'etcdserver: leader changed' });
  expect(reflector.lastProblem).toBe(problems.at(-1));
  isDown = false;
  await eventually(held, { a: '1' });
  await eventually(() => reflector.lastProblem, undefined);
});

it('waits as long as an overloaded server asks it to', async () => {
  const { reflector, proxy, problems } = await aReflection();
  let refused = 0;
  proxy.onRequest(() => {
    refused += 1;
    return refused === 1 ? { kind: 'Answer', status: 429, headers: { 'retry-after': '2' } } : FORWARD;
  });
  reflector.start();
  await reflector.whenSynced();
  const [first, second] = listsOf(proxy);
  expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(1_900);
  expect(problems[0]?.error).toBeInstanceOf(ApiError);
});

it('lists anew from time to time, and finds what a watch never told', async () => {
  const { reflector, proxy, held, create } = await aReflection({ resyncMs: 500, inactivityMs: 300 });
  // A watch that is open and tells nothing, as when an event was lost on the way.
  proxy.onRequest(({ isWatch }) => (isWatch ? { kind: 'Hang' } : FORWARD));
  reflector.start();
  await reflector.whenSynced();
  await create('a', '1');
  await eventually(held, { a: '1' });
});

it.each<{
  while: string;
  times: Partial<ReflectorTimes>;
  fault: (request: ProxiedRequest) => Fault;
}>([
  {
    while: 'everything is listed anew',
    times: { resyncMs: 0 },
    fault: ({ isWatch }) => (isWatch ? FORWARD : { kind: 'Hang' }),
  },
  {
    while: 'it waits to watch again, though nothing failed',
    times: { backoff: { firstMs: 30_000, maxMs: 30_000 } },
    fault: ({ isWatch }) => (isWatch ? { kind: 'Hang' } : FORWARD),
  },
  {
    while: 'nothing answers its watch',
    times: {},
    fault: ({ isWatch }) => (isWatch ? { kind: 'Hang' } : FORWARD),
  },
])('has seen nothing more while $while', async ({ times, fault }) => {
  const { reflector, proxy, problems } = await aReflection(times);
  const behindMs = () => {
    const now = Date.now();
    return now - reflector.seenUntil(now);
  };
  expect(reflector.seenUntil(Date.now())).toBe(0);
  reflector.start();
  await eventually(behindMs, 0);
  proxy.onRequest(fault);
  proxy.cutWatches('End');
  await expect.poll(behindMs, { timeout: DEADLINE_MS }).toBeGreaterThan(1_000);
  expect(problems).toEqual([]);
});

it('has seen all again once it watches again, before anything happens', async () => {
  const { reflector, proxy } = await aReflection({ backoff: { firstMs: 100, maxMs: 500 } });
  const isUpToDate = () => {
    const now = Date.now();
    return reflector.seenUntil(now) === now;
  };
  reflector.start();
  await eventually(isUpToDate, true);
  proxy.onRequest(() => ({ kind: 'Answer', status: 500 }));
  proxy.cutWatches('Reset');
  await eventually(isUpToDate, false);
  proxy.onRequest(() => FORWARD);
  await eventually(isUpToDate, true);
});

it('has not seen what a watch that ended in good order kept to itself, before the next one tells it', async () => {
  // It lasted for long enough, so the next one follows at once.
  const { reflector, proxy, held, create } = await aReflection({ stableWatchMs: 0 });
  let seenUntil: number | undefined;
  proxy.onWatch(() => {
    const isFirst = watchesOf(proxy).length === 1;
    return (line, deliver) => {
      if (!line.object.metadata.name?.endsWith('-kept')) deliver(line);
      else if (!isFirst)
        setTimeout(() => {
          seenUntil ??= reflector.seenUntil(Date.now());
          deliver(line);
        }, 300);
    };
  });
  reflector.start();
  await reflector.whenSynced();
  await eventually(() => proxy.openWatches(), 1);
  await create('told', '1');
  await eventually(held, { told: '1' });
  const before = Date.now();
  await create('kept', '2');
  proxy.cutWatches('End');
  await eventually(held, { told: '1', kept: '2' });
  expect(seenUntil).toBeLessThan(before);
});

it('has seen nothing of the time by which its clock was ahead before the server answered', async () => {
  let aheadMs = 600_000;
  const proxy = await openFaultyProxy(inject('controlPlane'));
  const reflector = new Reflector<ConfigMap, Kept>({
    client: world.client(proxy.access),
    path: collection(),
    labelSelector: 'set=none',
    project: () => undefined,
    onChange: () => {},
    now: () => Date.now() + aheadMs,
  });
  onTestFinished(async () => {
    await reflector.stop();
    await proxy.close();
  });
  proxy.onRequest(({ isWatch }) => {
    aheadMs = 0;
    return isWatch ? { kind: 'Hang' } : FORWARD;
  });
  reflector.start();
  await reflector.whenSynced();
  const listedBy = Date.now();
  await sleep(500);
  expect(reflector.seenUntil(Date.now())).toBeLessThanOrEqual(listedBy);
});

it('reports nothing more once it is stopped, and says so to who waits for it', async () => {
  const { reflector, proxy, changes, create } = await aReflection();
  proxy.onRequest(() => ({ kind: 'Hang' }));
  reflector.start();
  const synced = reflector.whenSynced();
  await reflector.stop();
  await expect(synced).rejects.toThrow('was stopped');
  await create('a', '1');
  expect(changes).toEqual([]);
});
