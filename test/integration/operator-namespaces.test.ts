/** What an operator of several namespaces does while it may not see all of them. */
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { seriesOf, seriesValue } from '../tools/exposition.ts';
import { OPERATOR_RULES } from './operator-rights.ts';
import { untilRunning } from './operator-steps.ts';
import {
  aBatchTest,
  ENDS_SOON,
  measured,
  type OperatorSite,
  type OperatorWorld,
  openOperatorSite,
  RUNS_ON,
} from './operator-world.ts';
import { carrierCreations, lastOf } from './watch-recorder.ts';

let site: OperatorSite;
beforeAll(async () => {
  site = await openOperatorSite(inject('controlPlane'));
});
afterAll(() => site?.close());

const ALL_RULES = [...OPERATOR_RULES.watching, ...OPERATOR_RULES.leading];
const WITHOUT_PODS = ALL_RULES.filter(({ resources }) => !resources.some((name) => name === 'pods'));

/** Lets the operator of a world do this in the namespace of another one, and nothing else there. */
async function allowIn(other: OperatorWorld, operator: OperatorWorld, rules: typeof ALL_RULES) {
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${other.namespace}`;
  const metadata = { name: 'operator-from-elsewhere' };
  await other.cluster.request('POST', `${rbac}/roles`, { metadata, rules });
  await other.cluster.request('POST', `${rbac}/rolebindings`, {
    metadata,
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: metadata.name },
    subjects: [{ kind: 'ServiceAccount', name: 'operator', namespace: operator.namespace }],
  });
  return (changed: typeof ALL_RULES) =>
    other.cluster.request('PATCH', `${rbac}/roles/${metadata.name}`, { rules: changed });
}

it('sees to the namespaces that it may see, tells of the others, and takes up their runs once it may see all of them', async () => {
  const [here, there] = [await site.aWorld('seen'), await site.aWorld('unseen')];
  const allowThere = await allowIn(there, here, ALL_RULES);
  const start = (...further: readonly string[]) =>
    here.startOperator({
      args: ['--no-leader-elect', '--namespace', here.namespace, there.namespace, ...further],
    });
  const first = await start();
  const runThere = await there.create(aBatchTest({ repetitions: 2, parallelism: 1, pod: RUNS_ON }));
  const [pod] = await untilRunning(there, runThere, 1);
  await first.kill();
  // It ends while nobody looks; that it was run is told by its pod alone.
  if (pod !== undefined) await there.endPod(pod, { exitCode: 0, message: measured(1) });
  await allowThere(WITHOUT_PODS);

  const gone = 'operator-there-is-no-such-namespace';
  const second = await start(gone);
  const runHere = await here.create(aBatchTest({ parallelism: 1, pod: ENDS_SOON }));
  await here.untilCondition(runHere, 'Complete');
  await expect
    .poll(() => second.health('/readyz'))
    .toEqual({
      status: 200,
      text: `ok, but for ${there.namespace} (Forbidden), ${gone} (Forbidden): not seen completely yet, so nothing of it is run`,
    });
  const waits = await second.untilLogged('it says what waits', ({ waiting }) => waiting !== undefined);
  expect(waits).toMatchObject({ level: 'warn', waiting: expect.stringContaining('(Forbidden)') });
  const unseen = async () =>
    seriesValue(seriesOf((await second.health('/metrics')).text), 'batchtest_namespaces_unseen');
  expect(await unseen()).toBe(2);
  // Its BatchTests and Jobs are seen by now, which is not enough to decide about it.
  expect((await here.storedRun(runThere))?.fence).toBe(1);
  // Its first operator may have been killed before it told anything.
  expect(lastOf(there.recorder.changes(), runThere)?.status?.trials?.succeeded ?? 0).toBe(0);

  await allowThere(ALL_RULES);
  const [next] = await untilRunning(there, runThere, 1);
  if (next !== undefined) await there.endPod(next, { exitCode: 0, message: measured(2) });
  await there.untilCondition(runThere, 'Complete');
  expect(await here.storedAttempts(runThere)).toMatchObject([
    { attempt: 1, outcome: 'Succeeded' },
    { attempt: 1, outcome: 'Succeeded' },
  ]);
  expect([...carrierCreations(there.recorder.changes(), runThere).values()]).toEqual([1, 1]);
  expect(await unseen()).toBe(1);
});
