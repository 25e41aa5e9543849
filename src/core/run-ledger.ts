import { type Conclusion, conclusionOf } from '../comparison/conclusion.ts';
import { MetricSamples } from '../comparison/metric-samples.ts';
import type { PreviousRun } from '../comparison/previous-run.ts';
import { meetsTargets } from '../comparison/target.ts';
import type { AfterAttempt } from './after-attempt.ts';
import type { AttemptKey, ObservedAttempt } from './attempt.ts';
import { mayStopOtherTrials } from './attempt-record.ts';
import { type DueStops, Looks } from './looks.ts';
import type { Outcome } from './outcome.ts';
import type { RecordAttempt, RunEnd, SkipTrials } from './plan.ts';
import type { RunDefinition } from './run.ts';
import type { Explanation } from './status.ts';

/** `Skipped`: it need not be run, because its variant was stopped early, or another one met the targets. */
export type TrialPhase = 'Pending' | 'Active' | 'Succeeded' | 'Failed' | 'Cancelled' | 'Skipped';

/** What is known of one trial. */
export interface TrialState {
  readonly phase: TrialPhase;
  /** The highest attempt whose end is committed; 0 before the first. */
  readonly recordedAttempts: number;
  /** Recorded attempts that count toward the limit of retries. */
  readonly countedAttempts: number;
  /** The attempt under way; undefined unless the phase is Active. */
  readonly activeAttempt: number | undefined;
  /** The outcome of the last recorded attempt. */
  readonly lastOutcome: Outcome | undefined;
}

export type TrialCounts = Readonly<
  Record<'total' | 'pending' | 'active' | 'succeeded' | 'failed' | 'cancelled' | 'skipped', number>
>;

/** What the result store holds of a run beside its trials. */
export interface StoredComparison {
  /** By the ID of a variant that was stopped early: the look at which it was. */
  readonly stoppedVariants: ReadonlyMap<string, number>;
  /** The earlier run that gates compare with; undefined when none does, and when there was none. */
  readonly previousRun: PreviousRun | undefined;
}

const NOTHING_STORED: StoredComparison = { stoppedVariants: new Map(), previousRun: undefined };

/** What the result store holds of one trial when a run is picked up. */
export interface StoredTrial {
  readonly variantId: string;
  readonly repetition: number;
  readonly phase: Exclude<TrialPhase, 'Active'>;
  readonly recordedAttempts: number;
  /** Those of them that count toward the limit of retries. */
  readonly countedAttempts: number;
  readonly lastOutcome: Outcome | undefined;
  /** True when its failure is that of the whole variant, of which nothing more is run. */
  readonly failsVariant: boolean;
  /** The run that its result was taken over from; undefined when it was run. */
  readonly reusedFrom: string | undefined;
  /** Those of the objective's metrics that the accepted result has; empty unless the phase is Succeeded. */
  readonly metrics: ReadonlyMap<string, number>;
}

interface RecordUnderWay {
  /** Milliseconds since the epoch; undefined before the store is asked. */
  readonly since: number | undefined;
  readonly mayStopOthers: boolean;
  readonly isOfCancelled: boolean;
}

/** What `reconcile` and `statusOf` may read. */
export type ReadonlyRunLedger = Pick<
  RunLedger,
  | 'definition'
  | 'end'
  | 'trial'
  | 'indexOf'
  | 'recordedAt'
  | 'counts'
  | 'reused'
  | 'due'
  | 'isGivenUp'
  | 'givenUpVariants'
  | 'isStopped'
  | 'stoppedVariants'
  | 'dueStops'
  | 'skippable'
  | 'targetMetBy'
  | 'gate'
  | 'failures'
  | 'variantCounts'
  | 'activeTrials'
  | 'startsUnderWay'
  | 'startsBeingAbandoned'
  | 'startable'
  | 'unansweredStarts'
  | 'unrecordedRefusals'
  | 'endedUnrecorded'
  | 'unconfirmed'
  | 'recordsUnderWay'
  | 'isSkipping'
  | 'unconfirmedSkip'
  | 'storingSince'
  | 'mayBeStopping'
  | 'isCancelling'
  | 'ending'
  | 'isFinishing'
  | 'isEndUnconfirmed'
  | 'nextRetryAt'
  | 'samples'
  | 'conclusion'
>;

/**
 * What is committed of a run, plus what was started: the memory that a decision is made from. It is loaded once from the result
 * store and then follows what is committed, so it is never ahead of Postgres. Counts are kept as trials change, so that a
 * decision costs what is live, not what the run is long.
 */
export class RunLedger {
  readonly definition: RunDefinition;
  /** Successful samples of the objective's metrics, per variant. */
  readonly samples: MetricSamples;
  /** Why the run is over; undefined while it is not. */
  end: RunEnd | undefined;
  /** The end that the store was asked to commit, and may have; undefined before. */
  ending: RunEnd | undefined;

  readonly #trials: TrialState[];
  readonly #states = new Map<string, TrialState>();
  /** By ID of the variant, then by repetition: asked for several times for every attempt of every decision. */
  readonly #indices = new Map<string, number[]>();
  /** By trial. */
  readonly #recordedAt: Float64Array;
  readonly #active = new Set<number>();
  readonly #startsUnderWay = new Set<number>();
  /** Trials that wait for another attempt, and since when they may have it. */
  readonly #retries = new Map<number, number>();
  readonly #unanswered = new Set<number>();
  readonly #beingAbandoned = new Set<number>();
  /** By trial. */
  readonly #refused = new Map<number, RecordAttempt>();
  /** By trial. */
  readonly #endedUnrecorded = new Map<number, Explanation>();
  /** By trial. */
  readonly #unconfirmed = new Map<number, RecordAttempt>();
  /** By trial, what was asked for first before the others. */
  readonly #recordsUnderWay = new Map<number, RecordUnderWay>();
  #skippingSince: number | undefined;
  #unconfirmedSkip: SkipTrials | undefined;
  #isFinishing = false;
  #endingSince: number | undefined;
  #isEndUnconfirmed = false;
  /** No trial before this index is untried. */
  #firstUntried = 0;
  readonly #counts = { pending: 0, active: 0, succeeded: 0, failed: 0, cancelled: 0, skipped: 0 };
  readonly #failuresByOutcome = new Map<Outcome, number>();
  readonly #variantIndices = new Map<string, number>();
  readonly #succeededPerVariant: number[];
  readonly #failedPerVariant: number[];
  /** Of each variant the trials that are pending. */
  readonly #pendingPerVariant: number[];
  /** Indices of variants of which nothing more is run, because one of their trials failed them as a whole. */
  readonly #givenUp = new Set<number>();
  readonly #looks: Looks;
  readonly #previousRun: PreviousRun | undefined;
  #targetMetBy: number | undefined;
  #conclusion: Conclusion | undefined;
  #succeededVariants = 0;
  #failedVariants = 0;
  #reused = 0;

  constructor(
    definition: RunDefinition,
    stored: readonly StoredTrial[] = [],
    end?: RunEnd,
    { stoppedVariants, previousRun }: StoredComparison = NOTHING_STORED,
  ) {
    this.definition = definition;
    this.end = end;
    const { objective, comparison, repetitions } = definition.manifest.spec;
    this.samples = new MetricSamples(objective, definition.variants.length, repetitions, comparison.tieBreak);
    this.#looks = new Looks(definition, this.samples);
    this.#previousRun = previousRun;
    this.#succeededPerVariant = definition.variants.map(() => 0);
    this.#failedPerVariant = definition.variants.map(() => 0);
    this.#pendingPerVariant = definition.variants.map(() => definition.manifest.spec.repetitions);
    for (const [index, variant] of definition.variants.entries()) this.#variantIndices.set(variant.id, index);
    for (const [index, { variant, repetition }] of definition.trials.entries()) {
      const ofVariant = this.#indices.get(variant.id) ?? [];
      ofVariant[repetition] = index;
      this.#indices.set(variant.id, ofVariant);
    }
    this.#trials = definition.trials.map(() => UNTRIED);
    this.#recordedAt = new Float64Array(definition.trials.length);
    this.#counts.pending = this.#trials.length;
    for (const [id, look] of stoppedVariants) {
      const variant = this.#variantIndices.get(id);
      if (variant !== undefined) this.#noteStopped(variant, look);
    }
    for (const trial of stored) this.noteStored(trial);
  }

  /** Takes over what the store holds of a trial. */
  noteStored(stored: StoredTrial): void {
    const index = this.indexOf(stored);
    if (index === undefined || isTerminal(this.trial(index).phase)) return;
    if (stored.phase === 'Pending' && stored.recordedAttempts === 0) return;
    const { recordedAttempts, countedAttempts, lastOutcome, metrics, phase } = stored;
    this.#settle(
      index,
      { phase, recordedAttempts, countedAttempts, lastOutcome, activeAttempt: undefined },
      metrics,
    );
    if (stored.reusedFrom !== undefined) this.#reused += 1;
    if (stored.failsVariant) this.#giveUpVariantOf(index);
    if (phase === 'Pending') this.#mayRetry(index, 0);
  }

  /** The state of the trial at an index of `definition.trials`. */
  trial(index: number): TrialState {
    const state = this.#trials[index];
    if (state === undefined)
      throw new RangeError(`trial ${index} of ${this.#trials.length} of run ${this.definition.uid}`);
    return state;
  }

  /** The index of a trial in `definition.trials`; undefined when the run has no such trial. */
  indexOf({ variantId, repetition }: Pick<AttemptKey, 'variantId' | 'repetition'>): number | undefined {
    return this.#indices.get(variantId)?.[repetition];
  }

  /** When the end of the trial's last attempt was noted (milliseconds since the epoch); 0 when that was long ago, such as before this ledger was loaded. */
  recordedAt(index: number): number {
    return this.#recordedAt[index] ?? 0;
  }

  get counts(): TrialCounts {
    return { total: this.#trials.length, ...this.#counts };
  }

  /** Trials whose result was taken over from an earlier run. */
  get reused(): number {
    return this.#reused;
  }

  /** Pending trials that are never run, because their variant has failed as a whole. */
  get givenUp(): number {
    let pending = 0;
    for (const variant of this.#givenUp) pending += this.#pendingPerVariant[variant] ?? 0;
    return pending;
  }

  /** How many pending trials are yet to be run. */
  get due(): number {
    return this.#counts.pending - this.givenUp;
  }

  /** True for a trial of a variant of which nothing more is run. */
  isGivenUp(index: number): boolean {
    return this.#givenUp.size > 0 && this.#givenUp.has(this.#variantOf(index));
  }

  /** Variants of which nothing more is run, because they have failed as a whole. */
  get givenUpVariants(): number {
    return this.#givenUp.size;
  }

  /** True for a trial of a variant that was stopped early. */
  isStopped(index: number): boolean {
    return this.#looks.stoppedCount > 0 && this.#looks.isStopped(this.#variantOf(index));
  }

  /** Variants that were stopped early. */
  get stoppedVariants(): number {
    return this.#looks.stoppedCount;
  }

  /** The variants that are to be stopped early now; undefined when there are none. */
  get dueStops(): DueStops | undefined {
    return this.#looks.due((variant) => !this.#givenUp.has(variant) && this.#hasMore(variant));
  }

  /**
   * Pending trials that need not be run: all of them when the targets are met, else those of variants that are stopped early. Not those that may
   * be running unseen.
   * @param stopping variants that are being stopped
   */
  skippable(areTargetsMet: boolean, stopping: readonly number[]): readonly number[] {
    const variants = new Set(stopping);
    if (!areTargetsMet && variants.size === 0 && !this.#haveStoppedMore()) return [];
    return [...this.#trials.keys()].filter((index) => {
      if (this.#trials[index]?.phase !== 'Pending') return false;
      if (this.#unanswered.has(index) || this.#refused.has(index)) return false;
      return areTargetsMet || variants.has(this.#variantOf(index)) || this.isStopped(index);
    });
  }

  /** Name of the first variant that succeeded in all repetitions and meets the targets of the objective; undefined when none does. */
  get targetMetBy(): string | undefined {
    return this.#targetMetBy === undefined ? undefined : this.definition.variants[this.#targetMetBy]?.name;
  }

  /** Failed trials by the outcome of their last attempt. */
  get failures(): ReadonlyMap<Outcome, number> {
    return this.#failuresByOutcome;
  }

  /** A variant succeeded when all of its trials did, and failed as soon as one did. */
  get variantCounts(): Readonly<Record<'total' | 'succeeded' | 'failed', number>> {
    return {
      total: this.definition.variants.length,
      succeeded: this.#succeededVariants,
      failed: this.#failedVariants,
    };
  }

  /**
   * What the comparison comes to; undefined while the run is not over. Made once, when it is first asked for: nothing is added to the
   * samples of a run that is over.
   */
  get conclusion(): Conclusion | undefined {
    if (this.end === undefined) return undefined;
    this.#conclusion ??= this.#conclude();
    return this.#conclusion;
  }

  /** Whether the results so far keep all limits of the gates; undefined without gates. */
  get gate(): Conclusion['gate'] {
    const { gates } = this.definition.manifest.spec.comparison;
    return gates === undefined ? undefined : (this.conclusion ?? this.#conclude()).gate;
  }

  #conclude(): Conclusion {
    const { manifest, variants } = this.definition;
    return conclusionOf(
      manifest.spec.objective,
      manifest.spec.comparison,
      this.samples.candidates(variants.map(({ name }) => name)),
      this.#previousRun,
      (this.end ?? this.ending)?.reason,
    );
  }

  /** Indices of the trials that have an attempt under way. */
  get activeTrials(): ReadonlySet<number> {
    return this.#active;
  }

  /**
   * Trials whose attempt was asked for and that has got no answer yet. It takes a slot, and nothing is decided about it before the answer tells
   * what there is to decide about.
   */
  get startsUnderWay(): ReadonlySet<number> {
    return this.#startsUnderWay;
  }

  /**
   * Up to `limit` trials that may start now: first those whose start got no answer, then those whose back-off has passed, then the
   * untried ones in their order.
   * @param busy trials of which an attempt is live
   */
  startable(
    limit: number,
    now: number,
    busy: ReadonlySet<number | undefined> = new Set(),
  ): readonly number[] {
    const indices = [...this.#unanswered]
      .filter((index) => !this.isGivenUp(index) && !this.#beingAbandoned.has(index))
      .slice(0, limit);
    for (const [index, notBefore] of this.#retries) {
      if (indices.length >= limit) return indices;
      if (notBefore <= now && !busy.has(index) && !this.#beingAbandoned.has(index)) indices.push(index);
    }
    for (let index = this.#firstUntried; index < this.#trials.length && indices.length < limit; index += 1)
      if (this.#trials[index] === UNTRIED && !this.isGivenUp(index)) indices.push(index);
    return indices;
  }

  /**
   * When the next back-off ends after `now`, in milliseconds since the epoch. A trial whose back-off has ended waits for a slot, and
   * no time brings that: looking again for its sake would be a busy loop.
   */
  nextRetryAt(now: number): number | undefined {
    let next: number | undefined;
    for (const notBefore of this.#retries.values())
      if (notBefore > now && (next === undefined || notBefore < next)) next = notBefore;
    return next;
  }

  /**
   * Trials of which nobody knows whether their next attempt was started: the engine was asked, and no answer came. Each may be running
   * unseen, so nothing starts in its place, and the run does not end, before that is cleared up.
   */
  get unansweredStarts(): ReadonlySet<number> {
    return this.#unanswered;
  }

  /** Those of them that the engine is asked to hold nothing of: until it is done they do not start again, and take slots, as they may be running. */
  get startsBeingAbandoned(): ReadonlySet<number> {
    return this.#beingAbandoned;
  }

  /**
   * Records of refused starts that the store does not hold, or may hold though it did not answer. The engine holds nothing of them, and a start that is asked for
   * again could go well after its trial has failed.
   */
  get unrecordedRefusals(): readonly RecordAttempt[] {
    return [...this.#refused.values()];
  }

  /**
   * Trials whose attempt was ended by us before that was recorded, and why: while it could not be, or because its start got no answer and was undone. Lifting the
   * reason does not bring them back.
   */
  get endedUnrecorded(): ReadonlyMap<number, Explanation> {
    return this.#endedUnrecorded;
  }

  /**
   * By trial, the record of its attempt that the store was first asked to commit, and may have, though it did not answer. An attempt that goes on is not judged
   * otherwise until the store has answered: nothing may start that the run has no room for, or no use, should it be committed.
   */
  get unconfirmed(): ReadonlyMap<number, RecordAttempt> {
    return this.#unconfirmed;
  }

  /**
   * Trials of which the store was asked to commit the end of an attempt, and has not answered yet. Each takes its slot, and nothing is decided about it, before
   * it is known what there is to decide about.
   */
  get recordsUnderWay(): Pick<ReadonlyMap<number, unknown>, 'size' | 'has' | 'keys'> {
    return this.#recordsUnderWay;
  }

  /** True while the store is being asked to skip trials. */
  get isSkipping(): boolean {
    return this.#skippingSince !== undefined;
  }

  /** Since when the store has not answered what it was asked first of all that is under way, in milliseconds since the epoch; undefined when nothing is. */
  get storingSince(): number | undefined {
    for (const { since } of this.#recordsUnderWay.values()) if (since !== undefined) return since;
    return this.#skippingSince ?? this.#endingSince;
  }

  /** True while the end of the run is being stored. */
  get isFinishing(): boolean {
    return this.#isFinishing;
  }

  /** True once the store did not say whether it has committed the end of the run, until it has. */
  get isEndUnconfirmed(): boolean {
    return this.#isEndUnconfirmed;
  }

  /** True while a record is under way that, once it is committed, may be a reason why others do not start. */
  get mayBeStopping(): boolean {
    for (const { mayStopOthers } of this.#recordsUnderWay.values()) if (mayStopOthers) return true;
    return false;
  }

  /** True while a record is under way of an attempt that we end, and that is then to be removed. */
  get isCancelling(): boolean {
    for (const { isOfCancelled } of this.#recordsUnderWay.values()) if (isOfCancelled) return true;
    return false;
  }

  /** Takes note that the store is about to be asked to commit the end of an attempt. */
  noteRecordPrepared(record: RecordAttempt): void {
    this.#noteRecordUnderWay(record, undefined);
  }

  /** Takes note that the store is being asked to commit the end of an attempt; `now` is in milliseconds since the epoch. */
  noteRecordAsked(record: RecordAttempt, now: number): void {
    // Behind those that were asked for while this one was prepared.
    this.#recordsUnderWay.delete(record.trial);
    this.#noteRecordUnderWay(record, now);
  }

  #noteRecordUnderWay(record: RecordAttempt, since: number | undefined): void {
    this.#recordsUnderWay.set(record.trial, {
      since,
      mayStopOthers: mayStopOtherTrials(record, this.definition.manifest.spec),
      isOfCancelled: record.judgement.outcome === 'Cancelled',
    });
  }

  /** Takes note that the store has answered; what, is noted besides. */
  noteRecordAnswered(index: number): void {
    this.#recordsUnderWay.delete(index);
  }

  /** Takes note that the store did not say whether it has committed the end of an attempt. */
  noteUnconfirmed(record: RecordAttempt): void {
    const { trial } = record;
    this.#recordsUnderWay.delete(trial);
    if (!this.#unconfirmed.has(trial)) this.#unconfirmed.set(trial, record);
  }

  /** Takes note that the store is being asked to skip trials; `now` is in milliseconds since the epoch. */
  noteSkipAsked(now: number): void {
    this.#skippingSince = now;
  }

  /** Takes note that the store has answered. */
  noteSkipAnswered(): void {
    this.#skippingSince = undefined;
    this.#unconfirmedSkip = undefined;
  }

  /** Takes note that the store did not say whether it has committed what was to be skipped. */
  noteSkipUnconfirmed(skip: SkipTrials): void {
    this.#skippingSince = undefined;
    this.#unconfirmedSkip = skip;
  }

  /** What the store was asked to skip, and may have, though it did not answer: it is asked again before anything else is decided. */
  get unconfirmedSkip(): SkipTrials | undefined {
    return this.#unconfirmedSkip;
  }

  /**
   * Takes note that an attempt under way is ended before that is recorded. Of one that is recorded, and only has yet to go, nothing is noted: it would be held
   * against the next attempt of its trial.
   */
  noteEndedUnrecorded(attempt: ObservedAttempt, { reason, message }: Explanation): void {
    const index = this.indexOf(attempt);
    if (index !== undefined && !isRecorded(this, attempt))
      this.#endedUnrecorded.set(index, { reason, message });
  }

  /** Takes note of an attempt that was started. */
  noteStarted(index: number, attempt: number): void {
    const before = this.trial(index);
    if (before.phase !== 'Pending') return;
    this.#retries.delete(index);
    this.#unanswered.delete(index);
    this.#refused.delete(index);
    this.#replace(index, { ...before, phase: 'Active', activeAttempt: attempt });
    this.#active.add(index);
  }

  /** Takes note that an attempt is being asked for; what comes of it is noted by one of those below, or recorded. */
  noteStartAsked(index: number, attempt: number): void {
    this.noteStarted(index, attempt);
    this.#startsUnderWay.add(index);
    // An earlier start of it was undone; from now on it is wanted again.
    this.#endedUnrecorded.delete(index);
  }

  /** Takes note that an attempt that was asked for was started. */
  noteStartAnswered(index: number): void {
    this.#startsUnderWay.delete(index);
  }

  /** Takes note that an attempt which was to be started was not: its trial may start again at once. */
  noteNotStarted(index: number): void {
    if (this.#backToPending(index)) this.#mayRetry(index, 0);
  }

  /** Takes note that an attempt was refused, which is to be recorded before its trial is looked at again. */
  noteRefused(record: RecordAttempt): void {
    if (this.#backToPending(record.trial)) this.#refused.set(record.trial, record);
  }

  /** Takes note that the run is being ended: before that is answered nothing else is decided. */
  noteFinishing(): void {
    this.#isFinishing = true;
  }

  /** Takes note that the store is being asked to end the run: it may be over from now on, whatever is answered. `now` is in milliseconds since the epoch. */
  noteEnding(end: RunEnd, now: number): void {
    this.ending = end;
    this.#endingSince = now;
  }

  /** Takes note that the run could not be ended, or that the store did not say whether it has committed that. */
  noteNotFinished(): void {
    this.#isFinishing = false;
    this.#endingSince = undefined;
    this.#isEndUnconfirmed = this.ending !== undefined;
  }

  /** Takes note that an attempt may have been started or not; see {@link unansweredStarts}. */
  noteStartUnanswered(index: number): void {
    if (this.#backToPending(index)) this.#unanswered.add(index);
  }

  /** Takes note that the engine is asked to hold nothing of an attempt, should it have been started. Should it show up all the same, it is ended by us. */
  noteAbandonmentAsked(index: number): void {
    this.#beingAbandoned.add(index);
    this.#endedUnrecorded.set(index, START_UNDONE);
  }

  /** Takes note that this came to nothing: whether the attempt was started is as unknown as before. */
  noteAbandonmentFailed(index: number): void {
    this.#beingAbandoned.delete(index);
  }

  /** Takes note that the engine was made to hold nothing of an attempt, should it have been started: its trial may start again. */
  noteStartAbandoned(index: number): void {
    this.#beingAbandoned.delete(index);
    if (this.#unanswered.delete(index)) this.#mayRetry(index, 0);
  }

  /**
   * Adopts attempts that are under way though this ledger did not start them: those of an operator that ran before. Attempts
   * that are already recorded are not under way again.
   */
  noteObserved(attempts: readonly ObservedAttempt[]): void {
    for (const attempt of attempts) {
      const index = this.indexOf(attempt);
      if (index !== undefined && attempt.attempt > this.trial(index).recordedAttempts)
        this.noteStarted(index, attempt.attempt);
    }
  }

  /**
   * Takes note of an attempt whose end is committed.
   * @param now milliseconds since the epoch; by default it was long ago
   */
  noteRecorded(
    index: number,
    attempt: number,
    outcome: Outcome,
    metrics: ReadonlyMap<string, number>,
    then: AfterAttempt,
    now = 0,
  ): void {
    const before = this.trial(index);
    if (isTerminal(before.phase)) return;
    this.#recordedAt[index] = now;
    const countedAttempts = before.countedAttempts + (then.phase === 'Pending' && !then.counts ? 0 : 1);
    this.#settle(
      index,
      {
        phase: then.phase,
        recordedAttempts: attempt,
        countedAttempts,
        lastOutcome: outcome,
        activeAttempt: undefined,
      },
      metrics,
    );
    if (then.phase === 'Failed' && then.failsVariant) this.#giveUpVariantOf(index);
    if (then.phase === 'Pending') this.#mayRetry(index, then.notBefore);
  }

  /**
   * Takes note of what is committed: trials that need not be run, and variants that are stopped early.
   * @param look at which the variants were found to be behind
   */
  noteSkipped(trials: readonly number[], stopped: readonly number[], look: number | undefined): void {
    for (const variant of stopped) if (look !== undefined) this.#noteStopped(variant, look);
    for (const index of trials) {
      const before = this.trial(index);
      if (before.phase !== 'Pending') continue;
      this.#retries.delete(index);
      this.#replace(index, { ...before, phase: 'Skipped' });
    }
  }

  /** Takes note of the committed end of the run: what had not started never will. */
  noteFinished(end: RunEnd): void {
    this.end = end;
    this.#isFinishing = false;
    this.#endingSince = undefined;
    this.#isEndUnconfirmed = false;
    for (const [index, state] of this.#trials.entries())
      if (!isTerminal(state.phase)) {
        this.#retries.delete(index);
        this.#replace(index, { ...state, phase: 'Cancelled', activeAttempt: undefined });
      }
    this.#active.clear();
    this.#startsUnderWay.clear();
    this.#beingAbandoned.clear();
    this.#unanswered.clear();
    this.#refused.clear();
  }

  #backToPending(index: number): boolean {
    const before = this.trial(index);
    if (before.phase !== 'Active') return false;
    this.#active.delete(index);
    this.#startsUnderWay.delete(index);
    this.#replace(index, { ...before, phase: 'Pending', activeAttempt: undefined });
    return true;
  }

  /** The trial may have another attempt from then on, unless its variant is given up. */
  #mayRetry(index: number, notBefore: number): void {
    if (!this.isGivenUp(index)) this.#retries.set(index, notBefore);
  }

  #giveUpVariantOf(index: number): void {
    this.#givenUp.add(this.#variantOf(index));
    this.#looks.noteGivenUp(this.#variantOf(index));
    for (const waiting of [...this.#retries.keys()])
      if (this.isGivenUp(waiting)) this.#retries.delete(waiting);
  }

  #noteStopped(variant: number, look: number): void {
    this.samples.stop(variant);
    this.#looks.noteStopped(variant, look);
  }

  /** True while trials of the variant are pending or under way. */
  #hasMore(variant: number): boolean {
    const ended = (this.#succeededPerVariant[variant] ?? 0) + (this.#failedPerVariant[variant] ?? 0);
    return ended < this.definition.manifest.spec.repetitions;
  }

  /** True when a trial of a variant that was stopped early is pending. */
  #haveStoppedMore(): boolean {
    return (
      this.#looks.stoppedCount > 0 &&
      this.#pendingPerVariant.some((pending, variant) => pending > 0 && this.#looks.isStopped(variant))
    );
  }

  #variantOf(index: number): number {
    const id = this.definition.trials[index]?.variant.id;
    const variant = id === undefined ? undefined : this.#variantIndices.get(id);
    if (variant === undefined) throw new RangeError(`trial ${index} of run ${this.definition.uid}`);
    return variant;
  }

  #settle(index: number, state: TrialState, metrics: ReadonlyMap<string, number>): void {
    const { phase, lastOutcome: outcome } = state;
    this.#active.delete(index);
    this.#startsUnderWay.delete(index);
    this.#retries.delete(index);
    this.#unanswered.delete(index);
    this.#refused.delete(index);
    this.#endedUnrecorded.delete(index);
    this.#unconfirmed.delete(index);
    this.#replace(index, state);
    const variant = this.#variantOf(index);
    if (phase === 'Succeeded') {
      this.samples.add(variant, this.definition.trials[index]?.repetition ?? 0, metrics);
      this.#looks.noteSucceeded(variant);
      const succeeded = increment(this.#succeededPerVariant, variant);
      if (succeeded === this.definition.manifest.spec.repetitions) this.#noteVariantSucceeded(variant);
    }
    if (phase === 'Failed') {
      this.samples.disqualify(variant);
      this.#looks.noteFailed(variant, this.definition.trials[index]?.repetition ?? 0);
      if (outcome !== undefined)
        this.#failuresByOutcome.set(outcome, (this.#failuresByOutcome.get(outcome) ?? 0) + 1);
      if (increment(this.#failedPerVariant, variant) === 1) this.#failedVariants += 1;
    }
  }

  #noteVariantSucceeded(variant: number): void {
    this.#succeededVariants += 1;
    const { objective } = this.definition.manifest.spec;
    if (variant < (this.#targetMetBy ?? Number.POSITIVE_INFINITY)) {
      const means = this.samples.meansOf(variant);
      if (means !== undefined && meetsTargets(objective, means)) this.#targetMetBy = variant;
    }
  }

  #replace(index: number, state: TrialState): void {
    const before = this.trial(index).phase;
    this.#counts[countOf(before)] -= 1;
    this.#counts[countOf(state.phase)] += 1;
    const variant = this.#variantOf(index);
    if (before === 'Pending') this.#pendingPerVariant[variant] = (this.#pendingPerVariant[variant] ?? 0) - 1;
    if (state.phase === 'Pending') increment(this.#pendingPerVariant, variant);
    this.#trials[index] = this.#shared(state);
    while (this.#firstUntried < this.#trials.length && this.#trials[this.#firstUntried] !== UNTRIED)
      this.#firstUntried += 1;
  }

  /** The one object for all trials in the same state: nearly all of a long run come to the same few, and stay there to its end. */
  #shared(state: TrialState): TrialState {
    const key = JSON.stringify(state);
    const known = this.#states.get(key);
    if (known !== undefined) return known;
    this.#states.set(key, state);
    return state;
  }
}

/** Of an attempt that was not to run any more when nobody knew whether it had started. */
const START_UNDONE: Explanation = {
  reason: 'StartUnanswered',
  message: 'its start got no answer, and was undone when there was no slot for it, or no use',
};

/** The state of every trial that has had no attempt; compared by identity. */
const UNTRIED: TrialState = {
  phase: 'Pending',
  recordedAttempts: 0,
  countedAttempts: 0,
  activeAttempt: undefined,
  lastOutcome: undefined,
};

export const isTerminal = (phase: TrialPhase): boolean => phase !== 'Pending' && phase !== 'Active';

/** True for an attempt whose end is committed, and for one of a trial that needs none any more; false for one that is not of this run. */
export function isRecorded(ledger: ReadonlyRunLedger, attempt: AttemptKey): boolean {
  const index = ledger.indexOf(attempt);
  if (index === undefined) return false;
  const { recordedAttempts, phase } = ledger.trial(index);
  return attempt.attempt <= recordedAttempts || isTerminal(phase);
}

const increment = (counts: number[], index: number): number => {
  const count = (counts[index] ?? 0) + 1;
  counts[index] = count;
  return count;
};

function countOf(phase: TrialPhase): Exclude<keyof TrialCounts, 'total'> {
  switch (phase) {
    case 'Pending':
      return 'pending';
    case 'Active':
      return 'active';
    case 'Succeeded':
      return 'succeeded';
    case 'Failed':
      return 'failed';
    case 'Cancelled':
      return 'cancelled';
    case 'Skipped':
      return 'skipped';
  }
}
