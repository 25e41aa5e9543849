/** A leader that is paused for longer than its Lease, and operators whose clocks are wrong. */

import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, inject, it, onTestFinished } from 'vitest';
import { FORWARD } from '../integration/faulty-proxy.ts';
import {
  aBatchTest,
  measured,
  type OperatorSite,
  type OperatorWorld,
  openOperatorSite,
  RUNS_ON,
} from '../integration/operator-world.ts';
import { query } from '../integration/postgres-server.ts';
import type { LogLine, RunningOperator } from '../integration/running-operator.ts';
import { lastOf } from '../integration/watch-recorder.ts';
import { BATCHTEST_PROGRAM } from '../tools/batchtest-program.ts';
import { apiWriteName } from './api-write.ts';
import { aFaultyWay, type FaultyWay } from './faulty-way.ts';
import { playPods } from './kubelet.ts';
import { differencesOf, type Played, playOnWay } from './played-run.ts';
import { untilOneRuns, untilRunning, untilSettled } from './run-view.ts';
import { FORWARD_STATEMENT } from './store-proxy.ts';
import { violationsOf } from './violations.ts';

const TEN_MINUTES_MS = 10 * 60_000;
/** The Lease's 15 s, the candidate's pause, and some for a busy machine. */
const TAKEOVER_MS = 40_000;

let site: OperatorSite;
let reference: Played;
beforeAll(async () => {
  site = await openOperatorSite(inject('controlPlane'));
  reference = await aReference();
}, 120_000);
afterAll(() => site?.close());

async function aReference(): Promise<Played> {
  const finished: (() => Promise<void>)[] = [];
  const hooks = {
    onTestFailed: () => undefined,
    onTestFinished: (listener: () => Promise<void>) => {
      finished.push(listener);
    },
  };
  const world = await site.aWorld('reference', hooks);
  const way = await aFaultyWay(world, hooks);
  await way.startOperator();
  const played = await playOnWay(world, way);
  for (const listener of finished.toReversed()) await listener();
  return played;
}

const leads = ({ msg }: LogLine): boolean => msg === 'leading';

interface Pair {
  readonly world: OperatorWorld;
  readonly former: FaultyWay;
  readonly leader: RunningOperator;
  readonly next: FaultyWay;
  readonly standby: RunningOperator;
}

/** A leader, and another that waits. */
async function aPair(name: string): Promise<Pair> {
  const world = await site.aWorld(name);
  const [former, next] = [
    await aFaultyWay(world, { onTestFinished }),
    await aFaultyWay(world, { onTestFinished }),
  ];
  const leader = await former.startOperator({ elects: true, identity: 'former' });
  await leader.untilLogged('it leads', leads);
  const standby = await next.startOperator({ elects: true, identity: 'next' });
  await standby.untilReady();
  return { world, former, leader, next, standby };
}

/** Stops a leader until another has taken over and done what is given; then lets it go on. */
async function pausedWhile({ leader, standby }: Pair, whilePaused: () => Promise<unknown>): Promise<void> {
  process.kill(leader.pid, 'SIGSTOP');
  // A stopped process cannot be ended in good order.
  onTestFinished(() => {
    if (leader.isRunning) process.kill(leader.pid, 'SIGCONT');
  });
  await expect
    .poll(async () => (await standby.log()).some(leads), {
      timeout: TAKEOVER_MS,
      interval: 200,
      message: 'the other takes over',
    })
    .toBe(true);
  await whilePaused();
  process.kill(leader.pid, 'SIGCONT');
}

const SUCCESS = { kind: 'Exits', exitCode: 0, message: measured(1) } as const;

it('F14: stores nothing for a former leader, whose statement arrives when another leads', {
  timeout: 120_000,
}, async () => {
  const pair = await aPair('fenced');
  const { world, former, leader, next } = pair;
  const [first, second] = [heldResults(former), heldResults(next)];
  const uid = await world.create(aBatchTest({ variants: 3, parallelism: 1, pod: RUNS_ON }));
  const pod = await untilOneRuns(world, uid);
  await world.endPod(pod, SUCCESS);
  await first.untilOneIsHeld();

  let before = { api: 0, store: 0 };
  await pausedWhile(pair, async () => {
    // The next leader has seen the same end, and has not stored it either.
    await second.untilOneIsHeld();
    expect(await world.storedRun(uid)).toMatchObject({ fence: 2 });
    before = { api: former.apiWrites().length, store: former.store.writes.length };
  });
  first.release();
  await leader.untilLogged('it no longer leads', ({ msg }) => msg.startsWith('no longer leading'));
  await sleep(3_000);
  expect(former.apiWrites().slice(before.api)).toEqual([]);
  // The one statement that was on its way; it was refused.
  expect(former.store.writes.slice(before.store)).toEqual(['record_attempt']);
  expect(await world.storedAttempts(uid)).toEqual([]);
  second.release();

  await playPods(world, uid, () => SUCCESS);
  await untilSettled(world, uid);
  expect(await world.storedRun(uid)).toMatchObject({ state: 'Complete', succeeded: 3, fence: 2 });
  expect(await violationsOf(world, uid)).toEqual([]);
});

it('F14: has a former leader write nothing more to the cluster, also not what it was about to', {
  timeout: 120_000,
}, async () => {
  const pair = await aPair('under-way');
  const { world, former, leader } = pair;
  const uid = await world.create(aBatchTest({ variants: 5, parallelism: 1, pod: RUNS_ON }));
  const pod = await untilOneRuns(world, uid);
  const release = gate();
  let held = 0;
  former.api.onRequest(({ method, url }) => {
    if (apiWriteName(method, url) !== 'POST jobs') return FORWARD;
    held += 1;
    return {
      kind: 'Intercept',
      answered: async () => {
        await release.opened;
        return 'Deliver';
      },
    };
  });
  // What follows the start of the second is the removal of the first, and a status.
  await world.endPod(pod, SUCCESS);
  await expect.poll(() => held, { timeout: 20_000, message: 'the next trial is being started' }).toBe(1);

  let before = 0;
  let played = 0;
  await pausedWhile(pair, async () => {
    void playPods(world, uid, () => {
      played += 1;
      return played <= 2 ? SUCCESS : { kind: 'RunsOn' };
    });
    await world.recorder.until('three trials are told as done', (changes) =>
      lastOf(changes, uid)?.status?.trials?.succeeded === 3 ? true : undefined,
    );
    before = former.apiWrites().length;
  });
  release.open();
  await leader.untilLogged('it no longer leads', ({ msg }) => msg.startsWith('no longer leading'));
  await sleep(3_000);
  expect(former.apiWrites().slice(before)).toEqual([]);
  await world.cluster.request('PATCH', world.path('cache'), { spec: { cancel: true } });
  await untilSettled(world, uid);
  expect(await violationsOf(world, uid)).toEqual([]);
});

it('F14: has a former leader not act on what it sees first when it goes on', {
  timeout: 120_000,
}, async () => {
  const pair = await aPair('resumed');
  const { world, former, leader } = pair;
  const uid = await world.create(aBatchTest({ variants: 5, parallelism: 1, pod: RUNS_ON }));
  await untilOneRuns(world, uid);
  let before = 0;
  await pausedWhile(pair, async () => {
    await world.cluster.request('PATCH', world.path('cache'), { spec: { parallelism: 3 } });
    await untilRunning(world, uid, 3);
    before = former.apiWrites().length;
  });
  await leader.untilLogged('it no longer leads', ({ msg }) => msg.startsWith('no longer leading'));
  await sleep(2_000);
  expect(former.apiWrites().slice(before)).toEqual([]);
  await world.cluster.request('PATCH', world.path('cache'), { spec: { cancel: true } });
  await untilSettled(world, uid);
  expect(await violationsOf(world, uid)).toEqual([]);
});

it.each([
  ['10 minutes ahead', [[0, TEN_MINUTES_MS]]],
  ['10 minutes behind', [[0, -TEN_MINUTES_MS]]],
  ['set back by 10 minutes meanwhile', [[4_000, -TEN_MINUTES_MS]]],
  ['set forward by 10 minutes meanwhile', [[4_000, TEN_MINUTES_MS]]],
])(
  'F15: comes to the same end with a clock that is %s, and no duration is out of bounds',
  async (_, clock) => {
    const world = await site.aWorld('clock');
    const way = await aFaultyWay(world, { onTestFinished });
    await way.startOperator({ ...(await withClock(clock)) });
    const played = await playOnWay(world, way, async () => undefined, {
      spec: { trialDeadlineSeconds: 300 },
    });
    expect(differencesOf(played, reference)).toEqual([]);
    const durations = await query<{ value: number }>(
      world.connection,
      `select value from batchtest.metrics where name = 'duration_seconds'`,
    );
    expect(durations).toHaveLength(4);
    for (const { value } of durations) {
      expect(value).toBeGreaterThanOrEqual(0);
      expect(value).toBeLessThan(60);
    }
  },
);

it('F15: keeps one leader though the clocks of the two are 20 minutes apart', {
  timeout: 120_000,
}, async () => {
  const world = await site.aWorld('clocks-apart');
  const [ahead, behind] = [
    await aFaultyWay(world, { onTestFinished }),
    await aFaultyWay(world, { onTestFinished }),
  ];
  const leader = await behind.startOperator({
    elects: true,
    identity: 'behind',
    ...(await withClock([[0, -TEN_MINUTES_MS]])),
  });
  await leader.untilLogged('it leads', leads);
  const standby = await ahead.startOperator({
    elects: true,
    identity: 'ahead',
    ...(await withClock([[0, TEN_MINUTES_MS]])),
  });
  await standby.untilReady();
  expect(differencesOf(await playOnWay(world, behind), reference)).toEqual([]);
  // Longer than the Lease.
  await sleep(18_000);
  expect((await standby.log()).filter(leads)).toEqual([]);
  expect(ahead.apiWrites()).toEqual([]);
  expect(ahead.store.writes).toEqual([]);
});

/** Keeps the results that an operator wants to store from Postgres until they are released. */
function heldResults({ store }: FaultyWay) {
  const release = gate();
  let held = 0;
  store.onStatement(({ call }) => {
    if (call !== 'record_attempt') return FORWARD_STATEMENT;
    held += 1;
    return { kind: 'Hold', until: release.opened };
  });
  return {
    release: release.open,
    untilOneIsHeld: () =>
      expect.poll(() => held, { timeout: 20_000, message: 'a result is to be stored' }).toBe(1),
  };
}

function withClock(steps: readonly (readonly number[])[]) {
  return {
    program: ['--import', fileURLToPath(new URL('shifted-clock.mjs', import.meta.url)), BATCHTEST_PROGRAM],
    environment: { FAULT_CLOCK: JSON.stringify(steps) },
  };
}

/** Something that waits until a test lets it go on. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
