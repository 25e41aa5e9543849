/** What an operator makes of a cluster that answers late, wrongly, twice or not at all: the same as of one that answers well. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, inject, it, onTestFinished } from 'vitest';
import { FORWARD, type ProxiedRequest } from '../integration/faulty-proxy.ts';
import {
  aBatchTest,
  measured,
  type OperatorSite,
  type OperatorWorld,
  openOperatorSite,
  RUNS_ON,
} from '../integration/operator-world.ts';
import type { RunningOperator } from '../integration/running-operator.ts';
import { lastOf } from '../integration/watch-recorder.ts';
import { apiWriteName } from './api-write.ts';
import { aFaultyWay, type FaultyWay } from './faulty-way.ts';
import { endByDeletion, playPods } from './kubelet.ts';
import { differencesOf, type Played, playOnWay } from './played-run.ts';
import { untilOneRuns, untilRunning, untilSettled } from './run-view.ts';
import { violationsOf } from './violations.ts';
import { delayedBy, tripledAndSwapped, withoutThose } from './watch-shapes.ts';

let site: OperatorSite;
let reference: Played;
beforeAll(async () => {
  site = await openOperatorSite(inject('controlPlane'));
}, 120_000);
afterAll(() => site?.close());

async function aWorldWithAWay(
  name: string,
): Promise<{ readonly world: OperatorWorld; readonly way: FaultyWay }> {
  const world = await site.aWorld(name);
  return { world, way: await aFaultyWay(world, { onTestFinished }) };
}

const isWrite = ({ method, url }: ProxiedRequest): boolean => apiWriteName(method, url) !== undefined;
const isCreation = ({ method, url }: ProxiedRequest): boolean => apiWriteName(method, url) === 'POST jobs';
const isList = ({ method, isWatch, url }: ProxiedRequest): boolean =>
  method === 'GET' && !isWatch && url.includes('limit=');

it('the reference run is recorded without faults', async () => {
  const { world, way } = await aWorldWithAWay('reference');
  await way.startOperator();
  reference = await playOnWay(world, way);
  expect(reference.violations).toEqual([]);
  expect(reference.end.run).toBe('Cancelled CancelRequested');
});

it('F3: makes no second Job when the answers to creations are lost', async () => {
  const { world, way } = await aWorldWithAWay('answers-lost');
  let asked = 0;
  way.api.onRequest((request) => {
    if (!isCreation(request)) return FORWARD;
    asked += 1;
    return asked % 2 === 1 ? { kind: 'LoseAnswer' } : FORWARD;
  });
  await way.startOperator();
  expect(differencesOf(await playOnWay(world, way), reference)).toEqual([]);
  expect(asked).toBeGreaterThanOrEqual(10);
});

it('F4: misses nothing while its watches are cut again and again, and reconnects at a bounded rate', async () => {
  const { world, way } = await aWorldWithAWay('watches-cut');
  await way.startOperator();
  const startedAt = performance.now();
  const played = await playOnWay(world, way, async () => {
    for (let cuts = 0; cuts < 6; cuts += 1) {
      await sleep(500);
      way.api.cutWatches(cuts % 2 === 0 ? 'End' : 'Reset');
    }
  });
  expect(differencesOf(played, reference)).toEqual([]);
  const seconds = (performance.now() - startedAt) / 1_000;
  const watches = way.api.requests.filter(({ isWatch }) => isWatch);
  for (const path of new Set(watches.map(({ url }) => pathOf(url))))
    expect(watches.filter(({ url }) => pathOf(url) === path).length, path).toBeLessThanOrEqual(seconds + 2);
});

it('F6: lists anew after 410 Gone, and starts nothing twice', async () => {
  const { world, way } = await aWorldWithAWay('gone');
  await way.startOperator();
  let refused = 0;
  const played = await playOnWay(world, way, async () => {
    for (let rounds = 0; rounds < 3; rounds += 1) {
      await sleep(700);
      const paths = new Set<string>();
      way.api.onRequest((request) => {
        const path = pathOf(request.url);
        if (!request.isWatch || paths.has(path)) return FORWARD;
        paths.add(path);
        refused += 1;
        return { kind: 'Answer', status: 410, body: '{"kind":"Status","code":410,"reason":"Expired"}' };
      });
      way.api.cutWatches('Reset');
    }
  });
  expect(differencesOf(played, reference)).toEqual([]);
  expect(refused).toBeGreaterThanOrEqual(3);
  // The last list may still be waiting for its turn.
  await expect
    .poll(() => way.api.requests.filter(isList).length - refused, { timeout: 60_000 })
    .toBeGreaterThanOrEqual(3);
});

it('F7: starts nothing twice and never too much while all that it sees is 2 s old', async () => {
  const { world, way } = await aWorldWithAWay('stale');
  way.api.onWatch(() => delayedBy(2_000));
  await way.startOperator();
  expect(differencesOf(await playOnWay(world, way), reference)).toEqual([]);
});

it('F8: neither deletes nor repeats anything when, after a restart, its lists tell of the past', async () => {
  const { world, way } = await aWorldWithAWay('time-travel');
  const first = await way.startOperator();
  let answeredFromThePast = 0;
  let second: RunningOperator | undefined;
  const played = await playOnWay(world, way, async (uid) => {
    await untilRunning(world, uid, 2);
    const past = new Map<string, string>();
    for (const { url } of way.api.requests.filter(isList))
      past.set(pathOf(url), JSON.stringify(await world.cluster.request('GET', url)));
    await untilStored(world, uid, 4);
    await first.kill();
    way.api.onRequest((request) => {
      const body = isList(request) ? past.get(pathOf(request.url)) : undefined;
      if (body === undefined) return FORWARD;
      answeredFromThePast += 1;
      return { kind: 'Answer', status: 200, body };
    });
    // For a while nothing else is seen either.
    way.api.onWatch(() => delayedBy(2_000));
    second = await way.startOperator();
    await second.untilReady();
    await sleep(3_000);
    way.api.onRequest(() => FORWARD);
    way.api.onWatch(() => undefined);
    way.api.cutWatches('Reset');
  });
  // Of a failed attempt that is shown as running although its end is stored, the Job may go that would be kept to be looked at.
  const attemptsLeft = played.end.attemptsLeft.filter((job) => !reference.end.attemptsLeft.includes(job));
  expect(attemptsLeft).toEqual([]);
  const end = { ...played.end, attemptsLeft: reference.end.attemptsLeft };
  expect(differencesOf({ ...played, end }, reference)).toEqual([]);
  expect(answeredFromThePast).toBe(3);
  // What it counted by the lists of the past it believes to have been too much at once; nobody else saw that.
  await second?.kill();
});

it('F9: tries a trial again whose pod came and went without that anything was seen of it', async () => {
  const { world, way } = await aWorldWithAWay('unobserved');
  const victims = new Set<string>();
  const swallowed: string[] = [];
  way.api.onWatch(({ url }) =>
    pathOf(url).endsWith('/pods')
      ? withoutThose(({ object: { metadata } }) => {
          // The first pod that is shown is the one that is never seen.
          if (victims.size === 0) victims.add(metadata.uid);
          if (victims.has(metadata.uid)) swallowed.push(metadata.name);
          return victims.has(metadata.uid);
        })
      : undefined,
  );
  await way.startOperator();
  const manifest = aBatchTest({ variants: 1, parallelism: 1, pod: RUNS_ON });
  const uid = await world.create({
    ...manifest,
    spec: { ...manifest.spec, retryPolicy: { limit: 1, backoffSeconds: 0, maxBackoffSeconds: 0 } },
  });
  const pod = await untilOneRuns(world, uid);
  await endByDeletion(world, pod);
  await playPods(world, uid, ({ attempt }) =>
    attempt === 1 ? { kind: 'RunsOn' } : { kind: 'Exits', exitCode: 0, message: measured(1) },
  );
  await untilSettled(world, uid);
  expect(swallowed).toContain(pod.metadata.name);
  expect(await world.storedAttempts(uid)).toMatchObject([
    { attempt: 1, outcome: 'Infrastructure', is_accepted: false },
    { attempt: 2, outcome: 'Succeeded', is_accepted: true },
  ]);
  expect(await violationsOf(world, uid)).toEqual([]);
});

it('F10: comes to the same end though an overloaded server refuses every fifth write, and repeats no more than was refused', async () => {
  const { world, way } = await aWorldWithAWay('overloaded');
  let writes = 0;
  let refused = 0;
  way.api.onRequest((request) => {
    if (!isWrite(request)) return FORWARD;
    writes += 1;
    if (writes % 5 !== 0) return FORWARD;
    refused += 1;
    return { kind: 'Answer', status: 429, headers: { 'retry-after': '1' } };
  });
  await way.startOperator();
  const played = await playOnWay(world, way);
  expect(differencesOf(played, reference)).toEqual([]);
  expect(refused).toBeGreaterThanOrEqual(4);
  // What was refused is asked for once more; beyond that there are statuses, once a second.
  const withoutStatuses = (names: readonly string[]) =>
    names.filter((name) => !name.endsWith('/status')).length;
  expect(withoutStatuses(played.apiWrites)).toBeLessThanOrEqual(
    withoutStatuses(reference.apiWrites) + 2 * refused,
  );
});

it.each([500, 503, 504])('F11: comes through a burst of HTTP %i, alive and ready', async (status) => {
  const { world, way } = await aWorldWithAWay('burst');
  const operator = await way.startOperator();
  const played = await playOnWay(world, way, async (uid) => {
    await untilStored(world, uid, 2);
    let refused = 0;
    way.api.onRequest(() => {
      refused += 1;
      return { kind: 'Answer', status };
    });
    way.api.cutWatches('Reset');
    await sleep(2_500);
    expect(await operator.health('/healthz')).toEqual({ status: 200, text: 'ok' });
    expect(await operator.health('/readyz')).toEqual({ status: 200, text: 'ok' });
    // A hot loop asks hundreds of times a second.
    expect(refused).toBeLessThan(150);
    way.api.onRequest(() => FORWARD);
  });
  expect(differencesOf(played, reference)).toEqual([]);
});

it('F11: does not ask in a hot loop when what it wants to remove cannot be removed', async () => {
  const { world, way } = await aWorldWithAWay('removal-fails');
  await way.startOperator();
  let refused = 0;
  const played = await playOnWay(world, way, async () => {
    way.api.onRequest(({ method, url }) => {
      if (apiWriteName(method, url) !== 'DELETE jobs') return FORWARD;
      refused += 1;
      return { kind: 'Answer', status: 500 };
    });
    await expect.poll(() => refused, { timeout: 30_000 }).toBeGreaterThan(0);
    await sleep(3_000);
    way.api.onRequest(() => FORWARD);
  });
  expect(differencesOf(played, reference)).toEqual([]);
  // A back-off from 50 ms that doubles, with jitter, for two Jobs, and a look at each event meanwhile. A hot loop asks hundreds of times a second.
  expect(refused).toBeLessThan(150);
});

it('F12: neither loses its own writes nor those of another who writes to the same object all the time', async () => {
  const { world, way } = await aWorldWithAWay('conflicts');
  await way.startOperator();
  let annotated = 0;
  const played = await playOnWay(world, way, async (uid) => {
    const isOver = () => lastOf(world.recorder.changes(), uid)?.status?.completionTime !== undefined;
    while (!isOver()) {
      annotated += 1;
      await world.cluster.request('PATCH', world.path('cache'), {
        metadata: { annotations: { 'example.com/count': String(annotated) } },
      });
    }
  });
  expect(differencesOf(played, reference)).toEqual([]);
  expect(await world.cluster.request('GET', world.path('cache'))).toMatchObject({
    metadata: { annotations: { 'example.com/count': String(annotated) } },
  });
  expect(annotated).toBeGreaterThan(50);
});

it('F20: counts right though each event comes three times, and out of turn', async () => {
  const { world, way } = await aWorldWithAWay('repeated');
  way.api.onWatch(tripledAndSwapped);
  await way.startOperator();
  expect(differencesOf(await playOnWay(world, way), reference)).toEqual([]);
});

const pathOf = (url: string): string => new URL(url, 'http://proxy').pathname;

async function untilStored(world: OperatorWorld, uid: string, trials: number): Promise<void> {
  await expect
    .poll(
      async () => {
        const run = await world.storedRun(uid).catch(() => undefined);
        return (run?.succeeded ?? 0) + (run?.failed ?? 0);
      },
      { timeout: 40_000, interval: 20, message: `${trials} trials are stored` },
    )
    .toBeGreaterThanOrEqual(trials);
}
