import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { aborted } from '../aborted.ts';
import { ConditionType } from '../api/v1alpha1/constants.ts';
import type { BatchTest, BatchTestManifest } from '../api/v1alpha1/schema.ts';
import type { BatchTestStatus } from '../api/v1alpha1/status.ts';
import { validManifest } from '../api/v1alpha1/valid-manifest.ts';
import { startController } from '../controller/controller.ts';
import { changedComparison } from '../core/same-comparison.ts';
import { finishedCondition } from '../core/status.ts';
import { expandVariants } from '../core/variants.ts';
import { createLocalEngine } from '../engine/local/local-engine.ts';
import { workingDirectoryOf } from '../engine/local/local-program.ts';
import { STRAYS_END_WITHIN_MS } from '../engine/local/program-launcher.ts';
import { steadyClock } from '../engine/local/steady-clock.ts';
import { unsupportedLocally } from '../engine/local/unsupported-locally.ts';
import { checkDeliveryConfig } from '../outbox/delivery-config.ts';
import type { OutboxProcessor } from '../outbox/outbox-processor.ts';
import { type DryRun, dryRun } from '../parity/dry-run.ts';
import { type ResultStore, ResultStoreUnavailableError, type RunHold } from '../results/result-store.ts';
import type { Logger } from '../telemetry/logger.ts';
import { cancelLocalRun } from './cancel-local-run.ts';
import {
  NoSuchRunError,
  RunNotResumableError,
  RunTakenOverError,
  UnsupportedLocallyError,
} from './errors.ts';
import { startLocalDelivery } from './local-delivery.ts';
import { startLocalIngest } from './local-ingest.ts';
import { OpenedOnce } from './opened-once.ts';
import type { Environment } from './presets.ts';
import { openResultStore } from './result-store.ts';
import { runResult } from './run-result.ts';
import type { BatchTestRunner, RunOptions, RunResult } from './runner.ts';
import type { LocalRunnerConfig } from './runner-config.ts';
import type { RunnerMetrics } from './runner-metrics.ts';
import { prepareRunDirectory, prepareRunsDirectory } from './runs-directory.ts';
import { RunsUnderWay } from './runs-under-way.ts';
import { refuseMissingData, SharedDataState, toldOf } from './shared-data.ts';
import { SingleRunSource } from './single-run-source.ts';
import { StoredResults } from './stored-results.ts';
import { straysAfter } from './stray-programs.ts';
import { toleratedListener } from './tolerated-listener.ts';

/** How often a status is reported at most. */
const STATUS_INTERVAL_MS = 100;
/** How long a run waits for its result store before it is given up. */
const STORE_PATIENCE_MS = 60_000;
/** How often it is asked whether the run still is this process' own, and whether it is to be cancelled. */
const LOOK_INTERVAL_MS = 1_000;
/** How long the report of a run waits for its artifacts to be read back and for its notifications. */
const DRAIN_MS = 30_000;
/** How long what is under way then may take to end. */
const DELIVERY_STOP_MS = 5_000;
/** What takes longer than this is told of. */
const DRAIN_TOLD_AFTER_MS = 2_000;
const DELIVERING =
  'the run is over; its results are being verified and notified of, for 30 s at most; Ctrl-C goes on without';
const NOT_ALL_DELIVERED =
  'not everything was verified or notified: the next local run that has the same URLs and artifact stores tries again, and batchtest outbox list tells what';
/** How long a resumed run waits for programs that its killed process left, where they can be seen. */
const STRAYS_PATIENCE_MS = 30_000;

/** Runs BatchTests as child processes of this one. */
export class LocalRunner implements BatchTestRunner {
  readonly results: StoredResults;
  readonly #config: LocalRunnerConfig;
  readonly #environment: Environment;
  readonly #logger: Logger;
  readonly #metrics: RunnerMetrics | undefined;
  readonly #store: OpenedOnce<ResultStore>;
  readonly #runs = new RunsUnderWay();

  constructor(config: LocalRunnerConfig, environment: Environment, logger: Logger, metrics?: RunnerMetrics) {
    // What is stored of a run says where it ran, whoever reads it from elsewhere.
    this.#config = { ...config, manifestDirectory: resolve(config.manifestDirectory) };
    this.#environment = environment;
    this.#logger = logger;
    this.#metrics = metrics;
    this.#store = new OpenedOnce(
      () => openResultStore(config.store, metrics?.store.observer),
      (store) => store.close(),
    );
    this.results = new StoredResults(() => this.#store.get());
  }

  async dryRun(batchTest: BatchTestManifest): Promise<DryRun> {
    return dryRun(validManifest(batchTest));
  }

  async run(batchTest: BatchTestManifest, options: RunOptions = {}): Promise<RunResult> {
    const manifest = validManifest(batchTest);
    if (this.#config.delivery !== undefined) checkDeliveryConfig(this.#config.delivery);
    expandVariants(manifest.spec);
    refuseUnsupported(manifest);
    refuseMissingData(manifest, this.#config.manifestDirectory);
    return this.#runs.track(options.signal, (cancel) => this.#run(manifest, cancel, options));
  }

  async cancel(run: string): Promise<string> {
    const store = await this.#store.get();
    // One of a cluster may have the same name, and is its operator's to end.
    const found = await store.findRun(run, { engine: 'local' });
    const stored = found === undefined ? undefined : await store.loadRun(found.uid);
    if (stored === undefined)
      throw new NoSuchRunError(`no stored local run has the UID or name ${JSON.stringify(run)}`);
    const { uid, name, state } = stored;
    if (state !== 'Running') throw new NoSuchRunError(`run ${uid} (${name}) is over: ${state}`);
    return cancelLocalRun(store, stored);
  }

  async shutdown(): Promise<void> {
    await this.#runs.end();
    await this.#store.close();
    if (this.#config.removeDataDirectory)
      // An embedded server that was let go of writes its last files while it stops.
      await rm(this.#config.dataDirectory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }

  async #run(manifest: BatchTest, cancel: AbortSignal, options: RunOptions): Promise<RunResult> {
    const store = await this.#store.get();
    const uid = options.resume ?? randomUUID();
    const hold = await store.holdRun(uid);
    if (hold === undefined) {
      // Whoever had the run may just have ended it.
      await refuseUnlessResumable(store, uid, manifest);
      throw new RunNotResumableError(`run ${uid} is being run by another process`);
    }
    try {
      if (options.resume !== undefined) {
        await refuseUnlessResumable(store, uid, manifest);
        refuseWithoutFolder(uid, manifest, this.#config.manifestDirectory);
        await this.#straysEnded(uid);
      }
      return await this.#runHeld(uid, hold, manifest, store, cancel, options);
    } finally {
      await hold.release();
    }
  }

  /** The programs that the killed process left have been ended by its launcher, which a busy machine makes slow. */
  async #straysEnded(uid: string): Promise<void> {
    await sleep(STRAYS_END_WITHIN_MS);
    const runsDirectory = await prepareRunsDirectory(this.#config.dataDirectory);
    const strays = await straysAfter(join(runsDirectory, uid), STRAYS_PATIENCE_MS);
    if (strays.length > 0)
      throw new RunNotResumableError(
        `run ${uid} cannot go on while programs run that its killed process left: end them (process ${strays.join(', ')})`,
      );
  }

  async #runHeld(
    uid: string,
    hold: RunHold,
    manifest: BatchTest,
    store: ResultStore,
    cancel: AbortSignal,
    { onProgress, onNotice, resume }: RunOptions,
  ): Promise<RunResult> {
    const { dataDirectory, manifestDirectory } = this.#config;
    const runsDirectory = await prepareRunsDirectory(dataDirectory);
    const data = await toldOf(
      () =>
        SharedDataState.read(
          { manifest, manifestDirectory, dataDirectory, uid, isResumed: resume !== undefined },
          cancel,
        ),
      'before the first trial',
      onNotice,
    );
    // Not before: a run whose shared data is told elsewhere does not become one of this data directory.
    await prepareRunDirectory(dataDirectory, uid);
    const ingest = manifest.spec.results.push
      ? await startLocalIngest(store, this.#config.resultLimitBytes, this.#logger, this.#metrics)
      : undefined;
    const delivery = await startLocalDelivery({
      uid,
      runsDirectory,
      store,
      config: this.#config.delivery,
      environment: this.#environment,
      logger: this.#logger,
    }).catch(async (error: unknown) => {
      await ingest?.close();
      throw error;
    });
    const now = steadyClock();
    const engine = createLocalEngine({
      runsDirectory,
      manifestDirectory,
      environment: this.#environment,
      instanceId: randomUUID(),
      ...(ingest === undefined ? {} : { push: ingest }),
      ...(onNotice === undefined ? {} : { onLeftRunning: onNotice }),
      now,
    });
    const outcome = new Outcome();
    const progressed = toleratedListener(onProgress, 'onProgress', onNotice);
    const source = new SingleRunSource({
      uid,
      manifest,
      directory: manifestDirectory,
      // The clock of spec.activeDeadlineSeconds begins anew, as for a run that was suspended.
      status: resume === undefined ? undefined : { startTime: new Date(now()).toISOString() },
      onStatus: (status) => {
        progressed(status);
        outcome.observe(status);
      },
    });
    const look = async (): Promise<void> => {
      // A store that is away is told of by the run itself.
      const held = await hold.keep().catch(() => undefined);
      if (held?.kind === 'TakenOver') outcome.giveUp(takenOver(uid, held.by));
      // Another process may ask for the end of the run: `batchtest cancel`.
      else if (await store.isCancelRequested(uid).catch(() => false)) source.requestCancel();
    };
    const looking = setInterval(() => void look(), LOOK_INTERVAL_MS);
    const onAbort = () => source.requestCancel();
    cancel.addEventListener('abort', onAbort);
    if (cancel.aborted) source.requestCancel();
    const metrics = this.#metrics;
    const controller = startController({
      source,
      engine,
      store: metrics?.store.measured(store) ?? store,
      ...(metrics === undefined ? {} : { onEvent: metrics.runs.observe, queueObserver: metrics.queue }),
      logger: this.#logger,
      now,
      random: Math.random,
      statusIntervalMs: STATUS_INTERVAL_MS,
      // Nothing that could be deleted stands for a local run.
      deletionPatienceMs: Number.POSITIVE_INFINITY,
      onTakenOver: () => void endedElsewhere(store, hold, uid).then(outcome.end, outcome.giveUp),
      changedDataOf: () => toldOf(() => data.changed(), 'after the last trial', onNotice),
      concurrency: 1,
    });
    const unfollow =
      metrics === undefined
        ? []
        : [
            metrics.runs.follow(controller),
            metrics.queue.follow(() => controller.queue()),
            metrics.objects.follow(() => [{ namespace: undefined, status: source.get(uid)?.status }]),
          ];
    try {
      await outcome.finished;
      await drained(delivery, cancel, onNotice);
      if (await store.outbox.hasPending(uid)) onNotice?.(NOT_ALL_DELIVERED);
      const stored = await store.loadRun(uid);
      if (stored === undefined) throw new Error(`run ${uid} is over and not in the result store`);
      return runResult(stored);
    } finally {
      clearInterval(looking);
      cancel.removeEventListener('abort', onAbort);
      await controller.stop(STORE_PATIENCE_MS);
      for (const stop of unfollow) stop();
      await delivery.stop(DELIVERY_STOP_MS);
      await engine.close();
      await ingest?.close();
    }
  }
}

/** Waits for what follows from the end of a run, until it is asked to end after that end. One that was asked before waits: it tells of its cancellation. */
async function drained(
  delivery: OutboxProcessor,
  cancel: AbortSignal,
  onNotice: ((notice: string) => void) | undefined,
): Promise<void> {
  const told = setTimeout(() => onNotice?.(DELIVERING), DRAIN_TOLD_AFTER_MS);
  const draining = delivery.drain(DRAIN_MS);
  await (cancel.aborted ? draining : Promise.race([draining, aborted(cancel)]));
  clearTimeout(told);
}

/**
 * Resolves when the process that took the run over has ended it, as `batchtest cancel` does at once.
 * @throws RunTakenOverError when it goes on there, or nobody can tell
 */
async function endedElsewhere(store: ResultStore, hold: RunHold, uid: string): Promise<void> {
  const stored = await store.findRun(uid).catch(() => undefined);
  if (stored !== undefined && stored.state !== 'Running') return;
  const held = await hold.keep().catch(() => undefined);
  throw takenOver(uid, held?.kind === 'TakenOver' ? held.by : undefined);
}

const takenOver = (uid: string, by = 'another process'): RunTakenOverError =>
  new RunTakenOverError(
    `run ${uid} is no longer this process' own: ${by} has taken it over, as is possible when the connection to the database breaks; its programs here are ended, and what was stored of it stays`,
  );

/** @throws RunNotResumableError */
async function refuseUnlessResumable(store: ResultStore, uid: string, manifest: BatchTest): Promise<void> {
  const stored = await store.loadRun(uid);
  if (stored === undefined) throw new RunNotResumableError(`there is no run ${uid} to be resumed`);
  if (stored.engine !== 'local')
    throw new RunNotResumableError(
      `run ${uid} is that of a cluster, whose operator goes on with it by itself`,
    );
  if (stored.state !== 'Running')
    throw new RunNotResumableError(`run ${uid} is over (${stored.state}); batchtest rerun starts it anew`);
  // An earlier version may have stored it, without fields that have a default since.
  const before = validManifest(stored.manifest);
  // What the run takes over was decided when it began, and by `batchtest rerun` in another way than its file says.
  const after = { ...manifest, spec: { ...manifest.spec, reusePolicy: before.spec.reusePolicy } };
  const changed = changedComparison(before, after);
  if (changed.length > 0)
    throw new RunNotResumableError(
      `run ${uid} cannot go on with another ${changed.join(', ')}: run the changed BatchTest anew, without --resume`,
    );
}

/**
 * On another machine than that which it began on, every attempt would fail for want of its folder, and the run with them.
 * @throws RunNotResumableError
 */
function refuseWithoutFolder(uid: string, manifest: BatchTest, manifestDirectory: string): void {
  const folder = workingDirectoryOf(manifest, manifestDirectory);
  if (!existsSync(folder))
    throw new RunNotResumableError(
      `run ${uid} cannot go on here: the folder that its programs run in is not there: ${folder}; resume it on the machine that it began on, or with its manifest in a folder of this one: batchtest run FILE --resume ${uid}`,
    );
}

/** A program that would lack what it is told to read is not started. */
function refuseUnsupported(manifest: BatchTest): void {
  const errors = unsupportedLocally(manifest).filter(({ severity }) => severity === 'error');
  if (errors.length > 0)
    throw new UnsupportedLocallyError(errors.map(({ field, problem }) => `${field} ${problem}`).join('\n'));
}

/** Waits for the end of a run, or for the point at which there is no use in waiting. */
class Outcome {
  readonly finished: Promise<void>;
  /** The run is over. */
  end: () => void = () => {};
  /** There is no use in waiting, for this reason. */
  giveUp: (error: Error) => void = () => {};
  #patience: NodeJS.Timeout | undefined;
  #isKnown = false;

  constructor() {
    this.finished = new Promise((resolve, reject) => {
      this.end = () => {
        this.#stopWaiting();
        resolve();
      };
      this.giveUp = (error) => {
        this.#stopWaiting();
        reject(error);
      };
    });
  }

  /** Patience that nobody needs any more would keep the process. */
  #stopWaiting(): void {
    this.#isKnown = true;
    clearTimeout(this.#patience);
  }

  observe(status: BatchTestStatus): void {
    if (this.#isKnown) return;
    const store = status.conditions?.find(({ type }) => type === ConditionType.ResultStoreAvailable);
    if (store?.status === 'False')
      this.#patience ??= setTimeout(
        () => this.giveUp(new ResultStoreUnavailableError(store.reason, store.message)),
        STORE_PATIENCE_MS,
      );
    else {
      clearTimeout(this.#patience);
      this.#patience = undefined;
    }
    if (finishedCondition(status) !== undefined) this.end();
  }
}
