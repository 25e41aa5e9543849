import type { RunEnd } from '../../src/core/plan.ts';
import type { BegunRun, RunDefinition } from '../../src/core/run.ts';
import { isTerminal, type StoredTrial } from '../../src/core/run-ledger.ts';
import {
  type AttemptRecord,
  type FinishOutcome,
  type OpenedRun,
  type RecordOutcome,
  type ResultStore,
  ResultStoreUnavailableError,
  type SkipOutcome,
  type SkipRecord,
} from '../../src/results/result-store.ts';

/** `AnswerLost`: what is asked for is committed, but the caller hears that the store is unavailable. */
export type StoreCondition = 'Available' | 'Unavailable' | 'AnswerLost';

const NONE = { pending: 0, verified: 0, mismatched: 0, missing: 0 };

/** The writes of a result store, for one run, in memory: what is in its maps counts as committed. */
export class ModelStore
  implements Pick<ResultStore, 'openRun' | 'recordAttempt' | 'readPushed' | 'skipTrials' | 'finishRun'>
{
  /** Nothing is ever read back here. */
  readonly verification = { counts: async () => ({ artifacts: NONE, results: NONE }) };
  condition: StoreCondition = 'Available';
  /** What it says of the run when that is opened. */
  registeredMsAgo = 0;
  /** By trial. */
  readonly trials = new Map<string, StoredTrial>();
  /** By trial and attempt. */
  readonly records = new Map<string, AttemptRecord>();
  /** The look at which variants were stopped early, by their ID. */
  readonly stoppedVariants = new Map<string, number>();
  end: RunEnd | undefined;
  /** How many of the next records, skips and ends of the run are answered only when somebody lets them be. What they say is done at once. */
  lateWrites = 0;
  readonly #run: RunDefinition;
  readonly #lateAnswers: (() => void)[];
  #fence = 0;

  /** @param lateAnswers takes what lets the answers come that are late */
  constructor(run: RunDefinition, lateAnswers: (() => void)[] = []) {
    this.#run = run;
    this.#lateAnswers = lateAnswers;
    for (const { variant, repetition } of run.trials)
      this.trials.set(trialKey(variant.id, repetition), {
        variantId: variant.id,
        repetition,
        phase: 'Pending',
        recordedAttempts: 0,
        countedAttempts: 0,
        failsVariant: false,
        reusedFrom: undefined,
        lastOutcome: undefined,
        metrics: new Map(),
      });
  }

  openRun(): Promise<OpenedRun> {
    return this.#commit(() => {
      this.#fence += 1;
      return {
        fence: this.#fence,
        begun: this.#fence === 1 ? undefined : this.#run,
        trials: [...this.trials.values()],
        end: this.end,
        registeredMsAgo: this.registeredMsAgo,
        stoppedVariants: new Map(this.stoppedVariants),
        previousRun: undefined,
      };
    });
  }

  async loadRunToConclude(): Promise<BegunRun | undefined> {
    return this.#fence === 0 ? undefined : this.#run;
  }

  recordAttempt(record: AttemptRecord): Promise<RecordOutcome> {
    return this.#commitLate((): RecordOutcome => {
      const { trialAfter } = record;
      const key = trialKey(record.variantId, record.repetition);
      const trial = this.trials.get(key);
      if (record.fence !== this.#fence) return { kind: 'Fenced' };
      if (trial === undefined) return { kind: 'Refused', reason: 'no such trial' };
      if (this.records.has(`${key}/${record.attempt}`)) return { kind: 'AlreadyRecorded', trial };
      if (this.end !== undefined) return { kind: 'Refused', reason: 'the run is over' };
      if (isTerminal(trial.phase)) return { kind: 'Refused', reason: `the trial is ${trial.phase}` };
      this.records.set(`${key}/${record.attempt}`, record);
      this.trials.set(key, {
        ...trial,
        phase: trialAfter.phase,
        countedAttempts:
          trial.countedAttempts + (trialAfter.phase === 'Pending' && !trialAfter.counts ? 0 : 1),
        failsVariant: trialAfter.phase === 'Failed' && trialAfter.failsVariant,
        recordedAttempts: record.attempt,
        lastOutcome: record.judgement.outcome,
        metrics: record.judgement.result?.metrics ?? new Map(),
      });
      return { kind: 'Recorded' };
    });
  }

  skipTrials({ fence, trials, stoppedVariantIds, look }: SkipRecord): Promise<SkipOutcome> {
    return this.#commitLate((): SkipOutcome => {
      if (fence !== this.#fence) return { kind: 'Fenced' };
      if (this.end !== undefined) return { kind: 'Refused', reason: 'the run is over' };
      const marked = trials.map(({ variantId, repetition }) => this.trialOf(variantId, repetition));
      const ended = marked.find(({ phase }) => phase !== 'Pending' && phase !== 'Skipped');
      if (ended !== undefined) return { kind: 'Refused', reason: `the trial is ${ended.phase}` };
      for (const trial of marked)
        this.trials.set(trialKey(trial.variantId, trial.repetition), { ...trial, phase: 'Skipped' });
      for (const id of stoppedVariantIds)
        if (look !== undefined && !this.stoppedVariants.has(id)) this.stoppedVariants.set(id, look);
      return { kind: 'Skipped' };
    });
  }

  /** Nothing is ever pushed here. */
  async readPushed(_uid: string, starts: readonly unknown[]): Promise<readonly undefined[]> {
    return starts.map(() => undefined);
  }

  finishRun(
    _uid: string,
    fence: number,
    end: RunEnd,
    _gate?: 'Passed' | 'Failed',
    pending = Number.POSITIVE_INFINITY,
  ): Promise<FinishOutcome> {
    return this.#commitLate((): FinishOutcome => {
      if (fence !== this.#fence) return 'Fenced';
      if (this.end !== undefined) return 'AlreadyFinished';
      if ([...this.trials.values()].filter(({ phase }) => phase === 'Pending').length > pending)
        return 'TrialsUnfinished';
      this.end = end;
      for (const [key, trial] of this.trials)
        if (trial.phase === 'Pending') this.trials.set(key, { ...trial, phase: 'Cancelled' });
      return 'Finished';
    });
  }

  /** What is committed of a trial. */
  trialOf(variantId: string, repetition: number): StoredTrial {
    const trial = this.trials.get(trialKey(variantId, repetition));
    if (trial === undefined) throw new RangeError(`no trial ${repetition} of variant ${variantId}`);
    return trial;
  }

  async #commitLate<T>(write: () => T): Promise<T> {
    const answer = this.#commit(write);
    if (this.lateWrites > 0) {
      this.lateWrites -= 1;
      // Until then nobody waits for it.
      answer.catch(() => {});
      await new Promise<void>((resolve) => this.#lateAnswers.push(resolve));
    }
    return answer;
  }

  async #commit<T>(write: () => T): Promise<T> {
    if (this.condition === 'Unavailable') throw unavailable();
    const answer = write();
    if (this.condition === 'AnswerLost') throw unavailable();
    return answer;
  }
}

const trialKey = (variantId: string, repetition: number): string => `${variantId}/${repetition}`;

const unavailable = (): ResultStoreUnavailableError =>
  new ResultStoreUnavailableError('ConnectionRefused', 'the result store does not answer');
