/** What of the loop depends on its clock, on how its object is edited, or on how many runs there are; the rest is in invariants.test.ts, and with real parts in the integration tests. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { aBatchTest } from '../../test/builders/batch-test.ts';
import { asEngine, exitedWell, ModelEngine } from '../../test/builders/model-engine.ts';
import { ModelStore } from '../../test/builders/model-store.ts';
import { aRun } from '../../test/builders/run.ts';
import type { BatchTestStatus } from '../api/v1alpha1/status.ts';
import type { RunEnd } from '../core/plan.ts';
import type { RunDefinition } from '../core/run.ts';
import { finishedCondition, isFinished } from '../core/status.ts';
import type { Engine } from '../engine/engine.ts';
import type { DesiredRun, RunSource } from '../engine/run-source.ts';
import { ResultStoreUnavailableError } from '../results/result-store.ts';
import { SingleRunSource } from '../runner/single-run-source.ts';
import { createLogger } from '../telemetry/logger.ts';
import { type Controller, type ControllerOptions, startController } from './controller.ts';

const RETRY_AFTER_MS = 1_000;
const MOST_READINGS = 40;

/** Of a loop where a test says nothing else. */
const OTHERWISE = {
  logger: createLogger('silent'),
  now: Date.now,
  random: () => 0.5,
  statusIntervalMs: 0,
  deletionPatienceMs: Number.POSITIVE_INFINITY,
  concurrency: 1,
};

/**
 * One start that is postponed. By this clock the timer for the next try fires early, and a millisecond goes by with each reading of it.
 * @returns how often the start was asked for
 */
async function tries(firesEarlyByMs: number): Promise<number> {
  const run = aRun();
  let now = 1_000_000;
  const clock = () => {
    now += 1;
    return now;
  };
  const engine = new ModelEngine(clock);
  engine.startFaults.push('Postponed');
  let starts = 0;
  const controller = startController({
    source: new SingleRunSource({
      uid: run.uid,
      manifest: run.manifest,
      directory: '/',
      status: undefined,
      onStatus: () => {},
    }),
    engine: {
      ...asEngine(engine),
      startAttempt(request) {
        starts += 1;
        return engine.startAttempt(request);
      },
    },
    store: new ModelStore(run),
    ...OTHERWISE,
    now: clock,
  });
  await vi.waitUntil(() => starts === 1);
  await delay(RETRY_AFTER_MS / 2);
  now += RETRY_AFTER_MS - MOST_READINGS - firesEarlyByMs;
  await vi.waitUntil(() => starts > 1, 3_000).catch(() => {});
  await controller.stop(1_000);
  return starts;
}

it('tries again what was postponed, also when its time comes while it looks', async () => {
  const early = Array.from({ length: MOST_READINGS }, (_, index) => index);
  expect(await Promise.all(early.map(tries))).toEqual(early.map(() => 2));
});

it('keeps nothing of an object that is gone, also when it never had a run', async () => {
  const run = aRun();
  const refused: DesiredRun = {
    kind: 'Invalid',
    uid: run.uid,
    generation: 1,
    status: undefined,
    deletedAt: undefined,
    isHeld: false,
    message: 'spec.variants: expected a list',
    metadata: { name: 'a', namespace: 'ns' },
  };
  let desired: DesiredRun | undefined = refused;
  let look = (_key: string): void => {};
  let written = 0;
  let looks = 0;
  const source: RunSource = {
    directory: undefined,
    get: () => {
      looks += 1;
      return desired;
    },
    keys: () => ['ns/a'],
    keyOf: () => 'ns/a',
    writeStatus: () => {
      written += 1;
      return Promise.resolve(true);
    },
    hold: () => Promise.resolve(),
    letGo: () => Promise.resolve(),
    remove: () => Promise.resolve(),
    onChange: (listener) => {
      look = listener;
      return () => {};
    },
  };
  const controller = startController({
    source,
    engine: asEngine(new ModelEngine(Date.now)),
    store: new ModelStore(run),
    ...OTHERWISE,
  });
  const looked = async (): Promise<void> => {
    const before = looks;
    look('ns/a');
    await vi.waitUntil(() => looks > before);
  };
  await vi.waitUntil(() => written === 1);
  await looked();
  expect(written).toBe(1);
  desired = undefined;
  await looked();
  // What the controller has written is told by what it writes again.
  desired = refused;
  look('ns/a');
  await vi.waitUntil(() => written === 2, 3_000).catch(() => {});
  expect(written).toBe(2);
  await controller.stop(1_000);
});

const twins = ['a', 'b'].map((name) => ({ name, parameters: { CHOICE: 'same' } }));

/** The objects of a cluster, of which a test says what is wanted. */
class Objects implements RunSource {
  readonly directory = undefined;
  readonly #wanted = new Map<string, DesiredRun>();
  readonly #listeners = new Set<(key: string) => void>();

  /** @param desired undefined: the object is gone */
  want(key: string, desired: DesiredRun | undefined): void {
    if (desired === undefined) this.#wanted.delete(key);
    else this.#wanted.set(key, desired);
    for (const listener of this.#listeners) listener(key);
  }

  get(key: string): DesiredRun | undefined {
    return this.#wanted.get(key);
  }

  keys(): Iterable<string> {
    return this.#wanted.keys();
  }

  keyOf(uid: string): string | undefined {
    return [...this.#wanted].find(([, desired]) => desired.uid === uid)?.[0];
  }

  /** Why results of the object's run cannot be stored, as its status tells it. */
  storeProblemOf(key: string): string | undefined {
    const conditions = this.get(key)?.status?.conditions ?? [];
    return conditions.find(({ type, status }) => type === 'ResultStoreAvailable' && status === 'False')
      ?.reason;
  }

  async writeStatus(key: string, uid: string, status: BatchTestStatus): Promise<boolean> {
    return this.#edit(key, uid, { status });
  }

  async hold(key: string, uid: string): Promise<void> {
    this.#edit(key, uid, { isHeld: true });
  }

  async letGo(key: string, uid: string): Promise<void> {
    this.#edit(key, uid, { isHeld: false });
  }

  async remove(): Promise<void> {}

  #edit(key: string, uid: string, change: Partial<Pick<DesiredRun, 'status' | 'isHeld'>>): boolean {
    const desired = this.get(key);
    if (desired?.uid !== uid) return false;
    this.want(key, { ...desired, ...change });
    return true;
  }

  onChange(listener: (key: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

const wanted = ({ uid, manifest }: RunDefinition, cancel?: 'Requested'): DesiredRun => ({
  kind: 'Runnable',
  uid,
  manifest,
  cancel,
  generation: 1,
  status: undefined,
  deletedAt: undefined,
  isHeld: true,
  ignoredFields: [],
});

/** One object, which its user edits. */
class EditedObject extends Objects {
  constructor(run: RunDefinition) {
    super();
    this.edit({ ...wanted(run), isHeld: false });
  }

  get desired(): DesiredRun {
    const desired = this.get('ns/a');
    if (desired === undefined) throw new Error('unreachable: it is never deleted');
    return desired;
  }

  edit(desired: DesiredRun): void {
    this.want('ns/a', desired);
  }
}

const cannotBeRead = ({ uid, generation, status, deletedAt, isHeld }: DesiredRun): DesiredRun => ({
  kind: 'Invalid',
  message: 'spec.execution: expected "Job"',
  metadata: { name: 'a', namespace: 'ns' },
  uid,
  generation,
  status,
  deletedAt,
  isHeld,
});

it('has a run without a status active since it was registered, by the clock of the loop', async () => {
  const run = aRun({ parallelism: 0 });
  const source = new EditedObject(run);
  const store = new ModelStore(run);
  store.registeredMsAgo = 600_000;
  const controller = startController({
    ...OTHERWISE,
    source,
    store,
    engine: asEngine(new ModelEngine(Date.now)),
    now: () => Date.parse('2026-01-02T03:14:05Z'),
  });
  await vi.waitUntil(() => source.desired.status?.startTime !== undefined, 3_000);
  expect(source.desired.status?.startTime).toBe('2026-01-02T03:04:05Z');
  await controller.stop(1_000);
});

it.each([false, true])(
  'begins the clock of its deadline anew when it was suspended and resumed before it could be opened, restarted: %s',
  async (restarted) => {
    const run = aRun({ variants: 1, spec: { activeDeadlineSeconds: 3_600 } });
    const { manifest } = run;
    const suspended = { ...run, manifest: { ...manifest, spec: { ...manifest.spec, suspend: true } } };
    const model = new ModelStore(run);
    model.condition = 'Unavailable';
    model.registeredMsAgo = 151 * 60_000;
    const objects = new EditedObject(run);
    let time = '10:30';
    const start = (): Controller => {
      const controller = startController({
        ...OTHERWISE,
        source: objects,
        store: aStoreLike(model),
        engine: asEngine(new ModelEngine(Date.now)),
        now: () => Date.parse(`2026-01-02T${time}:00Z`),
      });
      onTestFinished(async () => {
        await controller.stop(1_000);
      });
      return controller;
    };
    const isSuspended = () =>
      objects.desired.status?.conditions?.find(({ type }) => type === 'Suspended')?.status;
    objects.edit({ ...wanted(run), status: { startTime: '2026-01-02T10:00:00Z', conditions: [] } });
    const controller = start();
    await vi.waitUntil(() => objects.storeProblemOf('ns/a') === 'ConnectionRefused', WAIT);
    expect(objects.desired.status?.startTime).toBe('2026-01-02T10:00:00Z');
    objects.edit({ ...wanted(suspended), status: objects.desired.status });
    await vi.waitUntil(() => isSuspended() === 'True', WAIT);
    expect(objects.desired.status?.startTime).toBeUndefined();
    time = '12:30';
    objects.edit({ ...wanted(run), status: objects.desired.status });
    await vi.waitUntil(() => isSuspended() === 'False', WAIT);
    if (restarted) {
      await controller.stop(1_000);
      start();
    }
    time = '12:31';
    model.condition = 'Available';
    await vi.waitUntil(() => objects.desired.status?.startTime !== undefined, WAIT);
    expect(objects.desired.status?.startTime).toBe('2026-01-02T12:31:00Z');
    expect(isFinished(objects.desired.status)).toBe(false);
  },
);

it('asks for no more starts than are answered soon, so that what is cancelled meanwhile does not start', async () => {
  const run = aRun({ variants: 200, parallelism: 200 });
  const engine = new ModelEngine(Date.now);
  engine.startFaults.push(...run.trials.map(() => ({ late: 'Started' }) as const));
  const source = new EditedObject(run);
  const controller = startController({
    ...OTHERWISE,
    source,
    store: new ModelStore(run),
    engine: asEngine(engine),
  });
  onTestFinished(async () => {
    await controller.stop(1_000);
  });
  const asked = () => engine.attempts.size;
  await vi.waitUntil(() => asked() > 0, WAIT);
  await delay(100);
  expect(asked()).toBe(64);
  for (const answer of engine.lateAnswers.splice(0, 10)) answer();
  await vi.waitUntil(() => asked() >= 74, WAIT);
  await delay(100);
  expect(asked(), 'as many again as were answered').toBe(74);
  source.edit({ ...source.desired, ...wanted(run, 'Requested'), status: source.desired.status });
  engine.answerLate();
  const states = () => engine.attemptsOf(run.uid).map(({ state }) => state.kind);
  await vi.waitUntil(() => states().every((kind) => kind === 'Stopping'), WAIT);
  expect(asked()).toBe(74);
});

describe('a run under way', () => {
  const describesNoRun = (desired: DesiredRun): DesiredRun =>
    desired.kind === 'Invalid'
      ? desired
      : { ...desired, manifest: aBatchTest({ variants: twins, parallelism: 2 }) };

  /** A run of two trials, one of which has succeeded while the other one runs. */
  async function underWay() {
    const run = aRun({ variants: 2, parallelism: 2 });
    const engine = new ModelEngine(Date.now);
    const listeners = new Set<(uid: string) => void>();
    const store = new ModelStore(run);
    const source = new EditedObject(run);
    const start = () => startController({ ...OTHERWISE, source, store, engine: asEngine(engine, listeners) });
    const happens = (what: () => void): void => {
      what();
      for (const listener of listeners) listener(run.uid);
    };
    const controller = start();
    await vi.waitUntil(() => engine.attemptsOf(run.uid).length === 2);
    const [done, live] = engine.attemptsOf(run.uid);
    if (done === undefined || live === undefined) throw new Error('unreachable: two were waited for');
    happens(() => {
      engine.begin(done);
      engine.begin(live);
      engine.end(done, exitedWell());
    });
    await vi.waitUntil(() => store.records.size === 1 && source.desired.isHeld);
    return { run, engine, store, source, controller, start, happens, done, live };
  }

  it('runs a trial again whose result the store has lost, before it is called complete', async () => {
    const { run, engine, store, source, controller, happens, done, live } = await underWay();
    // As a standby that takes over does, which lacks the last commits.
    const pending = new ModelStore(run).trialOf(done.variantId, done.repetition);
    for (const [key, { variantId }] of store.trials)
      if (variantId === done.variantId) store.trials.set(key, pending);
    store.records.clear();
    happens(() => engine.end(live, exitedWell()));
    const again = () =>
      engine
        .attemptsOf(run.uid)
        .find(({ variantId, state }) => variantId === done.variantId && state.kind === 'Waiting');
    await vi.waitUntil(() => again() !== undefined, WAIT);
    expect(store.end).toBeUndefined();
    expect(isFinished(source.desired.status)).toBe(false);
    happens(() => {
      const attempt = again();
      if (attempt === undefined) throw new Error('unreachable: it was waited for');
      engine.begin(attempt);
      engine.end(attempt, exitedWell());
    });
    await vi.waitUntil(() => isFinished(source.desired.status), WAIT);
    expect(store.end?.state).toBe('Complete');
    expect([...store.trials.values()].map(({ phase }) => phase)).toEqual(['Succeeded', 'Succeeded']);
    await controller.stop(1_000);
  });

  it.each([{ restarted: false }, { restarted: true }])(
    'is ended in good order when its object cannot be read any more, restarted: $restarted',
    async ({ restarted }) => {
      const { engine, store, source, controller, start, happens, live } = await underWay();
      if (restarted) {
        await controller.stop(1_000);
        engine.restart();
      }
      source.edit(cannotBeRead(source.desired));
      const last = restarted ? start() : controller;
      await vi.waitUntil(() => live.state.kind === 'Stopping', 3_000);
      // Nothing says that it is over while something of it runs.
      expect(isFinished(source.desired.status)).toBe(false);
      expect(source.desired.isHeld).toBe(true);
      happens(() => engine.finishStopping(live));
      await vi.waitUntil(() => isFinished(source.desired.status) && !source.desired.isHeld, 3_000);
      expect(store.end).toMatchObject({ state: 'Failed', reason: 'InvalidSpec' });
      expect(store.end?.message).toMatch(/, with 1 of 2 trials done$/);
      expect(
        [...store.records.values()].map(({ judgement: { outcome, reason } }) => [outcome, reason]),
      ).toEqual([
        ['Succeeded', 'Completed'],
        ['Cancelled', 'InvalidSpec'],
      ]);
      expect(finishedCondition(source.desired.status)).toMatchObject({
        type: 'Failed',
        reason: 'InvalidSpec',
      });
      expect(source.desired.status?.trials).toMatchObject({ succeeded: 1, cancelled: 1, pending: 0 });
      await last.stop(1_000);
    },
  );

  it('goes on as it was begun when its object describes no run that would be', async () => {
    const { engine, store, source, controller, start, happens, live } = await underWay();
    await controller.stop(1_000);
    engine.restart();
    source.edit(describesNoRun(source.desired));
    const last = start();
    await delay(100);
    happens(() => engine.end(live, exitedWell()));
    await vi.waitUntil(() => isFinished(source.desired.status) && !source.desired.isHeld, WAIT);
    expect(store.end).toMatchObject({ state: 'Complete', reason: 'AllTrialsSucceeded' });
    expect(source.desired.status?.trials).toMatchObject({ total: 2, succeeded: 2 });
    await last.stop(1_000);
  });

  it.each(['cancel', 'suspend'] as const)(
    'has ended what runs of it after a restart while the store is away: %s',
    async (asked) => {
      const { run, engine, store, source, controller, start, happens, live } = await underWay();
      await controller.stop(1_000);
      engine.restart();
      store.condition = 'Unavailable';
      const { manifest } = run;
      const suspended = { ...run, manifest: { ...manifest, spec: { ...manifest.spec, suspend: true } } };
      source.edit(asked === 'cancel' ? wanted(run, 'Requested') : wanted(suspended));
      const last = start();
      await vi.waitUntil(() => live.state.kind === 'Stopping', WAIT);
      happens(() => engine.finishStopping(live));
      expect(engine.attemptsOf(run.uid)).not.toContain(live);
      store.condition = 'Available';
      await vi.waitUntil(() => store.records.size === 2, WAIT);
      expect(
        [...store.records.values()].map(({ judgement: { outcome, reason } }) => [outcome, reason]),
      ).toEqual([
        ['Succeeded', 'Completed'],
        ['Cancelled', asked === 'cancel' ? 'RunCancelled' : 'RunSuspended'],
      ]);
      if (asked === 'suspend') {
        source.edit({ ...wanted(run), status: source.desired.status });
        await vi.waitUntil(() => engine.attemptsOf(run.uid).some(({ attempt }) => attempt === 2), WAIT);
        happens(() => {
          for (const attempt of engine.attemptsOf(run.uid)) {
            engine.begin(attempt);
            engine.end(attempt, exitedWell());
          }
        });
      }
      await vi.waitUntil(() => isFinished(source.desired.status), WAIT);
      expect(store.end?.state).toBe(asked === 'cancel' ? 'Cancelled' : 'Complete');
      await last.stop(1_000);
    },
    60_000,
  );

  it('has nothing ended that was resumed while the store was waited for', async () => {
    const { run, engine, store, source, controller, live } = await underWay();
    await controller.stop(1_000);
    const { manifest } = run;
    source.edit(wanted({ ...run, manifest: { ...manifest, spec: { ...manifest.spec, suspend: true } } }));
    let isAsked = false;
    aController(source, engine, {
      ...aStoreLike(store),
      openRun: () => {
        isAsked = true;
        return new Promise(() => {});
      },
    });
    await vi.waitUntil(() => isAsked, WAIT);
    source.edit(wanted(run));
    await vi.waitUntil(() => source.storeProblemOf('ns/a') === 'Slow', WAIT);
    expect(live.state.kind).toBe('Running');
  }, 30_000);

  it('goes on when it can be run again before it is over', async () => {
    const { engine, store, source, controller, happens, live } = await underWay();
    const { desired } = source;
    source.edit(cannotBeRead(desired));
    await vi.waitUntil(() => live.state.kind === 'Stopping', 3_000);
    source.edit({ ...desired, status: source.desired.status, isHeld: true });
    happens(() => engine.finishStopping(live));
    await vi.waitUntil(
      () => engine.attemptsOf(source.desired.uid).some(({ attempt }) => attempt === 2),
      3_000,
    );
    happens(() => {
      for (const attempt of engine.attemptsOf(source.desired.uid)) {
        engine.begin(attempt);
        engine.end(attempt, exitedWell());
      }
    });
    await vi.waitUntil(() => isFinished(source.desired.status), 3_000);
    expect(store.end).toMatchObject({ state: 'Complete' });
    await controller.stop(1_000);
  });
});

it('tells once of each set of fields that it ignores, and runs the run all the same', async () => {
  const run = aRun({ parallelism: 0 });
  const source = new EditedObject(run);
  const told: string[] = [];
  const controller = startController({
    ...OTHERWISE,
    source,
    store: new ModelStore(run),
    engine: asEngine(new ModelEngine(Date.now)),
    onEvent: (event) => {
      if (event.kind === 'FieldsIgnored') told.push(event.fields);
    },
  });
  const withFields = (generation: number, ...ignoredFields: readonly string[]): void => {
    if (source.desired.kind === 'Runnable') source.edit({ ...source.desired, generation, ignoredFields });
  };
  const looked = (generation: number) =>
    vi.waitUntil(() => source.desired.status?.observedGeneration === generation, 3_000);
  await looked(1);
  expect(told).toEqual([]);
  withFields(2, 'spec.later');
  await looked(2);
  withFields(3, 'spec.later');
  await looked(3);
  withFields(4, 'spec.later', 'spec.latest');
  await looked(4);
  expect(told).toEqual(['spec.later', 'spec.later, spec.latest']);
  await controller.stop(1_000);
});

/**
 * Runs of one trial each, and what stores them.
 * @param isWithheld true for what is answered once it is released; `index` is that of the run
 */
function aStoreOf(count: number, isWithheld: (request: 'openRun' | 'finishRun', index: number) => boolean) {
  const runs = Array.from({ length: count }, () => aRun({ uid: randomUUID(), variants: 1, parallelism: 1 }));
  const stores = new Map(runs.map((run) => [run.uid, new ModelStore(run)]));
  const of = (uid: string): ModelStore => {
    const store = stores.get(uid);
    if (store === undefined) throw new RangeError(`no run ${uid}`);
    return store;
  };
  const asked: string[] = [];
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const answered = async (request: 'openRun' | 'finishRun', uid: string): Promise<ModelStore> => {
    asked.push(`${request} ${uid}`);
    if (isWithheld(request, [...stores.keys()].indexOf(uid))) await released;
    return of(uid);
  };
  const store: ControllerOptions['store'] = {
    verification: { counts: (uid) => of(uid).verification.counts() },
    loadRunToConclude: (uid) => of(uid).loadRunToConclude(),
    openRun: async ({ uid }) => (await answered('openRun', uid)).openRun(),
    recordAttempt: (record) => of(record.runUid).recordAttempt(record),
    readPushed: (uid, starts) => of(uid).readPushed(uid, starts),
    skipTrials: (record) => of(record.runUid).skipTrials(record),
    finishRun: async (...end) => (await answered('finishRun', end[0])).finishRun(...end),
  };
  return { runs, store, of, asked, release };
}

/** The store of one run, of which a test may have some requests go otherwise. */
const aStoreLike = (model: ModelStore): ControllerOptions['store'] => ({
  verification: model.verification,
  loadRunToConclude: () => model.loadRunToConclude(),
  openRun: () => model.openRun(),
  recordAttempt: (record) => model.recordAttempt(record),
  readPushed: (uid, starts) => model.readPushed(uid, starts),
  skipTrials: (record) => model.skipTrials(record),
  finishRun: (...end) => model.finishRun(...end),
});

const WAIT = { timeout: 20_000, interval: 20 };

/** A loop over these objects, which ends with the test. */
function aController(objects: Objects, engine: ModelEngine, store: ControllerOptions['store']): Controller {
  const controller = startController({
    ...OTHERWISE,
    source: objects,
    engine: asEngine(engine),
    store,
    concurrency: 2,
  });
  onTestFinished(async () => {
    await controller.stop(1_000);
  });
  return controller;
}

it('counts as unopened what is held and not over, for as long as the store has not given it', async () => {
  const { runs, store, release } = aStoreOf(4, () => true);
  const [begun, never, over, gone] = runs;
  if (begun === undefined || never === undefined || over === undefined || gone === undefined)
    throw new Error('unreachable: there are 4');
  const objects = new Objects();
  const controller = aController(objects, new ModelEngine(Date.now), store);
  objects.want('ns/begun', wanted(begun));
  objects.want('ns/never', { ...wanted(never), isHeld: false });
  const complete = { type: 'Complete', status: 'True' as const, reason: 'AllTrialsSucceeded', message: '' };
  const status = { conditions: [{ ...complete, lastTransitionTime: new Date().toISOString() }] };
  objects.want('ns/over', { ...wanted(over), status });
  objects.want('ns/gone', wanted(gone));
  expect(controller.unopened()).toBe(2);
  objects.want('ns/gone', undefined);
  expect(controller.unopened()).toBe(1);
  release();
  await vi.waitUntil(() => controller.unopened() === 0, WAIT);
  // Not because it is over.
  expect(controller.runs().map(({ run }) => run.uid)).toContain(begun.uid);
});

it('ends what is cancelled while the store neither opens nor ends any other run', async () => {
  const { runs, store, asked } = aStoreOf(21, (_, index) => index > 0);
  const [cancelled, ...others] = runs;
  if (cancelled === undefined) throw new Error('unreachable: there are 21');
  const engine = new ModelEngine(Date.now);
  const objects = new Objects();
  aController(objects, engine, store);
  objects.want('ns/cancelled', wanted(cancelled));
  await vi.waitUntil(() => engine.attemptsOf(cancelled.uid).length === 1, WAIT);
  for (const other of others) objects.want(`ns/${other.uid}`, wanted(other));
  await vi.waitUntil(() => asked.length > 1, WAIT);
  objects.want('ns/cancelled', wanted(cancelled, 'Requested'));
  await vi.waitUntil(
    () => engine.attemptsOf(cancelled.uid).every(({ state }) => state.kind === 'Stopping'),
    WAIT,
  );
  // Each that is late would have somebody wait for it.
  expect(asked.filter((request) => request.startsWith('openRun')).length).toBeLessThanOrEqual(1 + 2 * 2);
  await vi.waitUntil(() => others.every(({ uid }) => objects.storeProblemOf(`ns/${uid}`) === 'Slow'), WAIT);
}, 60_000);

it('waits for no end of a run to be stored', async () => {
  const { runs, store, asked } = aStoreOf(9, (request) => request === 'finishRun');
  const engine = new ModelEngine(Date.now);
  const objects = new Objects();
  aController(objects, engine, store);
  for (const run of runs) objects.want(`ns/${run.uid}`, wanted(run, 'Requested'));
  const ends = () => asked.filter((request) => request.startsWith('finishRun'));
  await vi.waitUntil(() => ends().length === runs.length, WAIT);
  await vi.waitUntil(() => runs.every(({ uid }) => objects.storeProblemOf(`ns/${uid}`) === 'Slow'), WAIT);
  expect(ends()).toHaveLength(runs.length);
}, 60_000);

it('goes on when the store has answered late, and ends a run whose object has gone meanwhile, each asked once', async () => {
  const { runs, store, of, asked, release } = aStoreOf(2, (request) => request === 'openRun');
  const [stays, goes] = runs;
  if (stays === undefined || goes === undefined) throw new Error('unreachable: there are 2');
  const engine = new ModelEngine(Date.now);
  const objects = new Objects();
  aController(objects, engine, store);
  for (const run of runs) objects.want(`ns/${run.uid}`, wanted(run));
  await vi.waitUntil(() => runs.every(({ uid }) => objects.storeProblemOf(`ns/${uid}`) === 'Slow'), WAIT);
  objects.want(`ns/${goes.uid}`, undefined);
  release();
  await vi.waitUntil(() => engine.attemptsOf(stays.uid).length === 1, WAIT);
  await vi.waitUntil(() => of(goes.uid).end !== undefined, WAIT);
  expect(of(goes.uid).end?.reason).toBe('Deleted');
  expect(engine.attemptsOf(goes.uid)).toEqual([]);
  expect(asked.filter((request) => request.startsWith('openRun'))).toHaveLength(2);
}, 60_000);

it('ends the run of an object before that of another one of its name is opened', async () => {
  const { runs, store, of, asked, release } = aStoreOf(2, (request) => request === 'openRun');
  const [former, latter] = runs;
  if (former === undefined || latter === undefined) throw new Error('unreachable: there are 2');
  const engine = new ModelEngine(Date.now);
  const objects = new Objects();
  aController(objects, engine, store);
  objects.want('ns/a', wanted(former));
  await vi.waitUntil(() => asked.length === 1, WAIT);
  objects.want('ns/a', wanted(latter));
  await vi.waitUntil(() => objects.storeProblemOf('ns/a') === 'Slow', WAIT);
  release();
  await vi.waitUntil(() => engine.attemptsOf(latter.uid).length === 1, WAIT);
  expect(of(former.uid).end?.reason).toBe('Deleted');
  expect(engine.attemptsOf(former.uid)).toEqual([]);
  expect(asked).toEqual([`openRun ${former.uid}`, `finishRun ${former.uid}`, `openRun ${latter.uid}`]);
}, 60_000);

it('tells that an object waits for the end of the run of another one of its name, which is not stored', async () => {
  const { runs, store, of, release } = aStoreOf(2, (request) => request === 'finishRun');
  const [former, latter] = runs;
  if (former === undefined || latter === undefined) throw new Error('unreachable: there are 2');
  const engine = new ModelEngine(Date.now);
  const objects = new Objects();
  aController(objects, engine, store);
  objects.want('ns/a', wanted(former));
  await vi.waitUntil(() => engine.attemptsOf(former.uid).length === 1, WAIT);
  objects.want('ns/a', wanted(latter));
  await vi.waitUntil(() => objects.storeProblemOf('ns/a') === 'Slow', WAIT);
  expect(engine.attemptsOf(latter.uid)).toEqual([]);
  release();
  await vi.waitUntil(() => engine.attemptsOf(latter.uid).length === 1, WAIT);
  expect(of(former.uid).end?.reason).toBe('Deleted');
}, 60_000);

/** A loop over these objects that looks again as soon as it may, and how many of its looks have failed. */
function anImpatientController(objects: Objects, engine: Engine, store: ControllerOptions['store']) {
  let failed = 0;
  const controller = startController({
    ...OTHERWISE,
    source: objects,
    engine,
    store,
    random: () => 0,
    queueObserver: {
      added: () => {},
      taken: () => {},
      processed: (_, how) => {
        if (how === 'Failed') failed += 1;
      },
    },
  });
  onTestFinished(async () => {
    await controller.stop(1_000);
  });
  return { failedLooks: () => failed };
}

it('stores the end of a run whose object has gone after a back-off, not with each look that its failure brings', async () => {
  const run = aRun({ variants: 1 });
  const model = new ModelStore(run);
  const engine = new ModelEngine(Date.now);
  const objects = new Objects();
  let asked = 0;
  const { failedLooks } = anImpatientController(objects, asEngine(engine), {
    ...aStoreLike(model),
    recordAttempt: (record) => {
      asked += 1;
      return model.recordAttempt(record);
    },
  });
  objects.want('ns/a', wanted(run));
  await vi.waitUntil(() => engine.attemptsOf(run.uid).length === 1, WAIT);
  model.condition = 'Unavailable';
  objects.want('ns/a', undefined);
  await vi.waitUntil(() => failedLooks() >= 6, WAIT);
  // Every other one only tells what has failed in the one before; another one may be under way.
  expect(asked).toBeLessThanOrEqual(failedLooks() / 2 + 1);
  model.condition = 'Available';
  await vi.waitUntil(() => model.end !== undefined, WAIT);
});

it('asks for a refused removal of a run that cannot be opened after a back-off, not with each look that it brings', async () => {
  const run = aRun({ variants: 1 });
  const model = new ModelStore(run);
  const engine = new ModelEngine(Date.now);
  const [trial] = run.trials;
  if (trial === undefined) throw new Error('unreachable: there is one');
  const deadlineSeconds = run.manifest.spec.trialDeadlineSeconds;
  await engine.startAttempt({ run, trial, attempt: 1, name: 'begun-before', deadlineSeconds });
  model.condition = 'Unavailable';
  const objects = new EditedObject(run);
  objects.edit(wanted(run, 'Requested'));
  let asked = 0;
  const refuses: Engine = {
    ...asEngine(engine),
    removeAttempts: async () => {
      asked += 1;
      throw new Error('remove: forbidden');
    },
  };
  const { failedLooks } = anImpatientController(objects, refuses, aStoreLike(model));
  await vi.waitUntil(() => failedLooks() >= 6, WAIT);
  expect(asked).toBeGreaterThan(1);
  // Every other one only tells what has failed in the one before; another one may be under way.
  expect(asked).toBeLessThanOrEqual(failedLooks() / 2 + 1);
  expect(objects.storeProblemOf('ns/a')).toBe('ConnectionRefused');
});

it.each(['is stored at once', 'is stored but not answered', 'is being stored already'])(
  'tells once of the end of a run whose object has gone: it %s',
  async (how) => {
    const isUnderWay = how === 'is being stored already';
    const run = aRun();
    const model = new ModelStore(run);
    const objects = new Objects();
    const ends: RunEnd[] = [];
    let asked = 0;
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    let looksWhenGone = 0;
    let isForgotten = false;
    const isGone = (): boolean => objects.get('ns/a') === undefined;
    const controller = startController({
      ...OTHERWISE,
      source: objects,
      engine: asEngine(new ModelEngine(Date.now)),
      store: {
        ...aStoreLike(model),
        finishRun: async (uid, fence, end) => {
          asked += 1;
          model.condition = how === 'is stored but not answered' && asked === 1 ? 'AnswerLost' : 'Available';
          const outcome = await model.finishRun(uid, fence, end);
          if (isUnderWay) await released;
          return outcome;
        },
      },
      onEvent: (event) => {
        if (event.kind === 'RunEnded') ends.push(event.end);
      },
      queueObserver: {
        added: () => {},
        taken: () => {
          if (isGone()) looksWhenGone += 1;
        },
        processed: (_, outcome) => {
          if (isGone() && outcome === 'Settled') isForgotten = true;
        },
      },
    });
    onTestFinished(async () => {
      await controller.stop(1_000);
    });
    objects.want('ns/a', isUnderWay ? wanted(run, 'Requested') : wanted(run));
    await vi.waitUntil(() => (isUnderWay ? asked : controller.runs().length) === 1, WAIT);
    objects.want('ns/a', undefined);
    await vi.waitUntil(() => looksWhenGone > 0, WAIT);
    release();
    await vi.waitUntil(() => isForgotten, WAIT);
    expect(model.end).toBeDefined();
    expect(ends).toEqual([model.end]);
    expect(asked).toBe(how === 'is stored but not answered' ? 2 : 1);
  },
);

it('lets a deleted object go whose run cannot be opened, also when its status cannot be written', async () => {
  const run = aRun();
  const store = new ModelStore(run);
  store.condition = 'Unavailable';
  const objects = new EditedObject(run);
  objects.writeStatus = () => Promise.reject(new Error('the status is not allowed'));
  objects.edit({ ...wanted(run), deletedAt: Date.now() - 2_000 });
  const controller = startController({
    ...OTHERWISE,
    source: objects,
    engine: asEngine(new ModelEngine(Date.now)),
    store,
    deletionPatienceMs: 1_000,
  });
  onTestFinished(async () => {
    await controller.stop(1_000);
  });
  await vi.waitUntil(() => !objects.desired.isHeld, WAIT);
});

it('does not blame the store in the status that tells the end, whose answer came while that was made', async () => {
  const run = aRun({ variants: 1 });
  const model = new ModelStore(run);
  const engine = new ModelEngine(Date.now);
  const objects = new EditedObject(run);
  let now = Date.now();
  let asked = 0;
  let noteCounting = (): void => {};
  const counting = new Promise<void>((resolve) => {
    noteCounting = resolve;
  });
  let noteEnded = (): void => {};
  const ended = new Promise<void>((resolve) => {
    noteEnded = resolve;
  });
  const { counts } = model.verification;
  const toBeReadBack = { pending: 1, verified: 0, mismatched: 0, missing: 0 };
  const controller = startController({
    ...OTHERWISE,
    random: () => 0,
    now: () => now,
    source: objects,
    engine: asEngine(engine),
    store: {
      ...aStoreLike(model),
      finishRun: async (uid, fence, end) => {
        asked += 1;
        const outcome = await model.finishRun(uid, fence, end);
        if (asked === 1) throw new ResultStoreUnavailableError('ConnectionLost', 'the connection was lost');
        // So that it is time to look at what was read back.
        now += 10_000;
        await counting;
        return outcome;
      },
      verification: {
        ...aStoreLike(model).verification,
        counts: async () => {
          if (asked > 1) {
            noteCounting();
            await ended;
          }
          return { ...(await counts()), results: toBeReadBack };
        },
      },
    },
    onEvent: ({ kind }) => {
      if (kind === 'RunEnded') noteEnded();
    },
  });
  onTestFinished(async () => {
    await controller.stop(1_000);
  });
  await vi.waitUntil(() => engine.attemptsOf(run.uid).length === 1, WAIT);
  const [attempt] = engine.attemptsOf(run.uid);
  if (attempt === undefined) throw new Error('unreachable: it was started');
  engine.end(attempt, exitedWell());
  objects.edit(objects.desired);
  await vi.waitUntil(() => isFinished(objects.desired.status), WAIT);
  expect(objects.storeProblemOf('ns/a')).toBeUndefined();
});

it('lets a deleted object go whose status cannot tell of the stored end, after a while, and says nothing of a loss', async () => {
  const run = aRun();
  const model = new ModelStore(run);
  const objects = new EditedObject(run);
  const { writeStatus } = objects;
  let refused = 0;
  objects.writeStatus = (key, uid, status) => {
    if (!isFinished(status)) return writeStatus.call(objects, key, uid, status);
    refused += 1;
    return Promise.reject(new Error('the status is not allowed'));
  };
  let now = Date.now();
  if (objects.desired.kind === 'Runnable')
    objects.edit({ ...objects.desired, isHeld: true, cancel: 'Deleted', deletedAt: now });
  const told: string[] = [];
  const controller = startController({
    ...OTHERWISE,
    source: objects,
    engine: asEngine(new ModelEngine(() => now)),
    store: model,
    now: () => now,
    deletionPatienceMs: 1_000,
    onEvent: ({ kind }) => told.push(kind),
  });
  onTestFinished(async () => {
    await controller.stop(1_000);
  });
  await vi.waitUntil(() => refused > 1, WAIT);
  expect(model.end?.reason).toBe('Deleted');
  expect(objects.desired.isHeld).toBe(true);
  now += 1_000;
  await vi.waitUntil(() => !objects.desired.isHeld, WAIT);
  expect(told).toEqual(['RunOpened', 'RunEnded']);
});

it.each(['openRun', 'hold'] as const)(
  'starts nothing that is not wanted any more when it has waited for %s',
  async (withheld) => {
    const run = aRun();
    const model = new ModelStore(run);
    const engine = new ModelEngine(Date.now);
    const objects = new EditedObject(run);
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    let isAsked = false;
    const answered = async (what: typeof withheld): Promise<void> => {
      if (what !== withheld) return;
      isAsked = true;
      await released;
    };
    const { hold } = objects;
    objects.hold = async (key, uid) => {
      await answered('hold');
      return hold.call(objects, key, uid);
    };
    let starts = 0;
    const controller = startController({
      ...OTHERWISE,
      source: objects,
      engine: {
        ...asEngine(engine),
        startAttempt(request) {
          starts += 1;
          return engine.startAttempt(request);
        },
      },
      store: {
        ...aStoreLike(model),
        openRun: async () => {
          await answered('openRun');
          return model.openRun();
        },
      },
    });
    onTestFinished(async () => {
      await controller.stop(1_000);
    });
    await vi.waitUntil(() => isAsked, WAIT);
    const { manifest } = run;
    objects.edit({
      ...wanted({ ...run, manifest: { ...manifest, spec: { ...manifest.spec, suspend: true } } }),
      isHeld: false,
    });
    release();
    const isSuspended = (): boolean =>
      objects.desired.status?.conditions?.some(({ type }) => type === 'Suspended') === true;
    await vi.waitUntil(isSuspended, WAIT);
    expect(starts).toBe(0);
  },
);

describe('what is wanted while it is waited for what a program pushed', () => {
  /** A run of which one attempt has ended and another runs, while the store withholds what the first one pushed. */
  async function waiting(asked: (run: RunDefinition) => DesiredRun) {
    const run = aRun({ variants: 2, parallelism: 2, spec: { results: { push: true } } });
    const engine = new ModelEngine(Date.now);
    const listeners = new Set<(uid: string) => void>();
    const objects = new EditedObject(run);
    const model = new ModelStore(run);
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    let isAsked = false;
    let seenUntil = Number.POSITIVE_INFINITY;
    const controller = startController({
      ...OTHERWISE,
      source: objects,
      engine: {
        ...asEngine(engine, listeners),
        observe: (definition) => engine.observe(definition).map((one) => ({ ...one, startId: one.name })),
        seenUntil: (_, now) => Math.min(now, seenUntil),
      },
      store: {
        ...aStoreLike(model),
        readPushed: async (uid, starts) => {
          isAsked = true;
          await released;
          return model.readPushed(uid, starts);
        },
      },
    });
    onTestFinished(async () => {
      await controller.stop(1_000);
    });
    const [done, live] = await vi.waitUntil(() => {
      const [first, second] = engine.attemptsOf(run.uid);
      return first !== undefined && second !== undefined && ([first, second] as const);
    }, WAIT);
    engine.begin(done);
    engine.begin(live);
    engine.end(done, exitedWell());
    objects.edit({ ...asked(run), status: objects.desired.status });
    await vi.waitUntil(() => isAsked, WAIT);
    const seesNothingAfter = (time: number): void => {
      seenUntil = time;
    };
    return { run, model, objects, live, release, seesNothingAfter };
  }

  const suspended = ({ manifest, ...run }: RunDefinition): DesiredRun =>
    wanted({ ...run, manifest: { ...manifest, spec: { ...manifest.spec, suspend: true } } });

  it('is as old as the wish, not as what was wanted before', async () => {
    const { run, model, objects, live, release, seesNothingAfter } = await waiting(wanted);
    await delay(20);
    seesNothingAfter(Date.now());
    await delay(20);
    objects.edit({ ...wanted(run, 'Requested'), status: objects.desired.status });
    release();
    await vi.waitUntil(() => model.records.size > 0, WAIT);
    await delay(100);
    expect(model.records.size).toBe(1);
    expect(live.state.kind).toBe('Running');
    seesNothingAfter(Number.POSITIVE_INFINITY);
    await vi.waitUntil(() => live.state.kind === 'Stopping', WAIT);
  });

  it('ends nothing once it is not wanted any more', async () => {
    const { run, objects, live } = await waiting(suspended);
    objects.edit({ ...wanted(run), status: objects.desired.status });
    await vi.waitUntil(() => objects.storeProblemOf('ns/a') === 'Slow', WAIT);
    expect(live.state.kind).toBe('Running');
  }, 30_000);
});

it('ends a run that was opened late, though its object cannot be read any more', async () => {
  const { runs, store, of, asked, release } = aStoreOf(1, (request) => request === 'openRun');
  const [run] = runs;
  if (run === undefined) throw new Error('unreachable: there is one');
  const engine = new ModelEngine(Date.now);
  const objects = new EditedObject(run);
  aController(objects, engine, store);
  await vi.waitUntil(() => objects.storeProblemOf('ns/a') === 'Slow', WAIT);
  objects.edit(cannotBeRead(objects.desired));
  await delay(100);
  expect(isFinished(objects.desired.status)).toBe(false);
  release();
  await vi.waitUntil(() => isFinished(objects.desired.status) && !objects.desired.isHeld, WAIT);
  expect(of(run.uid).end).toMatchObject({ state: 'Failed', reason: 'InvalidSpec' });
  expect(asked).toEqual([`openRun ${run.uid}`, `finishRun ${run.uid}`]);
  expect(engine.attemptsOf(run.uid)).toEqual([]);
}, 60_000);

it('ends a run whose opening was committed but not answered, though its object cannot be read any more', async () => {
  const run = aRun();
  const model = new ModelStore(run);
  model.condition = 'AnswerLost';
  const objects = new EditedObject(run);
  aController(objects, new ModelEngine(Date.now), aStoreLike(model));
  await vi.waitUntil(() => objects.storeProblemOf('ns/a') === 'ConnectionRefused', WAIT);
  objects.edit(cannotBeRead(objects.desired));
  await delay(100);
  expect(isFinished(objects.desired.status)).toBe(false);
  model.condition = 'Available';
  await vi.waitUntil(() => isFinished(objects.desired.status) && !objects.desired.isHeld, WAIT);
  expect(model.end).toMatchObject({ state: 'Failed', reason: 'InvalidSpec' });
}, 60_000);

it('refuses an object of which the store says late that nothing was begun, and asks it once', async () => {
  const run = aRun();
  const model = new ModelStore(run);
  const objects = new EditedObject(run);
  objects.edit({ ...cannotBeRead(objects.desired), isHeld: true });
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  let asked = 0;
  aController(objects, new ModelEngine(Date.now), {
    ...aStoreLike(model),
    loadRunToConclude: async () => {
      asked += 1;
      await released;
      return model.loadRunToConclude();
    },
  });
  await vi.waitUntil(() => objects.storeProblemOf('ns/a') === 'Slow', WAIT);
  release();
  await vi.waitUntil(() => isFinished(objects.desired.status) && !objects.desired.isHeld, WAIT);
  expect(finishedCondition(objects.desired.status)?.reason).toBe('InvalidSpec');
  expect(asked).toBe(1);
}, 60_000);

it('lets a deleted object go of which nothing was begun, though its status cannot be written', async () => {
  const run = aRun();
  const objects = new EditedObject(run);
  objects.writeStatus = () => Promise.reject(new Error('the status is not allowed'));
  objects.edit({ ...cannotBeRead(objects.desired), isHeld: true, deletedAt: Date.now() });
  aController(objects, new ModelEngine(Date.now), {
    ...aStoreLike(new ModelStore(run)),
    loadRunToConclude: async () => undefined,
  });
  await vi.waitUntil(() => !objects.desired.isHeld, WAIT);
});

it('ends a run that the store has lost, and lets its object go', async () => {
  const { runs, store, of, asked } = aStoreOf(1, () => false);
  const [run] = runs;
  if (run === undefined) throw new Error('unreachable: there is one');
  const engine = new ModelEngine(Date.now);
  const objects = new Objects();
  let isLost = true;
  aController(objects, engine, {
    ...store,
    finishRun: async (...end) => {
      const outcome = isLost ? 'NoSuchRun' : await store.finishRun(...end);
      isLost = false;
      return outcome;
    },
  });
  objects.want('ns/a', wanted(run, 'Requested'));
  await vi.waitUntil(() => objects.get('ns/a')?.isHeld === false, WAIT);
  expect(of(run.uid).end?.reason).toBe('CancelRequested');
  expect(finishedCondition(objects.get('ns/a')?.status)?.reason).toBe('CancelRequested');
  expect(asked).toEqual([`openRun ${run.uid}`, `openRun ${run.uid}`, `finishRun ${run.uid}`]);
}, 60_000);

it('ends a run whose object has gone, also when the store has lost results that its end rests on', async () => {
  const run = aRun({ variants: 2, parallelism: 1 });
  const model = new ModelStore(run);
  const engine = new ModelEngine(Date.now);
  const [first] = [...model.trials];
  if (first === undefined) throw new Error('unreachable: there are 2');
  const objects = new Objects();
  let isAway = true;
  aController(objects, engine, {
    ...aStoreLike(model),
    finishRun: async (...end) => {
      if (isAway) throw new ResultStoreUnavailableError('ConnectionLost', 'the connection was lost');
      return model.finishRun(...end);
    },
  });
  objects.want('ns/a', wanted(run));
  await vi.waitUntil(() => {
    for (const attempt of engine.attemptsOf(run.uid)) engine.end(attempt, exitedWell());
    objects.want('ns/a', objects.get('ns/a'));
    return objects.storeProblemOf('ns/a') === 'ConnectionLost';
  }, WAIT);
  model.trials.set(...first);
  model.records.clear();
  objects.want('ns/a', undefined);
  isAway = false;
  await vi.waitUntil(() => model.end !== undefined, WAIT);
  expect(model.end?.reason).toBe('Deleted');
}, 60_000);

describe('what is not answered for seconds', () => {
  const NOT_READ_BACK = { pending: 1, verified: 0, mismatched: 0, missing: 0 };

  it.each(['writeStatus', 'changedDataOf', 'finishRun'] as const)(
    'is waited for without looking over and over: %s',
    async (withheld) => {
      const run = aRun({ variants: 2, parallelism: 2 });
      const engine = new ModelEngine(Date.now);
      const listeners = new Set<(uid: string) => void>();
      const model = new ModelStore(run);
      const objects = new EditedObject(run);
      let release = (): void => {};
      const released = new Promise<void>((resolve) => {
        release = resolve;
      });
      let asked = 0;
      const answered = async (what: typeof withheld): Promise<void> => {
        if (what !== withheld) return;
        asked += 1;
        await released;
      };
      const { writeStatus } = objects;
      objects.writeStatus = async (key, uid, status) => {
        // From then on it is looked at again and again what was read back.
        if ((status.trials?.succeeded ?? 0) > 0) await answered('writeStatus');
        return writeStatus.call(objects, key, uid, status);
      };
      let looks = 0;
      const controller = startController({
        ...OTHERWISE,
        source: objects,
        engine: {
          ...asEngine(engine, listeners),
          observe(definition) {
            looks += 1;
            return engine.observe(definition);
          },
        },
        store: {
          ...aStoreLike(model),
          finishRun: async (uid, fence, end) => {
            await answered('finishRun');
            return model.finishRun(uid, fence, end);
          },
          verification: { counts: async () => ({ artifacts: NOT_READ_BACK, results: NOT_READ_BACK }) },
        },
        changedDataOf: async () => {
          await answered('changedDataOf');
          return undefined;
        },
      });
      onTestFinished(async () => {
        await controller.stop(1_000);
      });
      const endNext = (): void => {
        const attempt = engine.attemptsOf(run.uid).find(({ state }) => state.kind === 'Waiting');
        if (attempt === undefined) throw new Error('unreachable: two are waited for');
        engine.begin(attempt);
        engine.end(attempt, exitedWell());
        for (const listener of listeners) listener(run.uid);
      };
      await vi.waitUntil(() => engine.attemptsOf(run.uid).length === 2, WAIT);
      endNext();
      if (withheld !== 'writeStatus') {
        await vi.waitUntil(() => objects.desired.status?.trials?.succeeded === 1, WAIT);
        endNext();
      }
      await vi.waitUntil(() => asked === 1, WAIT);
      const before = looks;
      await delay(3_500);
      expect(asked).toBe(1);
      expect(looks - before).toBeLessThan(20);
      release();
      if (withheld === 'writeStatus') endNext();
      await vi.waitUntil(() => isFinished(objects.desired.status), WAIT);
    },
    30_000,
  );
});
