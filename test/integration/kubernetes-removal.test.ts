/** How the Kubernetes engine removes many attempts at once: by one request, where that can hit nothing else. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { LABEL_RUN_UID } from '../../src/api/v1alpha1/constants.ts';
import type { RunDefinition } from '../../src/core/run.ts';
import { requestFor, untilAnnounced } from '../../src/engine/engine.testsuite.ts';
import { carrierOf } from '../../src/engine/kubernetes/attempt-carrier.ts';
import {
  type KubernetesEngine,
  openKubernetesEngine,
} from '../../src/engine/kubernetes/kubernetes-engine.ts';
import { type FaultyProxy, FORWARD, openFaultyProxy, type ProxiedRequest } from './faulty-proxy.ts';
import { type Execution, isLivePod, type KubernetesWorld, openWorld } from './kubernetes-world.ts';

const DEADLINE_MS = 20_000;
const RUNS_ON = { runMs: 600_000 };

let world: KubernetesWorld;

interface Started {
  readonly engine: KubernetesEngine;
  readonly proxy: FaultyProxy;
  readonly run: RunDefinition;
  readonly names: readonly string[];
}

/** An engine behind a proxy, and a run of which this many attempts were started. */
async function started(attempts: number, running = true): Promise<Started> {
  const proxy = await openFaultyProxy(inject('controlPlane'));
  onTestFinished(() => proxy.close());
  const engine = await openKubernetesEngine({
    client: world.client(proxy.access),
    namespaces: [world.namespace],
  });
  onTestFinished(() => engine.close());
  const run = await world.aRun(attempts + 1, RUNS_ON);
  if (!running) proxy.freezeWatches();
  const requests = Array.from({ length: attempts }, (_, index) => requestFor(run, index));
  await Promise.all(requests.map((request) => engine.startAttempt(request)));
  if (running)
    await until(
      engine,
      run,
      'all run',
      () => states(engine, run).join() === Array(attempts).fill('Running').join(),
    );
  return { engine, proxy, run, names: requests.map(({ name }) => name) };
}

const until = (engine: KubernetesEngine, run: RunDefinition, what: string, isSo: () => boolean) =>
  untilAnnounced(engine, run, what, () => isSo() || undefined, DEADLINE_MS);

const states = (engine: KubernetesEngine, run: RunDefinition): readonly string[] =>
  engine.observe(run.uid).map(({ state }) => state.kind);

const untilGone = (engine: KubernetesEngine, run: RunDefinition) =>
  until(engine, run, 'nothing is shown', () => engine.observe(run.uid).length === 0);

const deletions = ({ requests }: FaultyProxy): readonly string[] =>
  requests.filter(({ method }) => method === 'DELETE').map(({ url }) => url);

const isOfCollection = ({ method, url }: ProxiedRequest): boolean =>
  method === 'DELETE' && url.includes(`${world.carriers}?labelSelector=`);

describe.each<Execution>(['Job', 'Pod'])('with execution %s', (execution) => {
  beforeAll(async () => {
    world = await openWorld(inject('controlPlane'), 'engine-removal', execution);
  });
  afterAll(() => world?.close());

  it('removes all attempts of a run by one request, each shown as Stopping until it is gone', async () => {
    const { engine, proxy, run, names } = await started(8);
    const other = await world.aRun(1, RUNS_ON);
    await engine.startAttempt(requestFor(other));
    await engine.removeAttempts(run, names);
    expect(states(engine, run).filter((kind) => kind !== 'Stopping')).toEqual([]);
    await untilGone(engine, run);
    expect(deletions(proxy)).toEqual([
      `${world.carriers}?labelSelector=${encodeURIComponent(`${LABEL_RUN_UID}=${run.uid}`)}`,
    ]);
    expect((await world.podsOf(run)).filter(isLivePod)).toEqual([]);
    expect(await world.carriersOf(other)).toHaveLength(1);
    await engine.removeAttempts(run, names);
    expect(deletions(proxy)).toHaveLength(1);
  });

  it('removes what no watch has shown yet', async () => {
    const { engine, proxy, run, names } = await started(6, false);
    await engine.removeAttempts(run, names);
    expect(deletions(proxy)).toHaveLength(1);
    await expect.poll(() => world.carriersOf(run), { timeout: DEADLINE_MS }).toEqual([]);
    await expect.poll(() => world.podsOf(run), { timeout: DEADLINE_MS }).toEqual([]);
  });

  it('leaves an attempt alone that was not named', async () => {
    const { engine, run, names, proxy } = await started(7);
    await engine.removeAttempts(run, names.slice(1));
    await until(engine, run, 'one is left', () => engine.observe(run.uid).length === 1);
    expect(states(engine, run)).toEqual(['Running']);
    expect(proxy.requests.filter(isOfCollection)).toEqual([]);
  });

  it('leaves one alone that was not named and whose start got no answer', async () => {
    const { engine, run, names, proxy } = await started(6);
    proxy.freezeWatches();
    proxy.onRequest(({ method }) => (method === 'POST' ? { kind: 'LoseAnswer' } : FORWARD));
    const unanswered = requestFor(run, 6);
    await expect(engine.startAttempt(unanswered)).rejects.toThrow('no answer');
    proxy.onRequest(() => FORWARD);
    await engine.removeAttempts(run, names);
    expect(proxy.requests.filter(isOfCollection)).toEqual([]);
    expect(await engine.startAttempt(unanswered)).toEqual({ kind: 'AlreadyStarted' });
    expect((await world.carriersOf(run)).map(({ metadata }) => metadata.name)).toContain(unanswered.name);
  });

  it('leaves what is of somebody else alone, whatever its labels say', async () => {
    const { engine, run, names, proxy } = await started(6);
    const name = `foreign-${randomUUID().slice(0, 8)}`;
    const { spec } = carrierOf(run).manifest(requestFor(await world.aRun(1, RUNS_ON)));
    await world.cluster.request('POST', world.carriers, {
      metadata: { name, labels: { [LABEL_RUN_UID]: run.uid } },
      spec,
    });
    // Whatever the watch tells of later than of the foreign one.
    await engine.startAttempt(requestFor(run, 6));
    await until(
      engine,
      run,
      'all run',
      () => states(engine, run).filter((kind) => kind === 'Running').length === 7,
    );
    await engine.removeAttempts(run, [...names, requestFor(run, 6).name]);
    await untilGone(engine, run);
    expect((await world.carriersOf(run)).map(({ metadata }) => metadata.name)).toEqual([name]);
    expect(deletions(proxy)).toHaveLength(7);
  });

  it('removes one whose Job, or pod, lost its owner, as by a deletion with propagation Orphan', async () => {
    const { engine, run, names } = await started(2);
    const client = world.client();
    for (const name of names)
      await client.request('PATCH', `${world.carriers}/${name}`, {
        body: { metadata: { ownerReferences: null } },
        contentType: 'application/merge-patch+json',
      });
    // Time for the watch to tell of it. Removed before that, it goes as well.
    await sleep(1_000);
    expect(states(engine, run)).toEqual(['Running', 'Running']);
    await engine.removeAttempts(run, names);
    await untilGone(engine, run);
    await expect.poll(() => world.carriersOf(run), { timeout: DEADLINE_MS }).toEqual([]);
    expect((await world.podsOf(run)).filter(isLivePod)).toEqual([]);
  });

  it('shows the attempts as before when the server fails, so that their removal is asked for again', async () => {
    const { engine, run, names, proxy } = await started(6);
    proxy.onRequest((request) => (isOfCollection(request) ? { kind: 'Answer', status: 500 } : FORWARD));
    await expect(engine.removeAttempts(run, names)).rejects.toThrow('500');
    expect(states(engine, run)).toEqual(Array(6).fill('Running'));
    proxy.onRequest(() => FORWARD);
    await engine.removeAttempts(run, names);
    await untilGone(engine, run);
  });

  it('deletes one by one where it has no right to delete a collection', async () => {
    const { engine, run, names, proxy } = await started(6);
    proxy.onRequest((request) => (isOfCollection(request) ? { kind: 'Answer', status: 403 } : FORWARD));
    await engine.removeAttempts(run, names);
    await untilGone(engine, run);
    expect(deletions(proxy)).toHaveLength(7);
  });

  it('does not catch an attempt that is started while all others are being removed', async () => {
    const { engine, run, names, proxy } = await started(6);
    // The request is carried out when it is sent for the second time, a second later.
    proxy.onRequest((request) =>
      isOfCollection(request) && proxy.requests.filter(isOfCollection).length === 1
        ? { kind: 'Answer', status: 503, headers: { 'retry-after': '1' } }
        : FORWARD,
    );
    const removal = engine.removeAttempts(run, names);
    await expect
      .poll(() => proxy.requests.some(isOfCollection), { timeout: DEADLINE_MS, interval: 5 })
      .toBe(true);
    const late = requestFor(run, 6);
    const [outcome] = await Promise.all([engine.startAttempt(late), removal]);
    expect(outcome).toEqual({ kind: 'Started' });
    await until(
      engine,
      run,
      'only the late one is left, and runs',
      () => states(engine, run).join() === 'Running',
    );
    expect(engine.observe(run.uid)[0]?.name).toBe(late.name);
  });

  it('waits for the starts that are under way, and removes what came of them', async () => {
    const { engine, run, names } = await started(5);
    const late = requestFor(run, 5);
    const start = engine.startAttempt(late);
    await engine.removeAttempts(run, [...names, late.name]);
    expect(await start).toEqual({ kind: 'Started' });
    await untilGone(engine, run);
    expect((await world.podsOf(run)).filter(isLivePod)).toEqual([]);
  });
});
