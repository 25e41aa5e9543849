/** How the Kubernetes engine removes many attempts at once: by one request, where that can hit nothing else. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { LABEL_RUN_UID } from '../../src/api/v1alpha1/constants.ts';
import type { RunDefinition } from '../../src/core/run.ts';
import { requestFor, untilAnnounced } from '../../src/engine/engine.testsuite.ts';
import { carrierOf } from '../../src/engine/kubernetes/attempt-carrier.ts';
import { jobManifest } from '../../src/engine/kubernetes/job-manifest.ts';
import { NotLeadingError } from '../../src/engine/kubernetes/kube-client.ts';
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

/** An engine behind a proxy, and a run of which this many attempts were started and have come so far; `Unseen`: no watch has shown them. */
async function started(
  attempts: number,
  until: 'Running' | 'Ended' | 'Unseen' = 'Running',
  mayWrite = () => true,
): Promise<Started> {
  const proxy = await openFaultyProxy(inject('controlPlane'));
  onTestFinished(() => proxy.close());
  const engine = await openKubernetesEngine({
    client: world.client(proxy.access, mayWrite),
    namespaces: [world.namespace],
  });
  onTestFinished(() => engine.close());
  const run = await world.aRun(attempts + 1, until === 'Ended' ? { runMs: 100 } : RUNS_ON);
  if (until === 'Unseen') proxy.freezeWatches();
  const requests = Array.from({ length: attempts }, (_, index) => requestFor(run, index));
  await Promise.all(requests.map((request) => engine.startAttempt(request)));
  if (until !== 'Unseen')
    await untilShown(
      engine,
      run,
      `all are ${until}`,
      () => states(engine, run).join() === Array(attempts).fill(until).join(),
    );
  return { engine, proxy, run, names: requests.map(({ name }) => name) };
}

const untilShown = (engine: KubernetesEngine, run: RunDefinition, what: string, isSo: () => boolean) =>
  untilAnnounced(engine, run, what, () => isSo() || undefined, DEADLINE_MS);

const states = (engine: KubernetesEngine, run: RunDefinition): readonly string[] =>
  engine.observe(run).map(({ state }) => state.kind);

/** One attempt more than were started, and whatever the watches told of before it: resolves to its name when that many run. */
async function oneMoreRuns({ engine, run, names }: Started): Promise<string> {
  const request = requestFor(run, names.length);
  await engine.startAttempt(request);
  const running = () => states(engine, run).filter((kind) => kind === 'Running');
  await untilShown(engine, run, 'all run', () => running().length === names.length + 1);
  return request.name;
}

const untilGone = (engine: KubernetesEngine, run: RunDefinition) =>
  untilShown(engine, run, 'nothing is shown', () => engine.observe(run).length === 0);

const deletions = ({ requests }: FaultyProxy): readonly string[] =>
  requests.filter(({ method }) => method === 'DELETE').map(({ url }) => url);

/** The one request for everything of the run in a collection. */
const allOf = (run: RunDefinition, collection = world.carriers): string =>
  `${collection}?labelSelector=${encodeURIComponent(`${LABEL_RUN_UID}=${run.uid}`)}`;

const podsPath = (): string => `/api/v1/namespaces/${world.namespace}/pods`;

/** Deletions of what carries attempts, whatever else the garbage collector leaves to the engine. */
const deletedCarriers = (proxy: FaultyProxy): readonly string[] =>
  deletions(proxy).filter((url) => url.startsWith(world.carriers));

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
    expect(deletedCarriers(proxy)).toEqual([allOf(run)]);
    expect((await world.podsOf(run)).filter(isLivePod)).toEqual([]);
    expect(await world.carriersOf(other)).toHaveLength(1);
    await engine.removeAttempts(run, names);
    expect(deletedCarriers(proxy)).toHaveLength(1);
  });

  it('removes what no watch has shown yet', async () => {
    const { engine, proxy, run, names } = await started(6, 'Unseen');
    await engine.removeAttempts(run, names);
    expect(deletions(proxy)).toHaveLength(1);
    await expect.poll(() => world.carriersOf(run), { timeout: DEADLINE_MS }).toEqual([]);
    await expect.poll(() => world.podsOf(run), { timeout: DEADLINE_MS }).toEqual([]);
  });

  it('removes all by one request though another start was not sent, since this process did not lead', async () => {
    let leads = true;
    const { engine, proxy, run, names } = await started(6, 'Running', () => leads);
    leads = false;
    await expect(engine.startAttempt(requestFor(run, 6))).rejects.toThrow(NotLeadingError);
    leads = true;
    await engine.removeAttempts(run, names);
    expect(deletedCarriers(proxy)).toEqual([allOf(run)]);
  });

  it('leaves an attempt alone that was not named', async () => {
    const { engine, run, names, proxy } = await started(7);
    await engine.removeAttempts(run, names.slice(1));
    await untilShown(engine, run, 'one is left', () => engine.observe(run).length === 1);
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
    const start = await started(6);
    const { engine, run, names, proxy } = start;
    const name = `foreign-${randomUUID().slice(0, 8)}`;
    const { spec } = carrierOf(run).manifest(requestFor(await world.aRun(1, RUNS_ON)));
    await world.cluster.request('POST', world.carriers, {
      metadata: { name, labels: { [LABEL_RUN_UID]: run.uid } },
      spec,
    });
    // The watches have told of the foreign one by then.
    const last = await oneMoreRuns(start);
    await engine.removeAttempts(run, [...names, last]);
    await untilGone(engine, run);
    expect((await world.carriersOf(run)).map(({ metadata }) => metadata.name)).toEqual([name]);
    expect(deletedCarriers(proxy)).toHaveLength(7);
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
    expect(deletedCarriers(proxy)).toHaveLength(7);
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
    await untilShown(
      engine,
      run,
      'only the late one is left, and runs',
      () => states(engine, run).join() === 'Running',
    );
    expect(engine.observe(run)[0]?.name).toBe(late.name);
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

describe('the pods of Jobs that are removed', () => {
  beforeAll(async () => {
    world = await openWorld(inject('controlPlane'), 'engine-removal-pods', 'Job');
  });
  afterAll(() => world?.close());

  const isOfPod = ({ method, url }: ProxiedRequest): boolean =>
    method === 'DELETE' && url.startsWith(podsPath());
  const isOfJob = ({ method, url }: ProxiedRequest): boolean =>
    method === 'DELETE' && url.startsWith(world.carriers);

  /** No Job is deleted, so the garbage collector is not faster than the engine. */
  const withoutGarbageCollector = (proxy: FaultyProxy, statusOfPods?: (url: string) => number | undefined) =>
    proxy.onRequest((request) => {
      const status = isOfJob(request) ? 200 : isOfPod(request) ? statusOfPods?.(request.url) : undefined;
      return status === undefined ? FORWARD : { kind: 'Answer', status };
    });

  /** Names of the pods that nobody has told to stop. */
  const thoseThatGoOn = async (run: RunDefinition) =>
    (await world.podsOf(run)).flatMap(({ metadata: { name, deletionTimestamp } }) =>
      deletionTimestamp === undefined ? [name] : [],
    );

  /** How many Jobs and pods were deleted one by one, in the order of the requests. */
  const singly = (jobs: number, pods: number) =>
    [...Array(jobs).fill(world.carriers), ...Array(pods).fill(podsPath())].map((path) =>
      expect.stringMatching(`^${path}/[^/]+$`),
    );

  it('are deleted by one request after the one for the Jobs', async () => {
    const { engine, run, names, proxy } = await started(6);
    withoutGarbageCollector(proxy);
    await engine.removeAttempts(run, names);
    expect(deletions(proxy)).toEqual([allOf(run), allOf(run, podsPath())]);
    expect(await thoseThatGoOn(run)).toEqual([]);
  });

  it('do not take one along that is started meanwhile', async () => {
    const { engine, run, names, proxy } = await started(6);
    const late = requestFor(run, 6);
    proxy.onRequest((request) => {
      if (isOfJob(request)) return { kind: 'Answer', status: 200 };
      return isOfPod(request) ? { kind: 'Hold', until: sleep(500) } : FORWARD;
    });
    const removal = engine.removeAttempts(run, names);
    await expect.poll(() => proxy.requests.some(isOfPod), { timeout: DEADLINE_MS, interval: 5 }).toBe(true);
    expect(await engine.startAttempt(late)).toEqual({ kind: 'Started' });
    await removal;
    await untilShown(engine, run, 'the late one runs', () => states(engine, run).includes('Running'));
    expect(await thoseThatGoOn(run)).toEqual([expect.stringContaining(late.name)]);
  });

  it('are deleted one by one when other attempts of the run stay', async () => {
    const { engine, run, names, proxy } = await started(7);
    withoutGarbageCollector(proxy);
    await engine.removeAttempts(run, names.slice(1));
    expect(deletions(proxy)).toEqual(singly(6, 6));
    expect(await thoseThatGoOn(run)).toEqual([expect.stringContaining(names[0] ?? '')]);
  });

  it('are deleted one by one where there is no right to delete a collection of them', async () => {
    const { engine, run, names, proxy } = await started(6);
    withoutGarbageCollector(proxy, (url) => (url.includes('?') ? 403 : undefined));
    await engine.removeAttempts(run, names);
    expect(deletions(proxy)).toEqual([allOf(run), allOf(run, podsPath()), ...singly(0, 6)]);
  });

  it('are deleted one by one when the run’s UID is written on somebody else’s, which stays', async () => {
    const start = await started(6);
    const { engine, run, names, proxy } = start;
    const name = `foreign-${randomUUID().slice(0, 8)}`;
    const { template } = jobManifest(requestFor(await world.aRun(1, RUNS_ON))).spec ?? {};
    await world.cluster.request('POST', podsPath(), {
      metadata: { name, labels: { [LABEL_RUN_UID]: run.uid } },
      spec: template?.spec,
    });
    // The watches have told of the foreign one by then.
    const last = await oneMoreRuns(start);
    withoutGarbageCollector(proxy);
    await engine.removeAttempts(run, [...names, last]);
    expect(deletions(proxy)).toEqual([allOf(run), ...singly(0, 7)]);
    expect(await thoseThatGoOn(run)).toEqual([name]);
  });

  it.each([
    ['when they are few', 4, 'Running'],
    ['when they have ended', 6, 'Ended'],
  ] as const)('are left to the garbage collector %s', async (_, attempts, until) => {
    const { engine, run, names, proxy } = await started(attempts, until);
    withoutGarbageCollector(proxy);
    await engine.removeAttempts(run, names);
    expect(proxy.requests.filter(isOfPod)).toEqual([]);
  });

  it('are left to the garbage collector when the server fails', async () => {
    const { engine, run, names, proxy } = await started(6);
    proxy.onRequest((request) => (isOfPod(request) ? { kind: 'Answer', status: 500 } : FORWARD));
    await engine.removeAttempts(run, names);
    await untilGone(engine, run);
    expect((await world.podsOf(run)).filter(isLivePod)).toEqual([]);
  });
});
