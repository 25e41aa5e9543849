/** What the Kubernetes engine does when the cluster, the network or other people do not do what is expected of them. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import type { ObservedAttempt } from '../../src/core/attempt.ts';
import type { RunDefinition } from '../../src/core/run.ts';
import { requestFor, shown, untilAnnounced } from '../../src/engine/engine.testsuite.ts';
import { carrierOf } from '../../src/engine/kubernetes/attempt-carrier.ts';
import { attemptPod } from '../../src/engine/kubernetes/attempt-pod.ts';
import { jobManifest } from '../../src/engine/kubernetes/job-manifest.ts';
import {
  type KubernetesEngine,
  openKubernetesEngine,
} from '../../src/engine/kubernetes/kubernetes-engine.ts';
import type { PodObject } from '../../src/engine/kubernetes/kubernetes-objects.ts';
import { podManifest } from '../../src/engine/kubernetes/pod-manifest.ts';
import type { ReflectorTimes } from '../../src/engine/kubernetes/reflector.ts';
import { deletePod, holdPod, letPodGo } from '../faults/kubelet.ts';
import { aDenyingPolicy } from './denying-policy.ts';
import { type Fault, type FaultyProxy, FORWARD, openFaultyProxy } from './faulty-proxy.ts';
import { type Execution, isLivePod, type KubernetesWorld, openWorld } from './kubernetes-world.ts';

const DEADLINE_MS = 20_000;
const RUNS_ON = { runMs: 600_000 };
const ENDS_SOON = { runMs: 20, message: '{"metrics":{"x":1}}' };

let world: KubernetesWorld;
/** Opens a world for the tests beside, and closes it after them. */
function inAWorld(execution: Execution): void {
  beforeAll(async () => {
    world = await openWorld(inject('controlPlane'), 'engine-faults', execution);
  });
  afterAll(() => world?.close());
}

async function anEngine(
  proxy?: FaultyProxy,
  reflectorTimes: Partial<ReflectorTimes> = {},
  now = Date.now,
): Promise<KubernetesEngine> {
  const engine = await openKubernetesEngine({
    client: world.client(proxy?.access),
    namespaces: [world.namespace],
    reflectorTimes,
    now,
  });
  onTestFinished(() => engine.close());
  return engine;
}

async function aProxy(): Promise<FaultyProxy> {
  const proxy = await openFaultyProxy(inject('controlPlane'));
  onTestFinished(() => proxy.close());
  return proxy;
}

const until = <T>(engine: KubernetesEngine, run: RunDefinition, what: string, look: () => T | undefined) =>
  untilAnnounced(engine, run, what, look, DEADLINE_MS);

const untilState = (
  engine: KubernetesEngine,
  run: RunDefinition,
  kind: ObservedAttempt['state']['kind'],
): Promise<ObservedAttempt> =>
  until(engine, run, `the attempt is ${kind}`, () => {
    const attempt = shown(engine, run);
    return attempt?.state.kind === kind ? attempt : undefined;
  });

/** The states that are shown of the run's attempt from now on. */
function seen(engine: KubernetesEngine, run: RunDefinition): { readonly events: readonly string[] } {
  const events: string[] = [];
  onTestFinished(engine.onChange(() => events.push(shown(engine, run)?.state.kind ?? 'Gone')));
  return { events };
}

/** A run whose program goes on until it is ended, and the pod that it runs in. */
async function aRunningPod(engine: KubernetesEngine) {
  const run = await world.aRun(1, RUNS_ON);
  await engine.startAttempt(requestFor(run));
  await untilState(engine, run, 'Running');
  const [pod] = await world.podsOf(run);
  if (pod === undefined) throw new Error('unreachable: one runs');
  return { run, pod };
}

const untilGone = (engine: KubernetesEngine, run: RunDefinition) =>
  until(engine, run, 'nothing is shown', () => (engine.observe(run).length === 0 ? true : undefined));

/** How long ago the engine last knew all of the run, in milliseconds. */
const behindMs = (engine: KubernetesEngine, run: RunDefinition): number => {
  const now = Date.now();
  return now - engine.seenUntil(run, now);
};
const untilUpToDate = (engine: KubernetesEngine, run: RunDefinition) =>
  expect.poll(() => behindMs(engine, run), { timeout: DEADLINE_MS }).toBe(0);

/** What a quota counts them by. */
const COUNTED = { Job: 'count/jobs.batch', Pod: 'count/pods' };
const pods = (): string => `/api/v1/namespaces/${world.namespace}/pods`;
const isCreation = ({ method, url }: { method: string; url: string }): boolean =>
  method === 'POST' && url.endsWith(world.carriers);
const deniedByPolicy: Fault = {
  kind: 'Answer',
  status: 403,
  body: JSON.stringify({ message: 'admission webhook "policy" denied the request', reason: 'Forbidden' }),
};
/** What would be created for the run's first attempt. */
const manifestOf = (run: RunDefinition, request = requestFor(run)) => carrierOf(run).manifest(request);

/** What a kubelet writes once it has ended the program of a pod that is being deleted. */
const sayTerminated = (
  { metadata }: PodObject,
  terminated: { readonly exitCode: number; readonly reason: string; readonly message?: string },
): Promise<unknown> =>
  world.cluster.request('PATCH', `/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}/status`, {
    status: {
      phase: terminated.exitCode === 0 ? 'Succeeded' : 'Failed',
      containerStatuses: [
        {
          name: 'test',
          image: 'bench:1',
          imageID: '',
          ready: false,
          restartCount: 0,
          state: { terminated: { ...terminated, finishedAt: new Date(Date.now() + 60_000).toISOString() } },
        },
      ],
    },
  });

describe.each<Execution>(['Job', 'Pod'])('with execution %s', (execution) => {
  inAWorld(execution);

  describe('starting', () => {
    it('adopts an attempt whose creation was carried out though its answer was lost: one object, one pod', async () => {
      const proxy = await aProxy();
      const engine = await anEngine(proxy);
      const run = await world.aRun(1, RUNS_ON);
      proxy.onRequest((request) => (isCreation(request) ? { kind: 'LoseAnswer' } : FORWARD));
      await expect(engine.startAttempt(requestFor(run))).rejects.toThrow('no answer');
      proxy.onRequest(() => FORWARD);
      expect(await engine.startAttempt(requestFor(run))).toEqual({ kind: 'AlreadyStarted' });
      await untilState(engine, run, 'Running');
      expect(await world.carriersOf(run)).toHaveLength(1);
      expect(await world.podsOf(run)).toHaveLength(1);
      await engine.removeAttempts(run, [requestFor(run).name]);
      await untilGone(engine, run);
    });

    it('adopts it as well when no watch has shown it yet', async () => {
      const proxy = await aProxy();
      const engine = await anEngine(proxy);
      const run = await world.aRun(1, RUNS_ON);
      proxy.freezeWatches();
      proxy.onRequest((request) => (isCreation(request) ? { kind: 'LoseAnswer' } : FORWARD));
      await expect(engine.startAttempt(requestFor(run))).rejects.toThrow('no answer');
      expect(engine.observe(run)).toEqual([]);
      proxy.onRequest(() => FORWARD);
      expect(await engine.startAttempt(requestFor(run))).toEqual({ kind: 'AlreadyStarted' });
      expect(['Waiting', 'Running']).toContain(shown(engine, run)?.state.kind);
      proxy.thawWatches();
      await untilState(engine, run, 'Running');
    });

    it('shows it as well once somebody asks whether it is gone, which it is when the server has none', async () => {
      const proxy = await aProxy();
      const engine = await anEngine(proxy);
      const run = await world.aRun(1, RUNS_ON);
      const { name } = requestFor(run);
      proxy.freezeWatches();
      proxy.onRequest((request) => (isCreation(request) ? { kind: 'LoseAnswer' } : FORWARD));
      await expect(engine.startAttempt(requestFor(run))).rejects.toThrow('no answer');
      expect(engine.observe(run)).toEqual([]);
      expect(await engine.isGone(run, name)).toBe(false);
      expect(['Waiting', 'Running']).toContain(shown(engine, run)?.state.kind);
      await world.cluster.request('DELETE', `${world.carriers}/${name}`, { propagationPolicy: 'Background' });
      await untilGone(engine, run);
      expect(await engine.isGone(run, name)).toBe(true);
      proxy.onRequest(() => ({ kind: 'Answer', status: 500 }));
      await expect(engine.isGone(run, name)).rejects.toThrow('500');
      proxy.onRequest(() => ({ kind: 'Answer', status: 403 }));
      expect(await engine.isGone(run, name), 'as far as it may know').toBe(true);
    });

    it('shows what it started, and starts it no second time, while its watches show nothing', async () => {
      const proxy = await aProxy();
      const engine = await anEngine(proxy);
      const run = await world.aRun(1, RUNS_ON);
      proxy.freezeWatches();
      expect(await engine.startAttempt(requestFor(run))).toEqual({ kind: 'Started' });
      expect(shown(engine, run)?.state.kind).toBe('Waiting');
      expect(await engine.startAttempt(requestFor(run))).toEqual({ kind: 'AlreadyStarted' });
      expect(await world.carriersOf(run)).toHaveLength(1);
    });

    it('lets go of an attempt that was taken away before any watch had shown it', async () => {
      const proxy = await aProxy();
      const engine = await anEngine(proxy);
      const run = await world.aRun(1, RUNS_ON);
      proxy.freezeWatches();
      await engine.startAttempt(requestFor(run));
      await world.cluster.request('DELETE', `${world.carriers}/${requestFor(run).name}`, {
        propagationPolicy: 'Background',
      });
      await untilGone(engine, run);
    });

    it('lets go of attempts that it had to ask for, and that go before any watch shows them', async () => {
      const proxy = await aProxy();
      const engine = await anEngine(proxy, { backoff: { firstMs: 100, maxMs: 500 } });
      const run = await world.aRun(2, RUNS_ON);
      const names = [requestFor(run, 0).name, requestFor(run, 1).name] as const;
      const paths = names.map((name) => `${world.carriers}/${name}`);
      const found = new Set<string>();
      const isView = ({ url }: { url: string }) => url.startsWith(`${world.carriers}?`);
      await expect.poll(() => proxy.openWatches(), { timeout: DEADLINE_MS }).toBe(2);
      proxy.onRequest((request) => {
        if (isView(request)) return { kind: 'Answer', status: 500 };
        const { method, url } = request;
        if (method !== 'GET' || !paths.includes(url)) return FORWARD;
        const answered = async () => {
          found.add(url);
          return 'Deliver' as const;
        };
        return { kind: 'Intercept', answered };
      });
      proxy.cutWatches('Reset');
      await engine.startAttempt(requestFor(run, 0));
      await engine.startAttempt(requestFor(run, 1));
      await expect.poll(() => found.size, { timeout: DEADLINE_MS }).toBe(2);
      await engine.removeAttempts(run, [names[0]]);
      await world.cluster.request('DELETE', `${world.carriers}/${names[1]}`, {
        propagationPolicy: 'Background',
      });
      await expect.poll(() => world.carriersOf(run), { timeout: DEADLINE_MS }).toEqual([]);
      // The view lists anew what there is. It had neither of them before, so it misses none.
      let isExpired = true;
      proxy.onRequest((request) => {
        if (!request.isWatch || !isView(request) || !isExpired) return FORWARD;
        isExpired = false;
        return { kind: 'Answer', status: 410 };
      });
      await untilGone(engine, run);
    });

    it('asks once for an attempt that no watch shows while the server does not answer that', async () => {
      const proxy = await aProxy();
      const engine = await anEngine(proxy, { backoff: { firstMs: 100, maxMs: 500 } });
      const run = await world.aRun(1, RUNS_ON);
      const { name } = requestFor(run);
      let asked = 0;
      await expect.poll(() => proxy.openWatches(), { timeout: DEADLINE_MS }).toBe(2);
      proxy.onRequest(({ method, url }) => {
        if (url.startsWith(`${world.carriers}?`)) return { kind: 'Answer', status: 500 };
        if (method !== 'GET' || url !== `${world.carriers}/${name}`) return FORWARD;
        asked += 1;
        return { kind: 'Hang' };
      });
      proxy.cutWatches('Reset');
      await engine.startAttempt(requestFor(run));
      await expect.poll(() => asked, { timeout: DEADLINE_MS }).toBe(1);
      // As long as it takes to ask twice more.
      await delay(12_000);
      expect(asked).toBe(1);
      proxy.onRequest(() => FORWARD);
      await untilState(engine, run, 'Running');
    });

    it('refuses a name that something of somebody else has, and leaves that alone', async () => {
      const engine = await anEngine();
      const [run, other] = [await world.aRun(1, RUNS_ON), await world.aRun(1, RUNS_ON)];
      const request = requestFor(run);
      const foreign = manifestOf(other, { ...requestFor(other), name: request.name });
      await world.cluster.request('POST', world.carriers, foreign);
      expect(await engine.startAttempt(request)).toMatchObject({ kind: 'Refused', reason: 'NameTaken' });
      expect(engine.observe(run)).toEqual([]);
      await engine.removeAttempts(run, [request.name]);
      expect(await world.carriersOf(other)).toHaveLength(1);
    });

    it('does not believe what carries a run’s UID and is not owned by its object', async () => {
      const engine = await anEngine();
      const run = await world.aRun(2, ENDS_SOON);
      const [request, next] = [requestFor(run), requestFor(run, 1)];
      const forged = manifestOf(run);
      const { ownerReferences: _, ...metadata } = forged.metadata ?? {};
      await world.cluster.request('POST', world.carriers, { ...forged, metadata });
      expect(await engine.startAttempt(request)).toMatchObject({ kind: 'Refused', reason: 'NameTaken' });
      const phases = async () => (await world.podsOf(run)).map(({ status }) => status?.phase);
      await expect.poll(phases, { timeout: DEADLINE_MS }).toEqual(['Succeeded']);
      // What watches tell of it, they have told before they tell of this one.
      await engine.startAttempt(next);
      const shownOfNext = () => engine.observe(run).find(({ name }) => name === next.name);
      await until(engine, run, 'the next one has ended', () =>
        shownOfNext()?.state.kind === 'Ended' ? true : undefined,
      );
      expect(engine.observe(run)).toEqual([shownOfNext()]);
    });

    it('adopts what an earlier try started, though a policy refuses the next one', async () => {
      const proxy = await aProxy();
      proxy.onWatch(() => () => {});
      const engine = await anEngine(proxy);
      const run = await world.aRun(2, RUNS_ON);
      proxy.onRequest((request) => (isCreation(request) ? { kind: 'TimeOut' } : FORWARD));
      expect(await engine.startAttempt(requestFor(run))).toMatchObject({ mayHaveStarted: true });
      proxy.onRequest((request) => {
        if (isCreation(request)) return deniedByPolicy;
        return request.method === 'GET' ? { kind: 'Answer', status: 500 } : FORWARD;
      });
      await expect(engine.startAttempt(requestFor(run)), 'nobody tells what there is').rejects.toThrow();
      proxy.onRequest((request) => (isCreation(request) ? deniedByPolicy : FORWARD));
      expect(await engine.startAttempt(requestFor(run))).toEqual({ kind: 'AlreadyStarted' });
      expect(await engine.startAttempt(requestFor(run, 1))).toMatchObject({ kind: 'Refused' });
      await engine.removeAttempts(run, [requestFor(run).name]);
    });

    it('adopts it as well when a try in between found its name taken and got no answer by whom', async () => {
      const proxy = await aProxy();
      proxy.onWatch(() => () => {});
      const engine = await anEngine(proxy);
      const run = await world.aRun(1, RUNS_ON);
      const request = requestFor(run);
      proxy.onRequest((asked) => (isCreation(asked) ? { kind: 'LoseAnswer' } : FORWARD));
      await expect(engine.startAttempt(request)).rejects.toThrow('no answer');
      proxy.onRequest(({ method }) => (method === 'GET' ? { kind: 'Answer', status: 500 } : FORWARD));
      await expect(engine.startAttempt(request)).rejects.toMatchObject({ status: 500 });
      proxy.onRequest((asked) => (isCreation(asked) ? deniedByPolicy : FORWARD));
      expect(await engine.startAttempt(request)).toEqual({ kind: 'AlreadyStarted' });
      await engine.removeAttempts(run, [request.name]);
    });

    it('that is refused is so for good when an earlier try got no answer and started nothing', async () => {
      const proxy = await aProxy();
      const engine = await anEngine(proxy);
      const run = await world.aRun(1, RUNS_ON);
      proxy.onRequest((request) => (isCreation(request) ? { kind: 'Answer', status: 504 } : FORWARD));
      expect(await engine.startAttempt(requestFor(run))).toMatchObject({ mayHaveStarted: true });
      proxy.onRequest((request) => (isCreation(request) ? { kind: 'Answer', status: 422 } : FORWARD));
      expect(await engine.startAttempt(requestFor(run))).toMatchObject({ kind: 'Refused' });
    });

    it('waits for a quota instead of failing', async () => {
      const engine = await anEngine();
      const run = await world.aRun(100, ENDS_SOON);
      const quotas = `/api/v1/namespaces/${world.namespace}/resourcequotas`;
      await world.cluster.request('POST', quotas, {
        metadata: { name: 'nothing' },
        spec: { hard: { [COUNTED[world.execution]]: '0' } },
      });
      onTestFinished(async () => {
        await world.cluster.request('DELETE', `${quotas}/nothing`);
      });
      // A quota holds from the moment on at which its controller has counted, and the API server has heard of that: an earlier start succeeds, and another one has to be tried.
      await expect
        .poll(() => world.cluster.request<{ status?: unknown }>('GET', `${quotas}/nothing`), {
          timeout: DEADLINE_MS,
        })
        .toMatchObject({ status: { hard: { [COUNTED[world.execution]]: '0' } } });
      let trial = -1;
      const startNext = () => {
        trial += 1;
        return engine.startAttempt(requestFor(run, trial));
      };
      await expect.poll(startNext, { timeout: DEADLINE_MS, interval: 200 }).toMatchObject({
        kind: 'Postponed',
        reason: 'QuotaExceeded',
        message: expect.stringContaining('nothing'),
      });
      const { name } = requestFor(run, trial);
      expect(engine.observe(run).filter((shown) => shown.name === name)).toEqual([]);
    });

    it.each([
      [429, { 'retry-after': '7' }, 'TooManyRequests', 7_000, undefined],
      [500, {}, 'ServerUnavailable', 2_000, true],
      [503, {}, 'ServerUnavailable', 2_000, true],
    ])('postpones after HTTP %i', async (status, headers, reason, retryAfterMs, mayHaveStarted) => {
      const proxy = await aProxy();
      const engine = await anEngine(proxy);
      const run = await world.aRun(1, ENDS_SOON);
      proxy.onRequest((request) => (isCreation(request) ? { kind: 'Answer', status, headers } : FORWARD));
      const outcome = await engine.startAttempt(requestFor(run));
      expect(outcome).toMatchObject({ kind: 'Postponed', reason, retryAfterMs });
      expect(outcome.kind === 'Postponed' && outcome.mayHaveStarted).toBe(mayHaveStarted);
      expect(proxy.requests.filter(isCreation)).toHaveLength(1);
      expect(engine.observe(run)).toEqual([]);
    });

    it('refuses what a policy of the cluster denies', async () => {
      const engine = await anEngine();
      const run = await world.aRun(1, ENDS_SOON);
      await aDenyingPolicy(world.cluster, {
        name: `deny-${run.name}`,
        matchConstraints: {
          resourceRules: [
            {
              apiGroups: ['batch', ''],
              apiVersions: ['v1'],
              operations: ['CREATE'],
              resources: [world.execution === 'Job' ? 'jobs' : 'pods'],
            },
          ],
        },
        validation: {
          expression: `!object.metadata.name.startsWith('${run.name}')`,
          message: 'not here',
        },
        collection: world.carriers,
        denied: manifestOf(run),
      });
      expect(await engine.startAttempt(requestFor(run))).toMatchObject({
        kind: 'Refused',
        reason: 'AdmissionDenied',
        message: expect.stringContaining('not here'),
      });
    });

    it('waits for rights that it was not granted', async () => {
      const engine = await anEngine();
      const proxy = await aProxy();
      const restricted = await anEngine(proxy);
      const run = await world.aRun(1, ENDS_SOON);
      proxy.onRequest((request) =>
        isCreation(request)
          ? {
              kind: 'Answer',
              status: 403,
              body: JSON.stringify({
                kind: 'Status',
                reason: 'Forbidden',
                message:
                  'jobs.batch is forbidden: User "system:serviceaccount:x:y" cannot create resource "jobs" in API group "batch"',
              }),
            }
          : FORWARD,
      );
      expect(await restricted.startAttempt(requestFor(run))).toMatchObject({
        kind: 'Postponed',
        reason: 'Forbidden',
      });
      expect(engine.observe(run)).toEqual([]);
    });

    it('does not fail the trials of a namespace that is being deleted', async () => {
      const doomed = await openWorld(inject('controlPlane'), 'doomed', world.execution);
      const engine = await openKubernetesEngine({ client: doomed.client(), namespaces: [doomed.namespace] });
      onTestFinished(async () => {
        await engine.close();
        await doomed.close();
      });
      const run = await doomed.aRun(1, ENDS_SOON);
      await doomed.cluster.request('DELETE', `/api/v1/namespaces/${doomed.namespace}`);
      expect(await engine.startAttempt(requestFor(run))).toMatchObject({
        kind: 'Postponed',
        reason: 'NamespaceTerminating',
      });
    });
  });

  describe('pods', () => {
    it('that ended while no watch told of it are shown with their end once somebody asks anew', async () => {
      const proxy = await aProxy();
      const engine = await anEngine(proxy);
      const run = await world.aRun(1, { ...ENDS_SOON, runMs: 2_000 });
      const { name } = requestFor(run);
      await engine.startAttempt(requestFor(run));
      await untilState(engine, run, 'Running');
      proxy.freezeWatches();
      const phases = async () => (await world.podsOf(run)).map(({ status }) => status?.phase);
      await expect.poll(phases, { timeout: DEADLINE_MS }).toEqual(['Succeeded']);
      expect(shown(engine, run)?.state.kind).toBe('Running');
      expect(await engine.isAsShown(run, name)).toBe(false);
      const termination = { kind: 'Exited', exitCode: 0, message: ENDS_SOON.message };
      expect(shown(engine, run)?.state).toMatchObject({ kind: 'Ended', termination });
      expect(await engine.isAsShown(run, name)).toBe(false);
    });

    it('that go on are known to once somebody asks anew, but for one whose start no watch has told', async () => {
      const proxy = await aProxy();
      const engine = await anEngine(proxy);
      const run = await world.aRun(2, RUNS_ON);
      const [first, second] = [requestFor(run), requestFor(run, 1)];
      await engine.startAttempt(first);
      await untilState(engine, run, 'Running');
      expect(await engine.isAsShown(run, first.name)).toBe(true);
      proxy.freezeWatches();
      await engine.startAttempt(second);
      await expect
        .poll(async () => (await world.podsOf(run)).map(({ status }) => status?.phase), {
          timeout: DEADLINE_MS,
        })
        .toEqual(['Running', 'Running']);
      expect(engine.observe(run).map(({ state }) => state.kind)).toEqual(['Running', 'Waiting']);
      await expect(engine.isAsShown(run, second.name)).rejects.toThrow('has started');
      expect(await engine.isAsShown(run, first.name)).toBe(true);
      for (const { metadata } of await world.podsOf(run))
        await world.cluster.request(
          'DELETE',
          `/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}?gracePeriodSeconds=0`,
        );
      // It was not its program that took too long.
      expect(engine.observe(run)[0]?.state.kind).toBe('Running');
      await expect(engine.isAsShown(run, first.name)).rejects.toThrow('is gone, or goes');
    });

    it('are accepted by a namespace that enforces the restricted Pod Security Standard', async () => {
      const engine = await anEngine();
      const run = await world.aRun(1, ENDS_SOON, {
        spec: {
          initContainers: [{ name: 'prepare', image: 'bench:1' }],
          containers: [
            { name: 'test', image: 'bench:1' },
            { name: 'database', image: 'bench:1' },
          ],
        },
      });
      await engine.startAttempt(requestFor(run));
      const { state } = await untilState(engine, run, 'Ended');
      expect(state).toMatchObject({
        termination: { kind: 'Exited', exitCode: 0, message: ENDS_SOON.message },
      });
      const [pod] = await world.podsOf(run);
      expect(pod?.spec).toMatchObject({ automountServiceAccountToken: false, restartPolicy: 'Never' });
    });

    it('that cannot be scheduled are shown as waiting, with the scheduler’s words', async () => {
      const engine = await anEngine();
      const run = await world.aRun(1, ENDS_SOON, {
        spec: {
          nodeSelector: { 'example.com/gpu': 'yes' },
          containers: [{ name: 'test', image: 'bench:1' }],
        },
      });
      await engine.startAttempt(requestFor(run));
      const waiting = await until(engine, run, 'it waits for a node', () => {
        const state = shown(engine, run)?.state;
        return state?.kind === 'Waiting' && state.reason === 'Unschedulable' ? state : undefined;
      });
      expect(waiting.message).toContain('node');
      await engine.removeAttempts(run, [requestFor(run).name]);
      await untilGone(engine, run);
    });

    it('that a gate keeps from being scheduled, as Kueue does, are shown as waiting', async () => {
      const engine = await anEngine();
      const run = await world.aRun(1, ENDS_SOON, {
        spec: {
          schedulingGates: [{ name: 'example.com/queue' }],
          containers: [{ name: 'test', image: 'bench:1' }],
        },
      });
      await engine.startAttempt(requestFor(run));
      await until(engine, run, 'it waits for the gate', () => {
        const state = shown(engine, run)?.state;
        return state?.kind === 'Waiting' && state.reason === 'SchedulingGated' ? true : undefined;
      });
      await engine.removeAttempts(run, [requestFor(run).name]);
      await untilGone(engine, run);
    });

    it('deleted by somebody else do not count as a verdict of their program', async () => {
      const engine = await anEngine();
      const { run, pod } = await aRunningPod(engine);
      await holdPod(world, pod);
      await deletePod(world, pod);
      await untilState(engine, run, 'Stopping');
      await sayTerminated(pod, { exitCode: 143, reason: 'Error' });
      const { state } = await untilState(engine, run, 'Ended');
      expect(state).toMatchObject({ termination: { kind: 'Lost', reason: 'PodDeleted' } });
      await letPodGo(world, pod);
      // Nothing makes another.
      await expect
        .poll(async () => (await world.podsOf(run)).filter(isLivePod), { timeout: DEADLINE_MS })
        .toEqual([]);
    });

    it('that were evicted are lost, not failed', async () => {
      const engine = await anEngine();
      const { run, pod } = await aRunningPod(engine);
      await world.cluster.request('PATCH', `${pods()}/${pod.metadata.name}/status`, {
        status: { phase: 'Failed', reason: 'Evicted', message: 'The node was low on resource: memory.' },
      });
      const { state } = await untilState(engine, run, 'Ended');
      expect(state).toMatchObject({
        termination: { kind: 'Lost', reason: 'Evicted', message: 'The node was low on resource: memory.' },
      });
    });

    it.each([
      { apiVersion: 'batch/v1', kind: 'Job' },
      { apiVersion: 'batchtest.dev/v1alpha1', kind: 'BatchTest' },
    ])(
      'made by a $kind that we do not know are not believed, whatever their labels say',
      async (forgedOwner) => {
        const engine = await anEngine();
        const run = await world.aRun(1, RUNS_ON);
        const { metadata, spec } = attemptPod(requestFor(run), undefined);
        await world.cluster.request('POST', pods(), {
          metadata: {
            ...metadata,
            name: `forged-${run.name}`,
            annotations: {
              ...metadata.annotations,
              'kwok.test/run': '10ms',
              'kwok.test/message': '{"metrics":{"x":0}}',
            },
            ownerReferences: [
              { ...forgedOwner, name: requestFor(run).name, uid: randomUUID(), controller: true },
            ],
          },
          spec,
        });
        await engine.startAttempt(requestFor(run));
        await untilState(engine, run, 'Running');
        expect(engine.observe(run)).toHaveLength(1);
      },
    );

    it('in another namespace are not believed, also before anything of the run is asked for', async () => {
      const elsewhere = await openWorld(inject('controlPlane'), 'engine-faults-elsewhere', 'Pod');
      onTestFinished(() => elsewhere.close());
      const run = await world.aRun(1, RUNS_ON);
      const { metadata, spec } = podManifest(requestFor(run));
      const forged = await world.cluster.request<PodObject>('POST', elsewhere.carriers, {
        // The owner is no object of this namespace, so the garbage collector deletes it, and this keeps it.
        metadata: { ...metadata, namespace: elsewhere.namespace, finalizers: ['example.com/kept'] },
        spec,
      });
      onTestFinished(async () => {
        const path = `${elsewhere.carriers}/${forged.metadata.name}`;
        await world.cluster.request('PATCH', path, { metadata: { finalizers: null } });
      });
      await sayTerminated(forged, { exitCode: 0, reason: 'Completed', message: ENDS_SOON.message });
      // As by an operator that begins to lead.
      const engine = await openKubernetesEngine({
        client: world.client(),
        namespaces: [world.namespace, elsewhere.namespace],
      });
      onTestFinished(() => engine.close());
      expect(engine.observe(run)).toEqual([]);
      await engine.startAttempt(requestFor(run));
      await untilState(engine, run, 'Running');
      expect(engine.observe(run)).toHaveLength(1);
    });
  });

  describe('what carries attempts', () => {
    it('loses no result that was seen when it is deleted while the watches are cut', async () => {
      const proxy = await aProxy();
      const engine = await anEngine(proxy);
      const run = await world.aRun(1, ENDS_SOON);
      await engine.startAttempt(requestFor(run));
      const ended = await untilState(engine, run, 'Ended');
      proxy.cutWatches('Reset');
      await world.cluster.request('DELETE', `${world.carriers}/${requestFor(run).name}`, {
        propagationPolicy: 'Background',
      });
      await expect.poll(() => world.podsOf(run), { timeout: DEADLINE_MS }).toEqual([]);
      const second = await world.aRun(1, ENDS_SOON);
      await engine.startAttempt(requestFor(second));
      await untilState(engine, second, 'Ended');
      expect(shown(engine, run)).toMatchObject({ state: ended.state });
      await engine.removeAttempts(run, [requestFor(run).name]);
      expect(engine.observe(run)).toEqual([]);
    });

    it('is shown again when it cannot be deleted now, so that its deletion is asked for again', async () => {
      const proxy = await aProxy();
      const engine = await anEngine(proxy);
      const run = await world.aRun(1, ENDS_SOON);
      await engine.startAttempt(requestFor(run));
      await untilState(engine, run, 'Ended');
      proxy.onRequest(({ method }) => (method === 'DELETE' ? { kind: 'Answer', status: 500 } : FORWARD));
      await expect(engine.removeAttempts(run, [requestFor(run).name])).rejects.toMatchObject({ status: 500 });
      expect(shown(engine, run)?.state.kind).toBe('Ended');
      proxy.onRequest(() => FORWARD);
      await engine.removeAttempts(run, [requestFor(run).name]);
      expect(engine.observe(run)).toEqual([]);
      await expect.poll(() => world.carriersOf(run), { timeout: DEADLINE_MS }).toEqual([]);
    });
  });

  it('says until when it saw, while the API server is away', async () => {
    const proxy = await aProxy();
    const engine = await anEngine(proxy);
    const run = await world.aRun(1, RUNS_ON);
    await untilUpToDate(engine, run);
    proxy.onRequest(() => ({ kind: 'Answer', status: 503 }));
    proxy.cutWatches('Reset');
    await expect.poll(() => behindMs(engine, run), { timeout: DEADLINE_MS }).toBeGreaterThan(500);
    proxy.onRequest(() => FORWARD);
    await untilUpToDate(engine, run);
  });

  it('has not seen, when its process goes on after it stood still, what came meanwhile', async () => {
    const engine = await anEngine();
    const { run, pod } = await aRunningPod(engine);
    await untilUpToDate(engine, run);
    await delay(1_000);
    // What a kubelet says arrives while nothing here reads it.
    const ends = sayTerminated(pod, {
      exitCode: 0,
      reason: 'Completed',
      message: '{"metrics":{"p95_ms":1}}',
    });
    await delay(0);
    const stoodSince = Date.now();
    const seen = new Promise<{ kind: string | undefined; seenUntil: number }>((resolve) =>
      setTimeout(
        () => resolve({ kind: shown(engine, run)?.state.kind, seenUntil: engine.seenUntil(run, Date.now()) }),
        1,
      ),
    );
    while (Date.now() < stoodSince + 2_500);
    expect((await seen).seenUntil).toBeLessThanOrEqual(stoodSince);
    await ends;
    await untilState(engine, run, 'Ended');
    await untilUpToDate(engine, run);
  });

  it('has seen nothing since an outage before all pages of what there is now are here', async () => {
    const proxy = await aProxy();
    const engine = await anEngine(proxy, { backoff: { firstMs: 100, maxMs: 500 } });
    const run = await world.aRun(1, RUNS_ON);
    await untilUpToDate(engine, run);
    proxy.onRequest(() => ({ kind: 'Answer', status: 503 }));
    proxy.cutWatches('Reset');
    await expect.poll(() => behindMs(engine, run), { timeout: DEADLINE_MS }).toBeGreaterThan(500);
    const seenUntil = engine.seenUntil(run, Date.now());
    // Back, and it no longer knows what changed since: everything is listed, and the second page is long in coming.
    let letThrough = () => {};
    const held = new Promise<void>((resolve) => {
      letThrough = resolve;
    });
    const page = { metadata: { resourceVersion: '1', continue: 'more' }, items: [] };
    const isSecondPage = ({ url }: { url: string }) => url.includes('continue=more');
    proxy.onRequest((request) => {
      if (request.isWatch) return { kind: 'Answer', status: 410 };
      if (isSecondPage(request)) return { kind: 'Hold', until: held };
      return { kind: 'Answer', status: 200, body: JSON.stringify(page) };
    });
    await expect.poll(() => proxy.requests.filter(isSecondPage).length, { timeout: DEADLINE_MS }).toBe(2);
    expect(engine.seenUntil(run, Date.now())).toBe(seenUntil);
    proxy.onRequest(() => FORWARD);
    letThrough();
    await untilUpToDate(engine, run);
  });

  it('goes on through an outage of the API server, and tells what happened meanwhile', async () => {
    const proxy = await aProxy();
    const engine = await anEngine(proxy);
    const run = await world.aRun(3, { ...ENDS_SOON, runMs: 1_500 });
    await Promise.all(run.trials.map((_, index) => engine.startAttempt(requestFor(run, index))));
    proxy.onRequest(() => ({ kind: 'Answer', status: 503 }));
    proxy.cutWatches('Reset');
    await expect
      .poll(async () => (await world.podsOf(run)).filter(isLivePod).length, { timeout: DEADLINE_MS })
      .toBe(0);
    expect(engine.observe(run).some(({ state }) => state.kind === 'Ended')).toBe(false);
    expect(engine.health().every(({ lastProblem }) => lastProblem !== undefined)).toBe(true);
    proxy.onRequest(() => FORWARD);
    await until(engine, run, 'all ends are seen', () =>
      engine.observe(run).filter(({ state }) => state.kind === 'Ended').length === 3 ? true : undefined,
    );
  });
});

describe('Jobs', () => {
  inAWorld('Job');

  it('that are over keep their result though the watch of pods is behind for longer than usual', async () => {
    const proxy = await aProxy();
    // Shown nothing of pods from the start on: neither by a list nor by a watch of the view.
    const isView = ({ url }: { url: string }) => url.startsWith(`${pods()}?`) && !url.includes('attempt');
    const engine = await anEngine(proxy);
    await expect.poll(() => proxy.openWatches(), { timeout: DEADLINE_MS }).toBe(2);
    proxy.onRequest((request) => (isView(request) ? { kind: 'Answer', status: 500 } : FORWARD));
    proxy.cutWatches('Reset');
    const run = await world.aRun(1, ENDS_SOON);
    await engine.startAttempt(requestFor(run));
    const { state } = await untilState(engine, run, 'Ended');
    expect(state).toMatchObject({
      termination: { kind: 'Exited', exitCode: 0, message: ENDS_SOON.message },
    });
    proxy.onRequest(() => FORWARD);
  });

  /** Its start got no answer, its pod was seen and has ended, and the watch of Jobs has yet to tell whose pod that was. */
  async function anUnseenJobOfASeenPod() {
    const proxy = await aProxy();
    const engine = await anEngine(proxy);
    const run = await world.aRun(1, { ...ENDS_SOON, runMs: 1_000 });
    const { events } = seen(engine, run);
    const isView = ({ url }: { url: string }) => url.startsWith(`${world.carriers}?`);
    await expect.poll(() => proxy.openWatches(), { timeout: DEADLINE_MS }).toBe(2);
    proxy.onRequest((request) => {
      if (isView(request)) return { kind: 'Answer', status: 500 };
      return isCreation(request) ? { kind: 'LoseAnswer' } : FORWARD;
    });
    proxy.cutWatches('Reset');
    await expect(engine.startAttempt(requestFor(run))).rejects.toThrow('no answer');
    await until(engine, run, 'its pod is shown, and then no more', () =>
      events.includes('Stopping') && events.at(-1) === 'Gone' ? true : undefined,
    );
    return { proxy, engine, run, name: requestFor(run).name };
  }

  it('keep the result of a pod that was seen before them, once somebody asks whether they are gone', async () => {
    const { engine, run, name } = await anUnseenJobOfASeenPod();
    expect(await engine.isGone(run, name)).toBe(false);
    const termination = { kind: 'Exited', exitCode: 0, message: ENDS_SOON.message };
    expect(shown(engine, run)?.state).toMatchObject({ kind: 'Ended', termination });
    expect(await engine.startAttempt(requestFor(run))).toEqual({ kind: 'AlreadyStarted' });
  });

  it('are removed though only a pod of theirs was ever seen', async () => {
    const { proxy, engine, run, name } = await anUnseenJobOfASeenPod();
    await engine.removeAttempts(run, [name]);
    await expect.poll(() => world.carriersOf(run), { timeout: DEADLINE_MS }).toEqual([]);
    proxy.onRequest(() => FORWARD);
    await untilUpToDate(engine, run);
    expect(engine.observe(run)).toEqual([]);
    expect(await engine.isGone(run, name)).toBe(true);
  });

  it('that somebody deletes while the server is asked for their pods are shown no more', async () => {
    const proxy = await aProxy();
    let aheadMs = 0;
    const engine = await anEngine(proxy, {}, () => Date.now() + aheadMs);
    const run = await world.aRun(2, ENDS_SOON);
    const { name, trial } = requestFor(run);
    let letThrough = () => {};
    const held = new Promise<void>((resolve) => {
      letThrough = resolve;
    });
    const isView = ({ url }: { url: string }) => url.startsWith(`${pods()}?`) && !url.includes('attempt');
    const isOfItsPods = ({ url }: { url: string }) =>
      url.includes(`variant-id%3D${trial.variant.id}`) && url.includes(`repetition%3D${trial.repetition}%2C`);
    await expect.poll(() => proxy.openWatches(), { timeout: DEADLINE_MS }).toBe(2);
    proxy.onRequest((request) => {
      if (isView(request)) return { kind: 'Answer', status: 500 };
      return isOfItsPods(request) ? { kind: 'Hold', until: held } : FORWARD;
    });
    proxy.cutWatches('Reset');
    await Promise.all(run.trials.map((_, index) => engine.startAttempt(requestFor(run, index))));
    await until(engine, run, 'both Jobs are over, and no pod was seen', () =>
      engine.observe(run).every(({ state }) => state.kind === 'Stopping') ? true : undefined,
    );
    // Time enough for a pod to be seen after its Job.
    aheadMs = 5_000;
    await until(engine, run, 'the other one has ended', () =>
      shown(engine, run, 1)?.state.kind === 'Ended' ? true : undefined,
    );
    await expect.poll(() => proxy.requests.some(isOfItsPods), { timeout: DEADLINE_MS }).toBe(true);
    await world.cluster.request('DELETE', `${world.carriers}/${name}`, { propagationPolicy: 'Background' });
    await until(engine, run, 'only the other one is shown', () =>
      engine.observe(run).length === 1 ? true : undefined,
    );
    letThrough();
    // As long as the server takes to answer two requests.
    await engine.removeAttempts(run, [name]);
    await engine.removeAttempts(run, [name]);
    expect(engine.observe(run).map((attempt) => attempt.name)).toEqual([requestFor(run, 1).name]);
  });

  it('are not taken to have been seen to the end once some of what came while the process stood still is read', async () => {
    const proxy = await aProxy();
    let standsStill = false;
    const unread: { readonly kind: string; readonly arrives: () => void }[] = [];
    proxy.onWatch(() => (line, deliver) => {
      if (standsStill) unread.push({ kind: line.object.kind, arrives: () => deliver(line) });
      else deliver(line);
    });
    let aheadMs = 0;
    const now = () => Date.now() + aheadMs;
    const engine = await anEngine(proxy, {}, now);
    const run = await world.aRun(1, RUNS_ON);
    await untilUpToDate(engine, run);
    standsStill = true;
    await world.cluster.request('POST', world.carriers, manifestOf(run));
    // Both views have something to read.
    await expect
      .poll(() => new Set(unread.map(({ kind }) => kind)), { timeout: DEADLINE_MS })
      .toEqual(new Set(['Job', 'Pod']));
    const stoodSince = now();
    aheadMs = 600_000;
    // The server has ended its watches meanwhile, and does not answer the next ones.
    proxy.onRequest(() => ({ kind: 'Hang' }));
    const watched = proxy.requests.length;
    for (const { arrives } of unread) arrives();
    proxy.cutWatches('End');
    await expect.poll(() => proxy.requests.length - watched, { timeout: DEADLINE_MS }).toBe(2);
    expect(engine.observe(run)).toHaveLength(1);
    // It runs for longer than it takes to read all that its sockets held.
    for (let time = 0; time < 5; time += 1) {
      aheadMs += 500;
      engine.seenUntil(run, now());
    }
    expect(engine.seenUntil(run, now())).toBeLessThanOrEqual(stoodSince);
  });

  it('that are suspended, as by a queue, wait', async () => {
    const engine = await anEngine();
    const run = await world.aRun(1, RUNS_ON);
    const manifest = jobManifest(requestFor(run));
    await world.cluster.request('POST', world.carriers, {
      ...manifest,
      spec: { ...manifest.spec, suspend: true },
    });
    const { state } = await untilState(engine, run, 'Waiting');
    expect(state).toMatchObject({ reason: 'Suspended' });
  });

  const suspend = (run: RunDefinition, isSuspended: boolean) =>
    world.cluster.request('PATCH', `${world.carriers}/${requestFor(run).name}`, {
      spec: { suspend: isSuspended },
    });
  /** A Job whose pod runs and is being deleted, since a queue suspends the Job. */
  const aPreemptedJob = async (engine: KubernetesEngine) => {
    const { run, pod } = await aRunningPod(engine);
    await holdPod(world, pod);
    await suspend(run, true);
    await untilState(engine, run, 'Stopping');
    return { run, pod };
  };

  it('that a queue preempts go on as the same attempt when they are admitted again', async () => {
    const engine = await anEngine();
    const { run, pod } = await aPreemptedJob(engine);
    const { events } = seen(engine, run);
    await sayTerminated(pod, { exitCode: 143, reason: 'Error' });
    const { state } = await untilState(engine, run, 'Waiting');
    expect(state).toMatchObject({ reason: 'Suspended' });
    // What the interrupted pod came to is still there, and is not what the attempt came to.
    await suspend(run, false);
    await letPodGo(world, pod);
    await untilState(engine, run, 'Running');
    expect(events).not.toContain('Ended');
    expect((await world.podsOf(run)).filter(isLivePod)).toHaveLength(1);
    await engine.removeAttempts(run, [requestFor(run).name]);
    await untilGone(engine, run);
  });

  it('that a queue preempts in the moment of their end say that they may run again, until they are removed', async () => {
    const engine = await anEngine();
    const { run, pod } = await aPreemptedJob(engine);
    await sayTerminated(pod, { exitCode: 0, reason: 'Completed', message: ENDS_SOON.message });
    const { state } = await untilState(engine, run, 'Ended');
    expect(state).toMatchObject({ termination: { kind: 'Exited', exitCode: 0 }, mayRunAgain: true });
    await suspend(run, false);
    await letPodGo(world, pod);
    await expect
      .poll(async () => (await world.podsOf(run)).filter(isLivePod), { timeout: DEADLINE_MS })
      .toHaveLength(1);
    expect(shown(engine, run)?.state).toMatchObject({ kind: 'Ended', mayRunAgain: true });
    await engine.removeAttempts(run, [requestFor(run).name]);
    await untilGone(engine, run);
    expect((await world.podsOf(run)).filter(isLivePod)).toEqual([]);
  });

  it('that end by themselves do not run again', async () => {
    const engine = await anEngine();
    const run = await world.aRun(1, ENDS_SOON);
    await engine.startAttempt(requestFor(run));
    const { state } = await untilState(engine, run, 'Ended');
    expect(state).not.toHaveProperty('mayRunAgain');
  });

  it('says what was in the way when the cluster cannot be seen', async () => {
    const proxy = await aProxy();
    proxy.onRequest(() => ({
      kind: 'Answer',
      status: 403,
      body: '{"kind":"Status","message":"jobs is forbidden"}',
    }));
    await expect(
      openKubernetesEngine({
        client: world.client(proxy.access),
        namespaces: [world.namespace],
        syncTimeoutMs: 500,
      }),
    ).rejects.toMatchObject({
      message: expect.stringContaining('within 500 ms'),
      cause: expect.objectContaining({ statement: 'jobs is forbidden' }),
    });
  });
});
