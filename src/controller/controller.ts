/**
 * The loop: observe, decide, apply, write the status. One run per key of the work queue. Everything that happens (an event of the
 * engine, an edit by the user, a deadline) only says that a key is worth looking at again; what is done follows from the state alone.
 */

import { ConditionType } from '../api/v1alpha1/constants.ts';
import type { BatchTestStatus } from '../api/v1alpha1/status.ts';
import type { ObservedAttempt } from '../core/attempt.ts';
import { END_OF_DELETED } from '../core/completion-policy.ts';
import { InvalidBatchTestError } from '../core/errors.ts';
import type { ObservedAttempts, RunEnd } from '../core/plan.ts';
import { reconcile } from '../core/reconcile.ts';
import {
  type BegunRun,
  defineRun,
  type RunControls,
  type RunDefinition,
  runAsBegun,
  runGoingOn,
} from '../core/run.ts';
import { RunLedger } from '../core/run-ledger.ts';
import {
  type Explanation,
  finishedCondition,
  type MissingRun,
  statusOf,
  statusWithoutRun,
} from '../core/status.ts';
import { isStoreInTrouble, storeProblemOf } from '../core/store-trouble.ts';
import { isVerificationPending, statusAfterVerification } from '../core/verification-counts.ts';
import type { Engine } from '../engine/engine.ts';
import type { DesiredRun, RunSource } from '../engine/run-source.ts';
import { type ResultStore, ResultStoreUnavailableError } from '../results/result-store.ts';
import type { Verification } from '../results/verification.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { ActiveRun as BareRun } from './active-run.ts';
import { answerWithin } from './answer-within.ts';
import { applyPlan, FencedError, finish, LedgerOutdatedError, type PlanTargets } from './apply-plan.ts';
import type { ControllerListener } from './controller-event.ts';
import { endWithoutStore } from './end-without-store.ts';
import { GatheredNews } from './gathered-news.ts';
import { InvariantWatch } from './invariant-watch.ts';
import { nextTryAt } from './postponement.ts';
import { PushedResultsLook, withPushedResults } from './pushed-results.ts';
import { controlsOf, type EndWish, endWishOf, wantedOf } from './run-controls.ts';
import { RunPace } from './run-pace.ts';
import { type RunSnapshot, unrecorded } from './run-snapshot.ts';
import { StatusWriter } from './status-writer.ts';
import { StoreRequests } from './store-requests.ts';
import { lookAgainAfterMs, VerificationWatch } from './verification-watch.ts';
import { type ProcessedKey, WorkQueue, type WorkQueueObserver, type WorkQueueState } from './work-queue.ts';
import { WorkUnderWay } from './work-under-way.ts';

export interface ControllerOptions {
  readonly source: RunSource;
  readonly engine: Engine;
  readonly store: Pick<
    ResultStore,
    'openRun' | 'recordAttempt' | 'readPushed' | 'skipTrials' | 'finishRun'
  > & {
    readonly verification: Pick<Verification, 'counts'>;
    /** What is stored of a run; undefined when nothing is. */
    loadRunToConclude(runUid: string): Promise<BegunRun | undefined>;
  };
  readonly logger: Logger;
  readonly onEvent?: ControllerListener;
  readonly queueObserver?: WorkQueueObserver;
  /**
   * False when another process may lead by now, as after a pause of this one: it then knows what was wanted before, sees what the other one has done since,
   * and may take that for a violation. Default: it leads for as long as it runs.
   */
  readonly leads?: () => boolean;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  /** Statuses of one run are at least this far apart. */
  readonly statusIntervalMs: number;
  /**
   * How long the deletion of an object waits for a result store that is away. After that the object is let go: what had ended and was not stored by then
   * is lost, which is said in an event, and nobody has to remove a finalizer by hand.
   */
  readonly deletionPatienceMs: number;
  /**
   * Asked once nothing of a run lives any more, before its end is stored: what has changed of the data that its trials read, as a sentence; undefined when nothing has.
   */
  readonly changedDataOf?: (runUid: string) => Promise<string | undefined>;
  /**
   * Told once when another process has opened a run of this one; nothing is decided about it any more then. Default: it is opened anew, since the process
   * that leads has all runs.
   */
  readonly onTakenOver?: (runUid: string) => void;
  /** Runs looked at at once. */
  readonly concurrency: number;
}

export interface Controller {
  /** How the runs stand that are under way, asked anew each time. */
  runs(): readonly RunSnapshot[];
  /** How many runs an earlier process has begun that are not over, and that the store has not given to this one yet; asked anew each time. */
  unopened(): number;
  queue(): WorkQueueState;
  /** Takes nothing more on and resolves when what was under way is done; false when that took longer than the deadline. */
  stop(deadlineMs: number): Promise<boolean>;
}

/** Without its finalizer a BatchTest could go before its results are stored, so its run is not begun. */
class NotHeldError extends Error {
  override readonly name = 'NotHeldError';

  constructor(cause: unknown) {
    super(`nothing starts before the finalizer is set: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  }
}

/** With what the loop itself keeps of a run. */
type ActiveRun = BareRun & {
  readonly pushed: PushedResultsLook;
  /** Fields of the object that this version does not know, as they were told last. */
  toldIgnored: string;
  /** A status is being written, which is part of its work. */
  isStatusUnderWay: boolean;
  /** The object does not go before it is let go, or is to go already. */
  isHeld: boolean;
};

/** A run of an earlier process that cannot be opened, and of which nothing may run all the same. */
interface UnopenedRun {
  readonly uid: string;
  /** Knows nothing of what is stored. */
  readonly ledger: RunLedger;
  readonly work: WorkUnderWay;
  endWish: EndWish | undefined;
  /** What was ended of it, and why, by name: to be recorded once it is opened. */
  readonly ended: Map<string, { readonly attempt: ObservedAttempt; readonly why: Explanation }>;
}

/** An object, and what it asks for. */
interface WantedNow {
  readonly desired: DesiredRun;
  readonly controls: RunControls;
}

/** Why there is no run of an object, and will be none. */
interface Unrunnable {
  readonly problem: string;
}

/**
 * What happens to an attempt in a cluster comes in a dozen events, most of which call for nothing: while many arrive, a run is looked at once in this time
 * (docs/decisions/0023-news-of-a-run-is-gathered.md). A local program may be over in less.
 */
const CLUSTER_LOOK_INTERVAL_MS = 10;

/** Starts the loop. It runs until it is stopped. */
export function startController(options: ControllerOptions): Controller {
  const { source, engine, logger } = options;
  const news = new GatheredNews(
    (keys) => {
      for (const key of keys) queue.add(key);
    },
    engine.name === 'local' ? 0 : CLUSTER_LOOK_INTERVAL_MS,
  );
  const lookSoon = (key: string): void => news.add(key);
  const loop = new ReconcileLoop(options, lookSoon);
  const queue: WorkQueue = new WorkQueue({
    process: (key) => loop.process(key),
    onError: (key, error, retryInMs) => logFailure(logger, key, error, retryInMs),
    concurrency: options.concurrency,
    now: options.now,
    random: options.random,
    ...(options.queueObserver === undefined ? {} : { observer: options.queueObserver }),
  });
  const unsubscribe = [
    source.onChange(lookSoon),
    engine.onChange((uid) => {
      const key = source.keyOf(uid);
      if (key !== undefined) lookSoon(key);
    }),
  ];
  for (const key of source.keys()) queue.add(key);
  return {
    runs: () => loop.runs(),
    unopened: () => loop.unopened(),
    queue: () => queue.state(),
    async stop(deadlineMs) {
      for (const stop of unsubscribe) stop();
      const until = performance.now() + deadlineMs;
      if (!(await queue.stop(deadlineMs))) return false;
      return loop.isSettledWithin(Math.max(0, until - performance.now()));
    },
  };
}

/** More rounds than any single event can need: record, then start and remove, then finish. */
const MAX_ROUNDS = 8;

class ReconcileLoop {
  readonly #options: ControllerOptions;
  readonly #targets: PlanTargets;
  readonly #statuses: StatusWriter;
  /** By key. */
  readonly #runs = new Map<string, ActiveRun>();
  /** By key. */
  readonly #unopened = new Map<string, UnopenedRun>();
  /** Runs that are over and of which everything was read back, by key. */
  readonly #verified = new Map<string, string>();
  /** What is read back of the other runs that are over, by key. */
  readonly #readBack = new Map<string, { readonly uid: string; readonly watch: VerificationWatch }>();
  /**
   * Whether the store holds a run of an object, by key: it may since it was asked to open one, whatever it answered, and holds none once it has said so. Nothing is
   * known of objects that were never asked for.
   */
  readonly #begun = new Map<string, { readonly uid: string; readonly is: 'Never' | 'Maybe' }>();
  /** UIDs of runs that are another process' own by now. */
  readonly #takenOver = new Set<string>();
  /** Runs that are being opened, or ended because their object has gone, by key. */
  readonly #storeRequests: StoreRequests;

  readonly #lookAgain: (key: string) => void;

  /** @param lookAgain has a key processed, because something that it had under way is done */
  constructor(options: ControllerOptions, lookAgain: (key: string) => void) {
    this.#options = options;
    this.#lookAgain = lookAgain;
    const { engine, store, logger, now, onEvent = () => {}, changedDataOf } = options;
    this.#targets = {
      engine,
      store,
      now,
      onEvent: (event) => {
        if (event.kind === 'RunEnded') logger.info({ ...subject(event.run), ...event.end }, 'run ended');
        onEvent(event);
      },
      ...(changedDataOf === undefined ? {} : { changedDataOf }),
    };
    this.#statuses = new StatusWriter(options.source, options.statusIntervalMs, options.now);
    this.#storeRequests = new StoreRequests(options.concurrency, lookAgain);
  }

  async process(key: string): Promise<ProcessedKey> {
    const desired = this.#options.source.get(key);
    if (desired === undefined) {
      await this.#endReplaced(key, undefined);
      this.#unopened.delete(key);
      this.#begun.delete(key);
      this.#verified.delete(key);
      this.#readBack.delete(key);
      this.#statuses.forget(key);
      return SETTLED;
    }
    const finished = finishedCondition(desired.status);
    let run: ActiveRun;
    try {
      await this.#endReplaced(key, desired.uid);
      if (this.#takenOver.has(desired.uid)) return SETTLED;
      if (finished !== undefined)
        return this.#afterEnd(key, desired, Date.parse(finished.lastTransitionTime));
      const opened = this.#runs.get(key) ?? (await this.#open(key, desired));
      if (opened !== undefined && 'problem' in opened) return this.#refuse(key, desired, opened.problem);
      // That of another object, which had the name before: it is ended first.
      if (opened?.uid !== desired.uid) return { requeueAt: this.#options.now() };
      run = opened;
      await this.#hold(key, run, desired);
    } catch (error) {
      const explanation = { message: error instanceof Error ? error.message : String(error) };
      if (error instanceof NotHeldError)
        await this.#reportWithoutRun(key, desired, {
          kind: 'NotHeld',
          explanation: { ...explanation, reason: 'FinalizerNotSet' },
        });
      // What is over has been told.
      if (error instanceof ResultStoreUnavailableError && finished === undefined) {
        try {
          // What failed before brings a look at once, which asks for nothing: that waits for the back-off.
          this.#unopened.get(key)?.work.throwFailure();
          this.#endUnopened(key, desired.uid);
        } finally {
          await this.#letGoInTime(key, desired, undefined);
          await this.#reportWithoutRun(key, desired, {
            kind: 'StoreUnavailable',
            explanation: { ...explanation, reason: error.reason },
            suspended:
              desired.kind === 'Invalid' || desired.cancel !== undefined
                ? undefined
                : desired.manifest.spec.suspend,
          });
        }
      }
      throw error;
    }
    return this.#step(key, run, desired);
  }

  /** Resolves when nothing is under way for any run; false when that takes longer. */
  async isSettledWithin(deadlineMs: number): Promise<boolean> {
    const works = [...this.#runs.values(), ...this.#unopened.values()].map(({ work }) => work.settled());
    const settled = Promise.all([...works, this.#storeRequests.settled()]);
    return (await answerWithin(settled, deadlineMs)) !== undefined;
  }

  runs(): readonly RunSnapshot[] {
    const { source, engine } = this.#options;
    return [...this.#runs].flatMap(([key, { uid, ledger, pace }]) => {
      const desired = source.get(key);
      if (ledger.end !== undefined || desired?.uid !== uid) return [];
      const { parallelism, suspend } = wantedOf(desired, ledger.definition).manifest.spec;
      return [
        {
          run: ledger.definition,
          pending: ledger.due,
          parallelism,
          isHeld: suspend || parallelism === 0,
          attempts: unrecorded(ledger, engine.observe(ledger.definition)),
          lastProgressAt: pace.lastProgressAt,
        },
      ];
    });
  }

  /** What is held was begun. */
  unopened(): number {
    const { source } = this.#options;
    let count = 0;
    for (const key of source.keys()) {
      const desired = source.get(key);
      if (desired === undefined || !desired.isHeld || finishedCondition(desired.status) !== undefined)
        continue;
      if (this.#runs.get(key)?.uid !== desired.uid && !this.#takenOver.has(desired.uid)) count += 1;
    }
    return count;
  }

  /** Nothing was begun of what is refused: it does not wait for its status when it is deleted. */
  async #refuse(key: string, desired: DesiredRun, message: string): Promise<ProcessedKey> {
    if (desired.isHeld && desired.deletedAt !== undefined) {
      await this.#options.source.letGo(key, desired.uid);
      return SETTLED;
    }
    const explanation = { reason: 'InvalidSpec', message };
    return { requeueAt: await this.#reportWithoutRun(key, desired, { kind: 'InvalidSpec', explanation }) };
  }

  /** Over, and its user has been told: the object may go, and goes when its time has come. Nothing of the run is looked at again. */
  async #afterEnd(key: string, desired: DesiredRun, endedAt: number): Promise<ProcessedKey> {
    const { source, now } = this.#options;
    this.#runs.delete(key);
    if (desired.isHeld) await source.letGo(key, desired.uid);
    if (desired.kind === 'Invalid' || desired.deletedAt !== undefined) return SETTLED;
    const { ttlSecondsAfterFinished } = desired.manifest.spec;
    const goesAt =
      ttlSecondsAfterFinished === undefined ? undefined : endedAt + ttlSecondsAfterFinished * 1_000;
    if (goesAt !== undefined && now() >= goesAt) {
      await source.remove(key, desired.uid);
      return SETTLED;
    }
    return { requeueAt: earliest(goesAt, await this.#tellOfVerification(key, desired, endedAt)) };
  }

  /**
   * What was stored last is read back after the end of the run, so its status may change once more. Gives when to look again; undefined once there is nothing
   * more to be told.
   */
  async #tellOfVerification(key: string, desired: DesiredRun, endedAt: number): Promise<number | undefined> {
    const { store, now } = this.#options;
    if (this.#verified.get(key) === desired.uid) return undefined;
    const { watch } = this.#readBackOf(key, desired.uid);
    await watch.look(desired.uid, store.verification, true, now());
    const { counts } = watch;
    const status = this.#previous(key, desired);
    const changed =
      counts === undefined || status === undefined ? undefined : statusAfterVerification(status, counts);
    if (changed !== undefined) await this.#statuses.write(key, desired.uid, changed);
    if (counts === undefined || isVerificationPending(counts))
      return now() + lookAgainAfterMs(now() - endedAt);
    this.#verified.set(key, desired.uid);
    this.#readBack.delete(key);
    this.#statuses.forget(key);
    return undefined;
  }

  /** Begins anew with the end of the run: that everything was read back before is not that it all is now. */
  #readBackOf(key: string, uid: string): { readonly watch: VerificationWatch } {
    const known = this.#readBack.get(key);
    if (known?.uid === uid) return known;
    const begun = { uid, watch: new VerificationWatch(true) };
    this.#readBack.set(key, begun);
    return begun;
  }

  /** The run that an object describes, or why it describes none. */
  #described(desired: DesiredRun): RunDefinition | Unrunnable {
    if (desired.kind === 'Invalid') return { problem: desired.message };
    const { engine, source } = this.#options;
    const { uid, manifest } = desired;
    try {
      return defineRun(manifest, { uid, engine: engine.name, directory: source.directory });
    } catch (error) {
      if (error instanceof InvalidBatchTestError) return { problem: error.message };
      throw error;
    }
  }

  /**
   * Opens the run of an object. One that cannot be run is refused, for good, when nothing of it was begun; what was, by an earlier process that could run it, is opened
   * as it is stored. It goes on then; or it is ended, when its object cannot be read: its attempts are recorded and removed and its end is stored before anything says
   * that it is over (docs/decisions/0026-fields-of-a-later-version.md, 0027-a-run-goes-on-as-it-was-begun.md).
   * @returns the run that was opened under this key: an answer that comes late is that of whatever was asked for first
   */
  async #open(key: string, desired: DesiredRun): Promise<ActiveRun | Unrunnable | undefined> {
    const { store, source } = this.#options;
    const described = this.#described(desired);
    // The store may have told it late, when nobody waited for it any more.
    const begun = (): 'Never' | 'Maybe' | undefined => {
      const known = this.#begun.get(key);
      return known?.uid === desired.uid ? known.is : undefined;
    };
    // Of an object that is not held nothing was begun before this process has asked for it.
    const isNeverBegun = begun() === 'Never' || (begun() === undefined && !desired.isHeld);
    if ('problem' in described && isNeverBegun) return described;
    await this.#storeRequests.done(key, async () => {
      if (!('problem' in described)) return this.#takeUp(key, described, desired);
      const stored = await store.loadRunToConclude(desired.uid);
      if (stored === undefined) {
        this.#begun.set(key, { uid: desired.uid, is: 'Never' });
        return;
      }
      await this.#takeUp(key, runAsBegun(stored, source.directory), desired);
    });
    return this.#runs.get(key) ?? ('problem' in described && begun() === 'Never' ? described : undefined);
  }

  /** Opens the run in the store. Should its object have gone meanwhile, it is there to be ended. */
  async #takeUp(key: string, described: RunDefinition, desired: DesiredRun): Promise<void> {
    const { store, logger, now } = this.#options;
    // Before it is asked for: it may be committed though the answer is lost.
    this.#begun.set(key, { uid: described.uid, is: 'Maybe' });
    const opened = await store.openRun(described);
    const definition = opened.begun === undefined ? described : runGoingOn(described, opened.begun);
    const run: ActiveRun = {
      uid: described.uid,
      ledger: new RunLedger(definition, opened.trials, opened.end, opened),
      watch: new InvariantWatch(),
      pace: new RunPace(now()),
      work: new WorkUnderWay(() => this.#lookAgain(key)),
      fence: opened.fence,
      // By the clock that deadlines go by, which need not be that of the store.
      activeSince: activeSinceOf(this.#previous(key, desired), now() - opened.registeredMsAgo),
      endWish: undefined,
      waiting: undefined,
      postponement: undefined,
      verification: new VerificationWatch(opened.trials.some(({ recordedAttempts }) => recordedAttempts > 0)),
      storeProblem: undefined,
      pushed: new PushedResultsLook(),
      toldIgnored: '',
      isStatusUnderWay: false,
      isHeld: false,
    };
    this.#noteEndedUnopened(key, run.ledger);
    this.#runs.set(key, run);
    logger.info({ ...subject(definition), ...run.ledger.counts }, 'run opened');
    this.#targets.onEvent({ kind: 'RunOpened', run: definition, isNew: opened.begun === undefined });
  }

  /** Has ended what runs of a run that is cancelled or suspended: its user does not wait until the store is back to open it. */
  #endUnopened(key: string, uid: string): void {
    const { source, engine, now } = this.#options;
    // What was wanted before the store was waited for need not be wanted now.
    const desired = source.get(key);
    if (desired?.uid !== uid || desired.kind === 'Invalid' || this.#runs.has(key)) return;
    const { manifest, cancel } = desired;
    const known = this.#unopened.get(key);
    if (cancel === undefined && !manifest.spec.suspend) {
      if (known !== undefined) known.endWish = undefined;
      return;
    }
    const described = this.#described(desired);
    if ('problem' in described) return;
    const unopened: UnopenedRun =
      known?.uid === uid
        ? known
        : {
            uid,
            ledger: new RunLedger(described),
            work: new WorkUnderWay(() => this.#lookAgain(key)),
            endWish: undefined,
            ended: new Map(),
          };
    this.#unopened.set(key, unopened);
    const wanted = { manifest, cancel };
    unopened.endWish = endWishOf(unopened.endWish, wanted, unopened.ledger, now());
    const unknown = { ...unopened, activeSince: undefined, postponement: undefined };
    const controls = controlsOf(wanted, unknown, engine, now());
    const endings = endWithoutStore(unopened, controls, engine, now());
    if (endings === undefined) return;
    const { attempts, why } = endings;
    for (const attempt of attempts) unopened.ended.set(attempt.name, { attempt, why });
  }

  /** What was ended of the run before it could be opened is recorded with its reason, though it may be gone by now. */
  #noteEndedUnopened(key: string, ledger: RunLedger): void {
    const unopened = this.#unopened.get(key);
    this.#unopened.delete(key);
    if (unopened?.uid !== ledger.definition.uid) return;
    for (const { attempt, why } of unopened.ended.values()) {
      ledger.noteObserved([attempt]);
      ledger.noteEndedUnrecorded(attempt, why);
    }
  }

  /** Before anything starts: from then on the object does not go before the run is over in the store. */
  async #hold(key: string, run: ActiveRun, desired: DesiredRun): Promise<void> {
    if (run.isHeld) return;
    if (!desired.isHeld && desired.deletedAt === undefined)
      await this.#options.source.hold(key, desired.uid).catch((cause: unknown) => {
        throw new NotHeldError(cause);
      });
    run.isHeld = true;
  }

  async #step(key: string, run: ActiveRun, desired: DesiredRun): Promise<ProcessedKey> {
    const { now } = this.#options;
    this.#tellOfIgnored(run, desired);
    try {
      run.work.throwFailure();
      const decideAt = await this.#decideAndApply(key, run);
      run.storeProblem = storeProblemOf(run.ledger, run.storeProblem, now());
      // One that does not answer is as good as one that refuses.
      if (isStoreInTrouble(run.ledger, now())) this.#endWithoutStore(key, run);
      const tellAt = await this.#writeStatus(key, run);
      return {
        requeueAt: earliest(decideAt, tellAt),
        isUnderWay: !run.work.isIdle,
      };
    } catch (error) {
      const { onTakenOver } = this.#options;
      if (error instanceof FencedError && onTakenOver !== undefined) {
        this.#takenOver.add(run.uid);
        onTakenOver(run.uid);
        return SETTLED;
      }
      if (error instanceof LedgerOutdatedError) {
        // What it has asked for must not be going on when the run is opened anew.
        await run.work.settled();
        this.#runs.delete(key);
      }
      if (error instanceof ResultStoreUnavailableError) {
        run.storeProblem = { reason: error.reason, message: error.message };
        this.#endWithoutStore(key, run);
        await this.#letGoInTime(key, desired, run.ledger.end);
        await this.#writeStatus(key, run);
      } else if (run.ledger.end !== undefined) await this.#letGoInTime(key, desired, run.ledger.end);
      throw error;
    }
  }

  /**
   * What is wanted of a run at this moment: whoever has waited for something asks anew. Undefined when its object is gone, or another one has its name: the next
   * look ends the run.
   */
  #wantedNow(key: string, run: ActiveRun, now: number): WantedNow | undefined {
    const { source, engine } = this.#options;
    const desired = source.get(key);
    if (desired?.uid !== run.uid) return undefined;
    const wanted = wantedOf(desired, run.ledger.definition);
    // As of a Job: the clock of activeDeadlineSeconds begins anew when the run is resumed.
    if (desired.kind === 'Runnable')
      run.activeSince = wanted.manifest.spec.suspend ? undefined : (run.activeSince ?? now);
    run.endWish = endWishOf(run.endWish, wanted, run.ledger, now);
    return { desired, controls: controlsOf(wanted, run, engine, now) };
  }

  /** Has ended what must not run any longer though that cannot be stored now. */
  #endWithoutStore(key: string, run: ActiveRun): void {
    const { engine, now } = this.#options;
    const decidedAt = now();
    const wanted = this.#wantedNow(key, run, decidedAt);
    if (wanted !== undefined) endWithoutStore(run, wanted.controls, engine, decidedAt);
  }

  /** What the object asks for and this version does not know counts for nothing, which is told once. */
  #tellOfIgnored(run: ActiveRun, desired: DesiredRun): void {
    if (desired.kind === 'Invalid') return;
    const fields = desired.ignoredFields.join(', ');
    if (fields === run.toldIgnored) return;
    run.toldIgnored = fields;
    if (fields === '') return;
    const { definition } = run.ledger;
    this.#options.logger.warn(
      { ...subject(definition), fields },
      'the object has fields that this version does not know; they are ignored',
    );
    this.#targets.onEvent({ kind: 'FieldsIgnored', run: definition, fields });
  }

  /** Decides and applies until there is nothing more to decide; gives the time at which there will be. */
  async #decideAndApply(key: string, run: ActiveRun): Promise<number | undefined> {
    const { engine, store, now, logger } = this.#options;
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const pushed = await run.pushed.look(run.ledger, () => engine.observe(run.ledger.definition), store);
      // From here on until the plan is made nothing is waited for, so that an answer cannot come in between.
      // One time for all of it: what it is too early for at one time must not count as done at the next.
      const decidedAt = now();
      const wanted = this.#wantedNow(key, run, decidedAt);
      if (wanted === undefined) return decidedAt;
      const { controls } = wanted;
      const observed = withPushedResults(engine.observe(run.ledger.definition), pushed);
      if (controls.cancel !== undefined) run.pace.cancelSeen(decidedAt);
      this.#watch(run, observed, controls.parallelism);
      run.ledger.noteObserved(observed);
      const plan = reconcile(run.ledger, observed, controls, decidedAt);
      run.waiting = plan.waiting;
      if (plan.actions.length === 0) {
        const { startsUnderWay, mayBeStopping } = run.ledger;
        const mayYetStart =
          startsUnderWay.size > 0 || mayBeStopping || isStoreInTrouble(run.ledger, decidedAt);
        if (run.postponement?.explanation === undefined && !mayYetStart) run.pace.nothingToStart();
        return earliest(plan.requeueAt, nextTryAt(run.postponement, decidedAt));
      }
      logger.debug({ run: run.uid, actions: plan.actions.map(({ kind }) => kind) }, 'plan');
      const applied = applyPlan(plan, run, controls, this.#targets);
      if (!applied.decideAgain) return earliest(plan.requeueAt, nextTryAt(run.postponement, decidedAt));
    }
    return now();
  }

  #watch(run: ActiveRun, observed: ObservedAttempts, parallelism: number): void {
    if (this.#options.leads?.() === false) return;
    for (const violation of run.watch.look(run.ledger, observed, parallelism)) {
      this.#options.logger.error(
        { run: run.uid, ...violation },
        'an invariant is violated: this is a defect',
      );
      this.#targets.onEvent({ kind: 'InvariantViolated', run: run.ledger.definition, violation });
    }
  }

  /**
   * A deletion does not hang for ever on a store that does not come back, nor on a status that cannot be written: that comes after it.
   * @param end of its run, once that is stored: nothing is lost then
   */
  async #letGoInTime(key: string, desired: DesiredRun, end: RunEnd | undefined): Promise<void> {
    const { source, now, logger, deletionPatienceMs } = this.#options;
    if (!desired.isHeld || desired.deletedAt === undefined) return;
    if (now() < desired.deletedAt + deletionPatienceMs) return;
    const what = end === undefined ? 'its run is not stored' : 'its status cannot be written';
    logger.warn({ run: desired.uid, key }, `the deleted BatchTest is let go though ${what}`);
    const { name, namespace } = desired.kind === 'Runnable' ? desired.manifest.metadata : desired.metadata;
    if (end === undefined)
      this.#targets.onEvent({ kind: 'RunAbandoned', run: { uid: desired.uid, name, namespace } });
    await source.letGo(key, desired.uid);
  }

  /** Has the status written: the one that ends the run before this resolves, any other while decisions go on. Gives when to look again for its sake. */
  async #writeStatus(key: string, run: ActiveRun): Promise<number | undefined> {
    const { now, store } = this.#options;
    const isOver = run.ledger.end !== undefined;
    // It is looked at again when that is written, and no time brings that.
    if (run.isStatusUnderWay) return undefined;
    // What the end of the run is going to tell is not told before, and its answer brings a look as well.
    if (run.ledger.isFinishing && run.storeProblem === undefined) return undefined;
    const heldUntil = isOver ? undefined : this.#statuses.heldUntil(key, run.uid);
    if (heldUntil !== undefined) return heldUntil;
    await run.verification.look(run.uid, store.verification, isOver, now());
    // It has ended meanwhile: that is told by the look which its answer brings, once it is known that the store has answered.
    if (!isOver && run.ledger.end !== undefined) return undefined;
    const toldAt = now();
    const wanted = this.#wantedNow(key, run, toldAt);
    if (wanted === undefined) return toldAt;
    const { desired, controls } = wanted;
    const status = statusOf(
      run.ledger,
      {
        controls,
        activeSince: run.activeSince,
        waiting: run.waiting,
        storeProblem: run.storeProblem,
        verification: run.verification.counts,
        observedGeneration: desired.generation,
        previousConditions: this.#previous(key, desired)?.conditions ?? [],
      },
      toldAt,
    );
    const { lookAgainAt } = run.verification;
    if (isOver) return (await this.#statuses.write(key, run.uid, status)) ?? lookAgainAt;
    if (this.#statuses.isWritten(key, run.uid, status)) return lookAgainAt;
    run.isStatusUnderWay = true;
    const writing = this.#statuses.write(key, run.uid, status).finally(() => {
      run.isStatusUnderWay = false;
    });
    run.work.add([writing]);
    return lookAgainAt;
  }

  /** The source's view of the status may lag behind what was written. */
  #previous(key: string, desired: DesiredRun): BatchTestStatus | undefined {
    return this.#statuses.last(key, desired.uid) ?? desired.status;
  }

  /** Gives the time at which a status that is held back is to be written. */
  #reportWithoutRun(key: string, desired: DesiredRun, missing: MissingRun): Promise<number | undefined> {
    const status = statusWithoutRun(
      missing,
      this.#previous(key, desired),
      desired.generation,
      this.#options.now(),
    );
    return this.#statuses.write(key, desired.uid, status);
  }

  /** The object under this key is gone, or replaced by one of the same name, though it was held: its run is over, its results stay. */
  async #endReplaced(key: string, wantedUid: string | undefined): Promise<void> {
    const run = this.#runs.get(key);
    if (run === undefined || run.uid === wantedUid) return;
    await this.#storeRequests.done(key, () => this.#endAbandoned(key, run));
  }

  async #endAbandoned(key: string, run: ActiveRun): Promise<void> {
    // Another writer has stored, or refused, what this one knows; nothing is gained by trying again.
    const unlessOutdated = (error: unknown): void => {
      if (!(error instanceof LedgerOutdatedError)) throw error;
    };
    // What has ended and is not stored yet is still with the engine, and only there.
    if (run.ledger.end === undefined) await this.#endAttempts(run).catch(unlessOutdated);
    // Its end may have been under way, and may rest on what the store has lost since. Nobody opens the run anew, so it ends with its object then.
    for (const end of [run.ledger.ending, END_OF_DELETED]) {
      if (run.ledger.end !== undefined || end === undefined) continue;
      const { gate } = run.ledger;
      await finish({ kind: 'FinishRun', end, gate }, run, this.#targets).catch(unlessOutdated);
    }
    this.#runs.delete(key);
  }

  /**
   * Records what has ended, and ends what has not. A cluster's garbage collector does that as well, but not at once, and not before it has
   * found out that there are BatchTests.
   */
  async #endAttempts(run: ActiveRun): Promise<void> {
    const { engine, store, now } = this.#options;
    const { manifest } = run.ledger.definition;
    await run.work.settled();
    // What failed before brings a look at once, which asks for nothing: that waits for the back-off.
    run.work.throwFailure();
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const pushed = await run.pushed.look(run.ledger, () => engine.observe(run.ledger.definition), store);
      const observed = withPushedResults(engine.observe(run.ledger.definition), pushed);
      run.ledger.noteObserved(observed);
      // With the object its pods go as well, so nobody waits to see what they come to.
      const asLastSeen = { ...run, endWish: undefined };
      const controls = controlsOf({ manifest, cancel: 'Deleted' }, asLastSeen, engine, now());
      const plan = reconcile(run.ledger, observed, controls, now());
      const actions = plan.actions.filter(({ kind }) => kind !== 'StartAttempt' && kind !== 'FinishRun');
      if (actions.length === 0) return;
      applyPlan({ ...plan, actions }, run, controls, this.#targets);
      await run.work.settled();
      run.work.throwFailureAndKeepIt();
    }
  }
}

const SETTLED: ProcessedKey = { requeueAt: undefined };

/**
 * Since when the run may run, as its status tells; a run without a status may since it was registered. Undefined for one that is suspended, or was resumed and has not
 * been opened since.
 */
function activeSinceOf(status: BatchTestStatus | undefined, registeredAt: number): number | undefined {
  if (status?.startTime !== undefined) return Date.parse(status.startTime);
  const wasSuspended = status?.conditions?.some(({ type }) => type === ConditionType.Suspended);
  return wasSuspended === true ? undefined : registeredAt;
}

const earliest = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined ? b : b === undefined ? a : Math.min(a, b);

const subject = ({ uid, name, namespace }: RunDefinition) => ({ run: uid, name, namespace });

function logFailure(logger: Logger, key: string, error: unknown, retryInMs: number): void {
  const context = { key, retryInMs: Math.round(retryInMs) };
  // Expected: the condition of the object says so, and a stack trace would not help anybody.
  if (error instanceof ResultStoreUnavailableError || error instanceof LedgerOutdatedError)
    logger.warn({ ...context, reason: error.message }, 'reconcile is tried again');
  else logger.error({ ...context, err: error }, 'reconcile failed');
}
