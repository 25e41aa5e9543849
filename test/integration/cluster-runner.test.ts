/** What a runner of a cluster gives beside `run`, through the exports of the package. */
import { afterAll, beforeAll, expect, inject, it, onTestFinished } from 'vitest';
import { type ClusterRunner, createRunner, NoSuchRunError, type RunPhase } from '../../src/index.ts';
import { untilRunning, untilSaidToRun } from './operator-steps.ts';
import {
  aBatchTest,
  measured,
  type OperatorSite,
  type OperatorWorld,
  openOperatorSite,
  RUNS_ON,
} from './operator-world.ts';

let site: OperatorSite;
beforeAll(async () => {
  site = await openOperatorSite(inject('controlPlane'));
});
afterAll(() => site?.close());

function aRunner(world: OperatorWorld): ClusterRunner {
  const runner = createRunner({
    engine: 'kubernetes',
    store: { kind: 'database', url: world.databaseUrl },
    kubeconfig: inject('controlPlane').kubeconfigPath,
    namespace: world.namespace,
  });
  onTestFinished(() => runner.shutdown());
  return runner;
}

it('looks at a run, waits for its end, and reads what is stored of it', async () => {
  const world = await site.aWorld('api');
  await world.startOperator();
  const runner = aRunner(world);
  const manifest = aBatchTest({ parallelism: 1, pod: RUNS_ON });
  expect(await runner.dryRun(manifest)).toMatchObject({
    server: { kind: 'Checked', namespace: world.namespace, objects: [{ outcome: 'Accepted' }, {}, {}] },
  });
  const uid = await world.create(manifest);
  const [pod] = await untilRunning(world, uid, 1);
  if (pod === undefined) throw new Error('no pod runs');
  await untilSaidToRun(world, uid);
  expect(await runner.status('cache')).toMatchObject({ uid, namespace: world.namespace, phase: 'Running' });
  const phases: RunPhase[] = [];
  const waiting = runner.wait('cache', { onChange: ({ phase }) => phases.push(phase) });
  await world.endPod(pod, { exitCode: 0, message: measured(1) });
  expect(await waiting).toMatchObject({
    kind: 'Over',
    end: { state: 'Complete', reason: 'AllTrialsSucceeded' },
  });
  expect(phases.at(-1)).toBe('Complete');
  expect(await runner.results.report(uid)).toMatchObject({
    run: { uid, state: 'Complete' },
    best: { name: 'v0' },
  });
  await expect(runner.cancel('cache')).rejects.toThrow(
    `BatchTest ${world.namespace}/cache is over: Complete`,
  );
  await expect(runner.status('nobody')).rejects.toThrow(NoSuchRunError);
});

it('stops waiting when it is shut down, or told to, and leaves the run alone', async () => {
  const world = await site.aWorld('api-left');
  await world.startOperator();
  const uid = await world.create(aBatchTest({ parallelism: 1, pod: RUNS_ON }));
  await untilSaidToRun(world, uid);
  const runner = aRunner(world);
  const told = await runner.wait('cache', { signal: AbortSignal.timeout(1_000) });
  expect(told.kind).toBe('Left');
  let noteSight = (): void => undefined;
  const seen = new Promise<void>((resolve) => {
    noteSight = resolve;
  });
  const waiting = runner.wait('cache', { onChange: () => noteSight() });
  await seen;
  await runner.shutdown();
  expect(await waiting).toMatchObject({ kind: 'Left', status: { trials: { running: 1 } } });
  const other = aRunner(world);
  expect(await other.status('cache')).toMatchObject({ phase: 'Running' });
  expect(await other.cancel('cache')).toMatch(/is being cancelled by its operator$/);
  await world.untilCondition(uid, 'Cancelled');
});
