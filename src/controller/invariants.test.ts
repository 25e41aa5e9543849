/**
 * The invariants of docs/architecture.md, checked in random runs: any number of variants, trials that start late, end in any way or
 * vanish, a user who edits, suspends and cancels, an engine and a store that fail now and then, and an operator that crashes between any two of
 * its writes. The decisions, the ledger and their application are the real ones; the world is a model.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  exited,
  exitedWell,
  lost,
  type ModelAttempt,
  ModelEngine,
  type RemoveFault,
  type StartFault,
} from '../../test/builders/model-engine.ts';
import { ModelOperator, type StepEnd, type Wanted, type World } from '../../test/builders/model-operator.ts';
import { ModelStore, type StoreCondition } from '../../test/builders/model-store.ts';
import { aRun } from '../../test/builders/run.ts';
import { ConditionType } from '../api/v1alpha1/constants.ts';
import type { BatchTestSpec } from '../api/v1alpha1/schema.ts';
import type { BatchTestStatus } from '../api/v1alpha1/status.ts';
import { attemptName, isLive, type ObservedAttempt, type Termination } from '../core/attempt.ts';
import { judgeAttempt } from '../core/outcome.ts';
import type { Plan } from '../core/plan.ts';
import type { RunControls, RunDefinition } from '../core/run.ts';
import { isTerminal, type StoredTrial } from '../core/run-ledger.ts';
import { statusOf } from '../core/status.ts';
import { isStoreInTrouble } from '../core/store-trouble.ts';
import { ResultStoreUnavailableError } from '../results/result-store.ts';
import { controlsOf } from './run-controls.ts';

const DEADLINE_SECONDS = 100;
const START_DEADLINE_SECONDS = 70;

/** What a user may edit while a run is under way. */
type Edit = Partial<
  Pick<
    BatchTestSpec,
    | 'parallelism'
    | 'scaleDownPolicy'
    | 'suspend'
    | 'maxPending'
    | 'maxFailedVariants'
    | 'activeDeadlineSeconds'
    | 'podCleanupPolicy'
  >
>;

/** One thing that happens. `pick` chooses among the attempts that it can happen to. */
type Happening =
  /** The operator looks at the run; it may crash before the write with this number. */
  | { readonly what: 'look'; readonly crashBeforeWrite: number | undefined }
  | {
      readonly what: 'begin' | 'isBeingRead' | 'deleteByOthers' | 'vanish' | 'gone' | 'reveal';
      readonly pick: number;
    }
  /** A request that is under way is answered. */
  | { readonly what: 'answer'; readonly pick: number }
  /** `OfItsVariant`: it ends well with the value that is its variant's own, so that variants can be told apart. */
  | { readonly what: 'end'; readonly pick: number; readonly termination: Termination | 'OfItsVariant' }
  | { readonly what: 'wait'; readonly seconds: number }
  | { readonly what: 'edit'; readonly spec: Edit }
  | { readonly what: 'cancel'; readonly cancel: NonNullable<RunControls['cancel']> }
  | { readonly what: 'store'; readonly condition: StoreCondition }
  /** The store does what it is asked next at once, but answers when somebody lets it. */
  | { readonly what: 'storeIsLate' }
  | { readonly what: 'startFault'; readonly fault: StartFault }
  | { readonly what: 'removeFault'; readonly fault: RemoveFault }
  /** It happens between two writes of the operator, which does not see it before its next look. */
  | { readonly what: 'behindItsBack'; readonly happening: WorldHappening };

/** What happens without the operator. */
type WorldHappening = Exclude<Happening, { what: 'look' | 'behindItsBack' }>;

interface Scenario {
  readonly variants: number;
  readonly repetitions: number;
  readonly policies: Policies;
  readonly stopping: Stopping;
  readonly spec: Edit;
  readonly happenings: readonly Happening[];
}

/** What makes trials unnecessary; it cannot be edited. */
interface Stopping {
  /** Looks after the second repetition, and after each further one. Not in runs of fewer than three. */
  readonly stopsEarly: boolean;
  readonly target: string | undefined;
}

const stopping: fc.Arbitrary<Stopping> = fc.record({
  stopsEarly: fc.boolean(),
  target: fc.constantFrom(undefined, undefined, '11', '20'),
});

/** What decides about the next attempt of a trial; it cannot be edited. */
interface Policies {
  readonly limit: number;
  readonly backoffSeconds: number;
  readonly outcomes: BatchTestSpec['retryPolicy']['outcomes'];
  readonly failureRules: NonNullable<BatchTestSpec['failurePolicy']>['rules'];
}

const policies: fc.Arbitrary<Policies> = fc.record({
  limit: fc.nat({ max: 2 }),
  backoffSeconds: fc.constantFrom(2, 0),
  outcomes: fc.constantFrom<Policies['outcomes']>(
    ['Infrastructure'],
    [],
    ['TimedOut', 'Infrastructure'],
    ['TestFailed', 'ResultInvalid'],
  ),
  failureRules: fc.constantFrom<Policies['failureRules']>(
    [],
    [{ action: 'FailVariant', onExitCodes: { operator: 'In', values: [1] } }],
    [
      { action: 'Ignore', onExitCodes: { operator: 'In', values: [1] } },
      { action: 'FailVariant', onExitCodes: { operator: 'NotIn', values: [1] } },
    ],
    [{ action: 'Retry', onExitCodes: { operator: 'NotIn', values: [137] } }],
  ),
});

const parallelism = fc.nat({ max: 4 });
const suspend = fc.boolean();
const scaleDownPolicy = fc.constantFrom('Drain' as const, 'Preempt' as const);
const maxPending = fc.constantFrom(undefined, 1, 2);
const maxFailedVariants = fc.constantFrom(undefined, undefined, 0, 1, 2);
const activeDeadlineSeconds = fc.constantFrom(undefined, undefined, 30, 300);
const podCleanupPolicy = fc.constantFrom('Succeeded' as const, 'Always' as const, 'Never' as const);

/** One field at a time, because that is what mixes best with what happens otherwise. */
const edits: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ parallelism }) },
  { weight: 4, arbitrary: fc.record({ suspend }) },
  { weight: 3, arbitrary: fc.record({ parallelism, scaleDownPolicy }) },
  { weight: 2, arbitrary: fc.record({ maxPending }) },
  { weight: 1, arbitrary: fc.record({ maxFailedVariants }) },
  { weight: 1, arbitrary: fc.record({ activeDeadlineSeconds }) },
  { weight: 2, arbitrary: fc.record({ podCleanupPolicy }) },
);

const pick = fc.nat({ max: 7 });

const terminations: fc.Arbitrary<Termination | 'OfItsVariant'> = fc.oneof(
  { weight: 8, arbitrary: fc.constant('OfItsVariant' as const) },
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 9 }).map((p95) => exitedWell(p95)) },
  { weight: 2, arbitrary: fc.constantFrom(exited(1), exited(137), exited(0, 'not JSON'), exited(0)) },
  { weight: 2, arbitrary: fc.constant(lost()) },
  { weight: 1, arbitrary: fc.constant<Termination>({ kind: 'DeadlineExceeded', message: 'too long' }) },
);

const startAnswers = fc.constantFrom(
  'Started' as const,
  'NotSent' as const,
  'AnswerLost' as const,
  'Postponed' as const,
  'PostponedButStarted' as const,
  'Refused' as const,
);

const worldHappenings: fc.Arbitrary<WorldHappening> = fc.oneof(
  { weight: 20, arbitrary: fc.record({ what: fc.constant('begin' as const), pick }) },
  { weight: 8, arbitrary: fc.record({ what: fc.constant('isBeingRead' as const), pick }) },
  {
    weight: 30,
    arbitrary: fc.record({ what: fc.constant('end' as const), pick, termination: terminations }),
  },
  {
    weight: 20,
    arbitrary: fc.record({
      what: fc.constantFrom('deleteByOthers' as const, 'vanish' as const, 'gone' as const, 'reveal' as const),
      pick,
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({ what: fc.constant('wait' as const), seconds: fc.constantFrom(1, 2, 5, 60) }),
  },
  { weight: 12, arbitrary: fc.record({ what: fc.constant('edit' as const), spec: edits }) },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constant('cancel' as const),
      cancel: fc.constantFrom('Requested' as const, 'Deleted' as const),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      what: fc.constant('store' as const),
      condition: fc.constantFrom('Available' as const, 'Unavailable' as const, 'AnswerLost' as const),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      what: fc.constant('startFault' as const),
      fault: fc.oneof(startAnswers, fc.record({ late: startAnswers })),
    }),
  },
  { weight: 8, arbitrary: fc.record({ what: fc.constant('storeIsLate' as const) }) },
  { weight: 12, arbitrary: fc.record({ what: fc.constant('answer' as const), pick }) },
  {
    weight: 5,
    arbitrary: fc.record({
      what: fc.constant('removeFault' as const),
      fault: fc.constantFrom('NotSent' as const, 'AnswerLost' as const, 'Late' as const),
    }),
  },
);

const happenings: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 15, arbitrary: worldHappenings },
  {
    weight: 5,
    arbitrary: fc.record({
      what: fc.constant('look' as const),
      crashBeforeWrite: fc.option(fc.nat({ max: 5 }), { nil: undefined, freq: 6 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ what: fc.constant('behindItsBack' as const), happening: worldHappenings }),
  },
);

const scenarios: fc.Arbitrary<Scenario> = fc.record({
  variants: fc.integer({ min: 1, max: 4 }),
  repetitions: fc.integer({ min: 1, max: 4 }),
  policies,
  stopping,
  spec: fc.record({
    parallelism,
    scaleDownPolicy,
    suspend: fc.constantFrom(false, false, false, true),
    maxPending,
    maxFailedVariants,
    activeDeadlineSeconds,
    podCleanupPolicy,
  }),
  happenings: fc.array(happenings, { maxLength: 80, size: 'max' }),
});

class CrashError extends Error {
  override readonly name = 'CrashError';
}

/** One run in a model world, with somebody who watches every write and the state after every step. */
class WatchedRun {
  readonly run: RunDefinition;
  readonly engine: ModelEngine;
  readonly store: ModelStore;
  readonly violations: string[] = [];
  readonly plans: string[] = [];
  /** Attempts whose end was to be seen, by name; not those that somebody removed while no operator remembered them. */
  readonly ended = new Map<string, Termination>();
  wanted: Wanted;
  /** What was wanted when the end of the run was decided. */
  endedBy: Wanted | undefined;
  now = 1_000_000;
  status: BatchTestStatus | undefined;
  writes = 0;
  /** The last look was at a run that is over; its end may have been answered since, and what was edited before that has yet to be seen. */
  hasSeenItsEnd = false;
  #operator: ModelOperator;
  #writesUntilCrash: number | undefined;
  /** What was observed and wanted when the operator last decided. */
  #observed: readonly ObservedAttempt[] = [];
  #observedAt = 0;
  /** Of the last plan: what is ended without the store is observed once more, later. */
  #plannedAt = 0;
  #decidedBy: Wanted;
  #lastPlan: Plan | undefined;
  /** A write was answered by the store with that it is away, in this look or since everything was last known to be stored. */
  #storeWasAway = false;
  readonly #behindItsBack: WorldHappening[] = [];
  /** Names of all attempts whose start was ever asked for. */
  readonly #askedFor = new Set<string>();

  constructor({ variants, repetitions, policies, stopping, spec }: Omit<Scenario, 'happenings'>) {
    this.run = runOf(variants, repetitions, policies, stopping);
    this.engine = new ModelEngine(() => this.now);
    this.store = new ModelStore(this.run, this.engine.lateAnswers);
    const { manifest } = this.run;
    this.wanted = { manifest: { ...manifest, spec: { ...manifest.spec, ...spec } }, cancel: undefined };
    this.#decidedBy = this.wanted;
    this.#operator = this.#newOperator(this.now);
    for (const stranger of strangers(this.run)) this.engine.attempts.set(stranger.name, stranger);
  }

  /** What the engine holds of this run's trials. */
  get held(): readonly ModelAttempt[] {
    return this.engine.attemptsOf(this.run.uid).filter(({ variantId }) => variantId !== NO_VARIANT);
  }

  get isOver(): boolean {
    return this.#operator.run?.ledger.end !== undefined;
  }

  async look(crashBeforeWrite?: number): Promise<StepEnd> {
    this.#writesUntilCrash = crashBeforeWrite;
    this.#decidedBy = this.wanted;
    const isUndisturbed = this.#behindItsBack.length === 0;
    const end = await this.#operator.step(this.wanted);
    for (const happening of this.#behindItsBack.splice(0)) this.happen(happening);
    // What it had under way when it crashed has stopped with it.
    if (end.kind === 'Interrupted') await nextTurn();
    this.#writesUntilCrash = undefined;
    const ledger = this.#operator.run?.ledger;
    if (ledger === undefined || (ledger.unconfirmed.size === 0 && ledger.storingSince === undefined))
      this.#storeWasAway = false;
    if (end.kind === 'Interrupted' && end.error instanceof CrashError) {
      for (const { name, onlyRemembered } of this.held) if (onlyRemembered) this.ended.delete(name);
      this.engine.restart();
      if (this.store.end === undefined) this.endedBy = undefined;
      this.#operator = this.#newOperator(this.#operator.activeSince);
    } else if (end.kind === 'Interrupted' && end.error instanceof TypeError) throw end.error;
    this.hasSeenItsEnd = this.isOver;
    if (end.kind === 'Settled' && end.requeueAt !== undefined && end.requeueAt <= this.#plannedAt)
      this.violations.push('turns in circles: wants to be looked at again at a time that has passed');
    this.#checkStatus();
    if (isUndisturbed && end.kind === 'Settled') this.#checkReason();
    return end;
  }

  happen(happening: Exclude<Happening, { what: 'look' }>): void {
    switch (happening.what) {
      case 'behindItsBack':
        this.#behindItsBack.push(happening.happening);
        return;
      case 'begin':
        this.#with(happening.pick, 'Waiting', (attempt) => this.engine.begin(attempt));
        return;
      case 'isBeingRead':
        this.#with(happening.pick, 'Running', (attempt) => this.engine.isBeingRead(attempt));
        return;
      case 'end':
        this.#with(happening.pick, undefined, (attempt) => this.end(attempt, happening.termination));
        return;
      case 'deleteByOthers':
        this.#with(happening.pick, undefined, (attempt) => this.engine.deleteByOthers(attempt));
        return;
      case 'vanish':
        this.#with(happening.pick, undefined, (attempt) => this.engine.vanish(attempt));
        return;
      case 'gone':
        this.#with(happening.pick, 'Stopping', (attempt) => this.engine.finishStopping(attempt));
        return;
      case 'reveal':
        this.#with(happening.pick, undefined, (attempt) => {
          attempt.hidden = false;
        });
        return;
      case 'storeIsLate':
        this.store.lateWrites += 1;
        return;
      case 'answer': {
        const { lateAnswers } = this.engine;
        for (const answer of lateAnswers.splice(happening.pick % Math.max(1, lateAnswers.length), 1))
          answer();
        return;
      }
      case 'wait':
        this.now += happening.seconds * 1_000;
        return;
      case 'edit':
        this.edit(happening.spec);
        return;
      case 'cancel':
        this.wanted = { ...this.wanted, cancel: this.wanted.cancel ?? happening.cancel };
        return;
      case 'store':
        this.store.condition = happening.condition;
        return;
      case 'startFault':
        this.engine.startFaults.push(happening.fault);
        return;
      case 'removeFault':
        this.engine.removeFaults.push(happening.fault);
        return;
    }
  }

  edit(spec: Edit): void {
    // Too late: it has ended for good.
    if (this.isOver) return;
    const { manifest } = this.wanted;
    this.wanted = { ...this.wanted, manifest: { ...manifest, spec: { ...manifest.spec, ...spec } } };
  }

  end(attempt: ModelAttempt, how: Termination | 'OfItsVariant'): void {
    const variant = this.run.variants.findIndex(({ id }) => id === attempt.variantId);
    const termination = how === 'OfItsVariant' ? exitedWell(10 * (variant + 1)) : how;
    if (isLive(attempt) && attempt.state.kind !== 'Stopping') this.ended.set(attempt.name, termination);
    this.engine.end(attempt, termination);
  }

  /** All faults stop, and whatever is live ends. Gives false when the run does not end all the same. */
  async driveToItsEnd(): Promise<boolean> {
    this.store.condition = 'Available';
    this.engine.startFaults.length = 0;
    this.engine.removeFaults.length = 0;
    this.store.lateWrites = 0;
    this.edit({ suspend: false, parallelism: Math.max(1, this.wanted.manifest.spec.parallelism) });
    this.#behindItsBack.length = 0;
    for (let turn = 0; turn < 200; turn += 1) {
      this.engine.answerLate();
      const step = await this.look();
      if (this.isOver) return true;
      const live = this.held.filter(isLive);
      for (const attempt of live) {
        attempt.hidden = false;
        this.engine.begin(attempt);
        this.end(attempt, 'OfItsVariant');
      }
      // Without a change that the engine would tell of, nobody looks again but at the time that was asked for.
      const isQuiet =
        live.length === 0 && JSON.stringify(this.engine.observe(this.run)) === JSON.stringify(this.#observed);
      if (isQuiet && step.kind === 'Settled') {
        if (step.requeueAt === undefined) return false;
        this.now = step.requeueAt;
      }
    }
    return false;
  }

  #with(
    index: number,
    kind: ModelAttempt['state']['kind'] | undefined,
    act: (attempt: ModelAttempt) => void,
  ): void {
    const candidates = this.held.filter(
      ({ state, isPhantom }) => !isPhantom && (kind === undefined || state.kind === kind),
    );
    const attempt = candidates[index % Math.max(1, candidates.length)];
    if (attempt !== undefined) act(attempt);
  }

  #newOperator(activeSince: number | undefined): ModelOperator {
    const onPlan = (plan: Plan): void => {
      this.#lastPlan = plan;
      this.#plannedAt = this.now;
      if (plan.actions.length > 0) this.plans.push(plan.actions.map(({ kind }) => kind).join(', '));
    };
    return new ModelOperator(this.run, this.#watchedWorld(), { activeSince, onPlan });
  }

  /** The world as an operator reaches it: each write is counted, may be the one before which it crashes, and is checked. */
  #watchedWorld(): World {
    const { engine, store } = this;
    const write = () => {
      if (this.#writesUntilCrash === 0) throw new CrashError();
      if (this.#writesUntilCrash !== undefined) this.#writesUntilCrash -= 1;
      this.writes += 1;
      const happening = this.#behindItsBack.shift();
      if (happening !== undefined) this.happen(happening);
    };
    return {
      now: () => this.now,
      engine: {
        observe: (run) => {
          this.#observed = engine.observe(run);
          this.#observedAt = this.now;
          return this.#observed;
        },
        seenUntil: (_, now) => now,
        isAsShown: (run, name) => engine.isAsShown(run, name),
        isGone: (run, name) => engine.isGone(run, name),
        answerLate: () => engine.answerLate(),
        startAttempt: async (request) => {
          write();
          this.#askedFor.add(request.name);
          const isNew = !engine.attempts.has(request.name);
          this.#checkStart(request.trial.variant.id, request.trial.repetition, request.name);
          const answer = engine.startAttempt(request);
          // At once: what is wanted may be something else when the answer is here.
          if (isNew && engine.attempts.has(request.name)) this.#checkParallelism();
          return answer;
        },
        // All at once: an answer that is late holds up no other.
        removeAttempts: async (run, names) => {
          await Promise.all(
            names.map(async (name) => {
              write();
              this.#checkRemoval(name);
              await engine.removeAttempt(run, name);
            }),
          );
        },
      },
      store: {
        openRun: () => store.openRun(),
        recordAttempt: async (record) => {
          write();
          const before = this.#recordsOf(record.name);
          const answer = store.recordAttempt(record);
          if (this.#recordsOf(record.name) > before) this.#checkRecord(record.name);
          return this.#noteAway(answer);
        },
        skipTrials: async (record) => {
          write();
          return this.#noteAway(store.skipTrials(record));
        },
        finishRun: async (uid, fence, end) => {
          write();
          this.endedBy ??= this.#decidedBy;
          const before = store.end;
          const answer = store.finishRun(uid, fence, end);
          if (before === undefined && store.end !== undefined) this.#checkFinish();
          return this.#noteAway(answer);
        },
      },
    };
  }

  #checkStart(variantId: string, repetition: number, name: string): void {
    const { phase } = this.store.trialOf(variantId, repetition);
    if (phase === 'Succeeded')
      this.violations.push(`I1: ${name} starts after its trial's success was committed`);
    else if (isTerminal(phase)) this.violations.push(`${name} starts though its trial is ${phase}`);
    if (this.store.end !== undefined) this.violations.push(`${name} starts though the run is over`);
    const trials = [...this.store.trials.values()];
    if (trials.some((trial) => trial.variantId === variantId && trial.failsVariant))
      this.violations.push(`${name} starts though its variant was given up`);
    if (this.store.stoppedVariants.has(variantId))
      this.violations.push(`${name} starts though its variant was stopped early`);
    const halt = this.#haltReason();
    if (halt !== undefined) this.violations.push(`${name} starts though ${halt}`);
  }

  /** Why nothing may run, in a reading of the spec that owes nothing to the code that is checked. */
  #haltReason(): string | undefined {
    const { manifest, cancel } = this.#decidedBy;
    const { maxFailedVariants, activeDeadlineSeconds, suspend } = manifest.spec;
    if (cancel !== undefined) return 'the run is cancelled';
    if (isTargetMet(this.run, this.store.trials.values())) return 'the target is met';
    if (suspend) return 'the run is suspended';
    const failed = [...this.store.trials.values()].filter(({ phase }) => phase === 'Failed');
    if (
      new Set(failed.map(({ variantId }) => variantId)).size > (maxFailedVariants ?? Number.POSITIVE_INFINITY)
    )
      return 'too many variants failed';
    const { activeSince = this.now } = this.#operator;
    const isLate =
      this.#observedAt >= activeSince + (activeDeadlineSeconds ?? Number.POSITIVE_INFINITY) * 1_000;
    return isLate ? 'the deadline of the run has passed' : undefined;
  }

  #checkParallelism(): void {
    const live = this.held.filter(isLive);
    const { parallelism, maxPending } = this.#decidedBy.manifest.spec;
    if (live.length > parallelism)
      this.violations.push(`I3: ${live.length} live attempts at parallelism ${parallelism}`);
    const waiting = live.filter(({ state }) => state.kind === 'Waiting');
    if (maxPending !== undefined && waiting.length > maxPending)
      this.violations.push(`${waiting.length} attempts wait to start at maxPending ${maxPending}`);
    const trials = new Set(live.map(({ variantId, repetition }) => `${variantId}/${repetition}`));
    if (trials.size < live.length) this.violations.push('I3: two live attempts of one trial');
  }

  #checkRemoval(name: string): void {
    const attempt = this.engine.attempts.get(name);
    if (attempt !== undefined && attempt.runUid !== this.run.uid)
      this.violations.push(`I8: removes ${name} of another run`);
    if (this.#recordsOf(name) > 0) return;
    const seen = this.#observed.find((candidate) => candidate.name === name);
    const isUnderWay = seen?.state.kind === 'Waiting' || seen?.state.kind === 'Running';
    const ledger = this.#operator.run?.ledger;
    const isSlow = ledger !== undefined && isStoreInTrouble(ledger, this.now);
    // What must not run is ended though that cannot be stored now. If it ends by itself in that moment, nobody knows of it.
    const mayGo = isUnderWay && (this.#storeWasAway || isSlow) && this.#haltReason() !== undefined;
    // What the operator had not seen when it decided may never have started, and nobody knows of its end.
    if (seen !== undefined && !mayGo) this.violations.push(`I2: removes ${name}, whose end is not committed`);
    else this.ended.delete(name);
  }

  #checkRecord(name: string): void {
    const record = [...this.store.records.values()].find((candidate) => candidate.name === name);
    if (record === undefined) return;
    this.#checkCounted();
    const { outcome, reason } = record.judgement;
    if (reason === 'AttemptVanished' && (this.engine.attempts.has(name) || !this.#askedFor.has(name)))
      this.violations.push(`records that ${name} vanished, which is there or was never started`);
    const state = this.#observed.find((attempt) => attempt.name === name)?.state;
    if (state?.kind !== 'Ended') return;
    const truth = judgeAttempt(state.termination, state.at, this.run.manifest.spec.objective).outcome;
    if (outcome !== truth) this.violations.push(`I2: records ${name} as ${outcome}, but it is ${truth}`);
  }

  #noteAway<T>(answer: Promise<T>): Promise<T> {
    return answer.catch((error: unknown) => {
      if (error instanceof ResultStoreUnavailableError) this.#storeWasAway = true;
      throw error;
    });
  }

  /** A run that has something to do and does nothing says why. */
  #checkReason(): void {
    const { run } = this.#operator;
    if (run === undefined || run.ledger.end !== undefined) return;
    const isStarting = this.#lastPlan?.actions.some(({ kind }) => kind === 'StartAttempt') ?? false;
    if (run.ledger.startsUnderWay.size > 0 || run.ledger.storingSince !== undefined) return;
    if (this.held.some(isLive) || (isStarting && run.postponement === undefined)) return;
    // What it saw may be gone since, by a removal that was answered late: the next look tells.
    if (this.#observed.some(isLive)) return;
    if (run.ledger.due === 0) return;
    const progressing = this.status?.conditions?.find(({ type }) => type === ConditionType.Progressing);
    if (progressing?.reason === 'Running')
      this.violations.push('nothing is live and nothing starts, and the status says Running');
  }

  /** No trial is tried more often than its limit allows, whatever was ended or ignored in between. */
  #checkCounted(): void {
    const { limit } = this.run.manifest.spec.retryPolicy;
    for (const { variantId, repetition, countedAttempts } of this.store.trials.values())
      if (countedAttempts > limit + 1)
        this.violations.push(
          `${countedAttempts} attempts of ${variantId}/${repetition} count, limit ${limit}`,
        );
  }

  #checkFinish(): void {
    // What was edited since the decision comes too late.
    this.wanted = this.#decidedBy;
    const live = this.held.filter(isLive);
    if (live.length > 0) this.violations.push(`I5: the run ends while ${live.length} attempts are live`);
  }

  #recordsOf(name: string): number {
    return [...this.store.records.values()].filter((record) => record.name === name).length;
  }

  /** I7: a status never goes back and never says more than is committed; its numbers add up. */
  #checkStatus(): void {
    const { run } = this.#operator;
    if (run === undefined) return;
    const status = this.statusAt(this.now);
    if (status?.trials === undefined || status.variants === undefined) return;
    const { trials, variants } = status;
    const committed = (phase: string) =>
      [...this.store.trials.values()].filter((t) => t.phase === phase).length;
    const { skipped = 0 } = trials;
    const sum =
      trials.pending + trials.running + trials.succeeded + trials.failed + trials.cancelled + skipped;
    if (skipped > committed('Skipped')) this.violations.push(`I7: ${skipped} are said to be skipped`);
    if (skipped < (this.status?.trials?.skipped ?? 0)) this.violations.push('I7: skipped went down');
    if (
      (variants.stoppedEarly ?? 0) !== this.store.stoppedVariants.size &&
      this.store.condition === 'Available' &&
      !run.ledger.isSkipping
    )
      this.violations.push(`I7: ${variants.stoppedEarly} variants are said to be stopped early`);
    if (sum !== trials.total) this.violations.push(`I4: ${sum} trials of ${trials.total} are counted`);
    for (const [count, phase] of [
      ['succeeded', 'Succeeded'],
      ['failed', 'Failed'],
      ['cancelled', 'Cancelled'],
    ] as const) {
      if (trials[count] > committed(phase))
        this.violations.push(`I7: status says ${trials[count]} ${count}, ${committed(phase)} are committed`);
      if (trials[count] < (this.status?.trials?.[count] ?? 0)) this.violations.push(`I7: ${count} went down`);
    }
    for (const count of ['succeeded', 'failed'] as const)
      if (variants[count] < (this.status?.variants?.[count] ?? 0))
        this.violations.push(`I7: ${count} variants went down`);
    this.status = status;
  }

  statusAt(now: number): BatchTestStatus | undefined {
    const { run } = this.#operator;
    if (run === undefined) return undefined;
    return statusOf(
      run.ledger,
      {
        controls: controlsOf(this.wanted, run, this.engine, now),
        activeSince: run.activeSince,
        waiting: run.waiting,
        storeProblem: run.storeProblem,
        observedGeneration: 1,
        previousConditions: this.status?.conditions ?? [],
      },
      now,
    );
  }
}

const runs = new Map<string, RunDefinition>();

/** Validating a manifest costs more than a whole scenario, and there are few different ones. */
function runOf(variants: number, repetitions: number, policies: Policies, stopping: Stopping): RunDefinition {
  const key = JSON.stringify([variants, repetitions, policies, stopping]);
  const run = runs.get(key) ?? newRun(variants, repetitions, policies, stopping);
  runs.set(key, run);
  return run;
}

const newRun = (
  variants: number,
  repetitions: number,
  { failureRules, ...retryPolicy }: Policies,
  { stopsEarly, target }: Stopping,
): RunDefinition =>
  aRun({
    variants,
    repetitions,
    metrics: [{ name: 'p95_ms', goal: 'minimize', ...(target === undefined ? {} : { target }) }],
    trialDeadlineSeconds: DEADLINE_SECONDS,
    spec: {
      trialStartDeadlineSeconds: START_DEADLINE_SECONDS,
      retryPolicy: { ...retryPolicy, maxBackoffSeconds: 60 },
      ...(stopsEarly && repetitions > 2
        ? { comparison: { earlyStopping: { looks: 2, minRepetitions: 2 } } }
        : {}),
      ...(failureRules.length === 0 ? {} : { failurePolicy: { rules: failureRules } }),
    },
  });

/** True when a variant has succeeded in all its repetitions, with a mean that is not above the target. */
function isTargetMet(run: RunDefinition, trials: Iterable<StoredTrial>): boolean {
  const { objective, repetitions } = run.manifest.spec;
  const target = objective.metrics[0]?.target;
  if (target === undefined) return false;
  const succeeded = [...trials].filter(({ phase }) => phase === 'Succeeded');
  return run.variants.some(({ id }) => {
    const values = succeeded.flatMap(({ variantId, metrics }) =>
      variantId === id ? [metrics.get('p95_ms') ?? Number.NaN] : [],
    );
    const sum = values.reduce((total, value) => total + value, 0);
    return values.length === repetitions && sum / repetitions <= Number(target);
  });
}

const NO_VARIANT = 'ffffffffffffffff';

/** Attempts that the operator must leave alone: of an earlier run of the same name, and of a trial that the run does not have. */
function strangers(run: RunDefinition): readonly ModelAttempt[] {
  const former = { ...run, uid: 'a-former-run-of-the-same-name' };
  return [
    ...run.trials.map(
      (trial, index): ModelAttempt => ({
        runUid: former.uid,
        name: attemptName(former, trial, 1),
        variantId: trial.variant.id,
        repetition: trial.repetition,
        attempt: 1,
        state:
          index % 2 === 0
            ? { kind: 'Running', since: 0 }
            : { kind: 'Ended', at: 1, termination: exitedWell() },
        hidden: false,
        unanswered: false,
        isPhantom: false,
        onlyRemembered: false,
      }),
    ),
    {
      runUid: run.uid,
      name: 'of-no-trial',
      variantId: NO_VARIANT,
      repetition: 0,
      attempt: 1,
      state: { kind: 'Running', since: 0 },
      hidden: false,
      unanswered: false,
      isPhantom: false,
      onlyRemembered: false,
    },
  ];
}

async function play(scenario: Scenario): Promise<WatchedRun> {
  const watched = new WatchedRun(scenario);
  for (const happening of scenario.happenings) {
    if (happening.what === 'look') await watched.look(happening.crashBeforeWrite);
    else watched.happen(happening);
    if (watched.violations.length > 0) break;
  }
  return watched;
}

describe('in random runs with random faults', () => {
  it('every invariant holds at every step, and the run ends once the faults stop', async () => {
    const ends = new Map<string | undefined, number>();
    await fc.assert(
      fc.asyncProperty(scenarios, async (scenario) => {
        const watched = await play(scenario);
        expect(watched.violations).toEqual([]);

        const ended = watched.hasSeenItsEnd || (await watched.driveToItsEnd());
        expect(watched.violations).toEqual([]);
        expect(ended, 'I4: the run ends').toBe(true);
        checkEnd(watched);
        const reason = watched.store.end?.reason;
        ends.set(reason, (ends.get(reason) ?? 0) + 1);

        const { writes } = watched;
        const status = JSON.stringify(watched.statusAt(watched.now));
        watched.now += 3_600_000;
        expect(await watched.look()).toEqual({ kind: 'Settled', requeueAt: undefined });
        expect(watched.writes, 'I6: a settled world gets no writes').toBe(writes);
        expect(JSON.stringify(watched.statusAt(watched.now))).toBe(status);
      }),
      { numRuns: 2_000 },
    );
    // What the generator must not stop to produce.
    for (const reason of ['AllTrialsSucceeded', 'StoppedEarly', 'TargetMet', 'VariantsFailed'])
      expect(ends.get(reason) ?? 0, reason).toBeGreaterThan(10);
  }, 300_000);
});

/** What holds of a run that has ended. */
function checkEnd(watched: WatchedRun): void {
  const { run, store, engine, held, ended, status } = watched;
  const phases = [...store.trials.values()].map(({ phase }) => phase);
  const count = (phase: string) => phases.filter((candidate) => candidate === phase).length;
  expect(phases.filter((phase) => !isTerminal(phase))).toEqual([]);
  expect(status?.trials).toEqual({
    total: run.trials.length,
    pending: 0,
    running: 0,
    succeeded: count('Succeeded'),
    failed: count('Failed'),
    cancelled: count('Cancelled'),
    ...(count('Skipped') === 0 ? {} : { skipped: count('Skipped') }),
  });
  for (const { phase, variantId } of store.trials.values())
    if (phase === 'Skipped')
      expect(store.stoppedVariants.has(variantId) || isTargetMet(run, store.trials.values())).toBe(true);
  checkReasonOfEnd(watched);

  for (const name of ended.keys())
    expect(
      [...store.records.values()].filter((record) => record.name === name),
      `I2: ${name}`,
    ).toHaveLength(1);

  const { podCleanupPolicy } = watched.wanted.manifest.spec;
  const leftovers = held.filter((attempt) => {
    const trial = store.trialOf(attempt.variantId, attempt.repetition);
    const isLatest = trial.recordedAttempts === attempt.attempt;
    if (isLive(attempt) || podCleanupPolicy === 'Always') return true;
    if (isLatest && trial.lastOutcome === 'Cancelled') return true;
    return podCleanupPolicy === 'Succeeded' && isLatest && trial.phase === 'Succeeded';
  });
  expect(leftovers, 'I5: nothing is left but what the user wants to keep').toEqual([]);

  for (const stranger of strangers(run)) expect(engine.attempts.get(stranger.name), 'I8').toEqual(stranger);
}

/** Why a run is over follows from what became of its trials and from what its user wanted. */
function checkReasonOfEnd({ run, store, endedBy, wanted }: WatchedRun): void {
  const { manifest, cancel } = endedBy ?? wanted;
  const trials = [...store.trials.values()];
  const failed = trials.filter(({ phase }) => phase === 'Failed');
  const givenUp = new Set(
    trials.filter(({ failsVariant }) => failsVariant).map(({ variantId }) => variantId),
  );
  const notRun = trials.filter(({ phase, variantId }) => phase === 'Cancelled' && !givenUp.has(variantId));
  const { state, reason } = store.end ?? {};
  if (notRun.length === 0) {
    expect(state).toBe(failed.length > 0 ? 'Failed' : 'Complete');
    const isAllRun = trials.every(({ phase }) => phase !== 'Skipped');
    const complete = isAllRun
      ? 'AllTrialsSucceeded'
      : isTargetMet(run, trials)
        ? 'TargetMet'
        : 'StoppedEarly';
    expect(failed.length > 0 ? ['VariantsFailed', 'InfrastructureFailed'] : [complete]).toContain(reason);
  } else if (cancel !== undefined && state === 'Cancelled')
    expect(reason).toBe(cancel === 'Deleted' ? 'Deleted' : 'CancelRequested');
  else {
    expect(state).toBe('Failed');
    const { maxFailedVariants, activeDeadlineSeconds } = manifest.spec;
    if (reason === 'DeadlineExceeded') expect(activeDeadlineSeconds).toBeDefined();
    else {
      expect(reason).toBe('TooManyFailedVariants');
      expect(new Set(failed.map(({ variantId }) => variantId)).size).toBeGreaterThan(
        maxFailedVariants ?? Number.POSITIVE_INFINITY,
      );
    }
  }
}
