/** The operator is killed at every single write that the reference run needs, and the end is compared with the end of a run without faults. */
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { type OperatorSite, openOperatorSite } from '../integration/operator-world.ts';
import { apiCrashPoints, commitCrashPoints, differencesAt, playWithCrash } from './crash-points.ts';
import type { Played } from './played-run.ts';

let site: OperatorSite;
beforeAll(async () => {
  site = await openOperatorSite(inject('controlPlane'));
}, 120_000);
afterAll(() => site?.close());

// Pods without Jobs have the quick test of crashes (crash.test.ts); the same with them would take ten minutes more.
let reference: Played;
beforeAll(async () => {
  reference = await playWithCrash(site, 'reference', undefined, 'Job');
}, 120_000);

it('F1: comes to the same end wherever the operator is killed after a write to the API server', {
  timeout: 15 * 60_000,
}, async () => {
  const points = apiCrashPoints(reference);
  expect(points.length).toBeGreaterThan(20);
  expect(await differencesAt(site, reference, points, 'Job')).toEqual([]);
});

it('F2: comes to the same end wherever the operator is killed before, at or after a commit', {
  timeout: 15 * 60_000,
}, async () => {
  const points = commitCrashPoints(reference);
  expect(points).toHaveLength(3 * 12);
  expect(await differencesAt(site, reference, points, 'Job')).toEqual([]);
});
