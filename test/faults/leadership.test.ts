/** More than one operator at once. leadership.long.test.ts has what takes the duration of a Lease. */
import { afterAll, beforeAll, expect, inject, it, onTestFinished } from 'vitest';
import { type OperatorSite, openOperatorSite } from '../integration/operator-world.ts';
import { aFaultyWay } from './faulty-way.ts';
import { differencesOf, playOnWay } from './played-run.ts';

let site: OperatorSite;
beforeAll(async () => {
  site = await openOperatorSite(inject('controlPlane'));
}, 120_000);
afterAll(() => site?.close());

it('F13: two operators that both believe to be alone start nothing twice and store nothing twice', async () => {
  const alone = await site.aWorld('alone');
  const onlyWay = await aFaultyWay(alone, { onTestFinished });
  await onlyWay.startOperator();
  const reference = await playOnWay(alone, onlyWay);
  expect(reference.violations).toEqual([]);

  const world = await site.aWorld('two');
  const ways = [
    await aFaultyWay(world, { onTestFinished }),
    await aFaultyWay(world, { onTestFinished }),
  ] as const;
  const operators = await Promise.all(ways.map((way) => way.startOperator()));
  // The run takes a second: who is not there by then has no part in it.
  await Promise.all(operators.map((operator) => operator.untilReady()));
  const played = await playOnWay(world, ways[0]);
  // Who has not seen yet that the run is cancelled may try again what the other has ended for that, and ends it as well.
  const attempts = played.end.attempts.filter(
    (attempt) => !/ attempt 2: Cancelled RunCancelled /.test(attempt),
  );
  expect(differencesOf({ ...played, end: { ...played.end, attempts } }, reference)).toEqual([]);
  for (const way of ways) expect(way.store.writes).toContain('open_run');
});
