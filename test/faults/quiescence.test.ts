/** I6: a settled world is left alone. */
import { afterAll, beforeAll, expect, inject, it, onTestFinished } from 'vitest';
import { FORWARD } from '../integration/faulty-proxy.ts';
import { type OperatorSite, openOperatorSite } from '../integration/operator-world.ts';
import { aFaultyWay, type FaultyWay } from './faulty-way.ts';
import { playReference } from './reference-scenario.ts';
import { violationsOf } from './violations.ts';

let site: OperatorSite;
beforeAll(async () => {
  site = await openOperatorSite(inject('controlPlane'));
}, 120_000);
afterAll(() => site?.close());

const COLLECTIONS = ['batchtests', 'jobs', 'pods'];

it('I6: writes nothing once a run has settled, though everything is listed anew three times, and after a restart', async () => {
  const world = await site.aWorld('settled');
  const way = await aFaultyWay(world, { onTestFinished });
  const first = await way.startOperator({ elects: true });
  const uid = await playReference(world);
  await world.recorder.untilQuietFor(1_500);
  const settledAt = Math.max(...world.recorder.changes().map(({ revision }) => revision));
  const written = { api: way.apiWrites().length, store: way.store.writes.length };

  // What a resync does, without the half hour until it comes by itself.
  for (let times = 0; times < 3; times += 1) await listAnew(way);
  expect({ api: way.apiWrites().length, store: way.store.writes.length }).toEqual(written);

  expect(await first.terminate()).toBe(0);
  const second = await way.startOperator({ elects: true });
  await second.untilReady();
  await second.untilLogged('it leads', ({ msg }) => msg === 'leading');
  await world.recorder.untilQuietFor(1_500);
  expect({ api: way.apiWrites().length, store: way.store.writes.length }).toEqual(written);
  expect(await violationsOf(world, uid, settledAt)).toEqual([]);
});

/** Has each collection listed once more: its watch ends, and may not be resumed. */
async function listAnew({ api }: FaultyWay): Promise<void> {
  const listed = new Set<string>();
  const refused = new Set<string>();
  api.onRequest(({ url, isWatch, method }) => {
    const resource = new URL(url, 'http://proxy').pathname.split('/').at(-1) ?? '';
    if (isWatch && !refused.has(resource)) {
      refused.add(resource);
      return { kind: 'Answer', status: 410, body: '{"kind":"Status","code":410,"reason":"Expired"}' };
    }
    if (!isWatch && method === 'GET') listed.add(resource);
    return FORWARD;
  });
  // One that is still being opened would be passed over, and stay.
  await expect
    .poll(() => api.openWatches(), { timeout: 60_000, message: 'all collections are watched' })
    .toBe(COLLECTIONS.length);
  api.cutWatches('End');
  await expect
    .poll(() => COLLECTIONS.filter((resource) => listed.has(resource) && refused.has(resource)), {
      timeout: 60_000,
      message: 'all collections are listed anew',
    })
    .toEqual(COLLECTIONS);
}
