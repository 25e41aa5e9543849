import { ConditionType } from '../../src/api/v1alpha1/constants.ts';
import type { BatchTestSpec } from '../../src/api/v1alpha1/schema.ts';
import { controlsOf } from '../../src/controller/run-controls.ts';
import type { AfterAttempt } from '../../src/core/after-attempt.ts';
import type { Termination } from '../../src/core/attempt.ts';
import type { Action, Plan } from '../../src/core/plan.ts';
import type { RunControls, RunDefinition } from '../../src/core/run.ts';
import { type Explanation, statusOf } from '../../src/core/status.ts';
import { exited, exitedWell, lost, type ModelAttempt, ModelEngine, type StartFault } from './model-engine.ts';
import { ModelOperator, type Wanted } from './model-operator.ts';
import { ModelStore, type StoreCondition } from './model-store.ts';
import { aRun, type RunOptions } from './run.ts';

/**
 * Runs the real decisions against a model world and writes down what is decided, one numbered line a plan, and what happens in between,
 * indented. A trial is written `a/0`, its second attempt `a/0#2`.
 */
export class Transcript {
  readonly #lines: string[] = [];
  readonly run: RunDefinition;
  readonly engine: ModelEngine;
  readonly store: ModelStore;
  #wanted: Wanted;
  #operator: ModelOperator;
  #now = 0;
  #plans = 0;

  constructor(options: RunOptions) {
    this.run = aRun(options);
    this.engine = new ModelEngine(() => this.#now);
    this.store = new ModelStore(this.run, this.engine.lateAnswers);
    this.#wanted = { manifest: this.run.manifest, cancel: undefined };
    this.#operator = this.#newOperator(0);
  }

  /** Decides and applies until there is nothing more to decide. */
  async decide(): Promise<void> {
    const before = this.#plans;
    const end = await this.#operator.step(this.#wanted);
    if (end.kind === 'Interrupted') this.#note(String(end.error));
    else if (end.requeueAt !== undefined) this.#note(`looked at again at ${end.requeueAt / 1_000} s`);
    else if (this.#plans === before) this.#note('nothing to do');
  }

  begins(...attempts: readonly string[]): void {
    for (const attempt of attempts) this.engine.begin(this.#find(attempt));
    this.#note(`${attempts.join(', ')} ${attempts.length === 1 ? 'begins' : 'begin'}`);
  }

  succeeds(attempt: string, p95 = 1): void {
    this.#ends(attempt, exitedWell(p95), 'succeeds');
  }

  fails(attempt: string, exitCode: number): void {
    this.#ends(attempt, exited(exitCode), `fails, exit ${exitCode}`);
  }

  isLost(attempt: string): void {
    this.#ends(attempt, lost(), 'is lost');
  }

  vanishes(attempt: string): void {
    this.engine.vanish(this.#find(attempt));
    this.#note(`${attempt} vanishes`);
  }

  isDeletedByOthers(attempt: string): void {
    this.engine.deleteByOthers(this.#find(attempt));
    this.#note(`${attempt} is deleted by somebody else`);
  }

  isGone(attempt: string): void {
    this.engine.finishStopping(this.#find(attempt));
    this.#note(`${attempt} is gone`);
  }

  passes(seconds: number): void {
    this.#now += seconds * 1_000;
    this.#note(`at ${this.#now / 1_000} s`);
  }

  parallelismIs(parallelism: number): void {
    this.edits({ parallelism });
  }

  isSuspended(): void {
    this.edits({ suspend: true });
  }

  isResumed(): void {
    this.edits({ suspend: false });
  }

  /** The user edits fields of the spec. */
  edits(fields: Partial<BatchTestSpec>): void {
    const { manifest } = this.#wanted;
    this.#wanted = { ...this.#wanted, manifest: { ...manifest, spec: { ...manifest.spec, ...fields } } };
    this.#note(
      Object.entries(fields)
        .map(([field, value]) => `${field} ${value}`)
        .join(', '),
    );
  }

  isCancelled(cancel: NonNullable<RunControls['cancel']> = 'Requested'): void {
    this.#wanted = { ...this.#wanted, cancel };
    this.#note(cancel === 'Requested' ? 'cancel' : 'delete');
  }

  storeIs(condition: StoreCondition): void {
    this.store.condition = condition;
    this.#note(`store: ${condition}`);
  }

  /** The store does what it is asked next at once, and says so when somebody lets it. */
  storeIsLate(): void {
    this.store.lateWrites += 1;
    this.#note('the next answer of the store is late');
  }

  /** Everything is answered that is still to be. */
  isAnswered(): void {
    this.engine.answerLate();
    this.#note('answered');
  }

  nextStart(fault: StartFault): void {
    this.engine.startFaults.push(fault);
    this.#note(`next start: ${fault}`);
  }

  /** The operator's process is replaced: what it knew is what the store and the engine hold. */
  operatorRestarts(): void {
    this.engine.restart();
    this.#operator = this.#newOperator(this.#operator.activeSince);
    this.#note('operator restarts');
  }

  /** The program does not start yet, and its engine says why. */
  waits(attempt: string, reason: string, message: string): void {
    const { state } = this.#find(attempt);
    if (state.kind !== 'Waiting') throw new Error(`${attempt} is ${state.kind}`);
    this.#find(attempt).state = { ...state, reason, message };
    this.#note(`${attempt} waits: ${reason}`);
  }

  /** The engine shows an attempt of this run and of a variant that the run does not have. */
  strangerAppears(name: string): void {
    const state = { kind: 'Running', since: this.#now } as const;
    const key = { variantId: 'ffffffffffffffff', repetition: 0, attempt: 1 };
    this.engine.attempts.set(name, {
      ...key,
      runUid: this.run.uid,
      name,
      state,
      hidden: false,
      unanswered: false,
      isPhantom: false,
      onlyRemembered: false,
    });
    this.#note(`${name}, of no trial of this run, appears`);
  }

  /** Writes down what the engine holds. */
  holds(): void {
    this.#note(`held: ${this.held.join(', ')}`);
  }

  /** Why results cannot be stored, as the status tells it. */
  get storeProblem(): Explanation | undefined {
    return this.#operator.run?.storeProblem;
  }

  /** Everything that was written down. */
  get text(): string {
    return this.#lines.join('\n');
  }

  /** What the engine holds, in the order of its starts. */
  get held(): readonly string[] {
    return this.engine
      .attemptsOf(this.run.uid)
      .map((attempt) => `${this.#labelOf(attempt)} ${attempt.state.kind}`);
  }

  /** Writes down what the status says of the run's progress: the one reason, and since when it may run. */
  tellsProgress(): void {
    const { run } = this.#operator;
    if (run === undefined) throw new Error('the run is not opened');
    const { conditions, startTime } = statusOf(
      run.ledger,
      {
        controls: controlsOf(this.#wanted, run, this.engine, this.#now),
        activeSince: run.activeSince,
        waiting: run.waiting,
        storeProblem: run.storeProblem,
        observedGeneration: undefined,
        previousConditions: [],
      },
      this.#now,
    );
    const since = startTime === undefined ? '' : `, since ${Date.parse(startTime) / 1_000} s`;
    const { reason, message } = conditions?.find(({ type }) => type === ConditionType.Progressing) ?? {};
    this.#note(`status: ${reason}: ${message}${since}`);
  }

  #newOperator(activeSince: number | undefined): ModelOperator {
    const world = { engine: this.engine, store: this.store, now: () => this.#now };
    return new ModelOperator(this.run, world, { activeSince, onPlan: (plan) => this.#notePlan(plan) });
  }

  #ends(attempt: string, termination: Termination, what: string): void {
    this.engine.end(this.#find(attempt), termination);
    this.#note(`${attempt} ${what}`);
  }

  #find(label: string): ModelAttempt {
    const found = this.engine.attemptsOf(this.run.uid).find((attempt) => this.#labelOf(attempt) === label);
    if (found === undefined) throw new Error(`no attempt ${label}; there are ${this.held.join(', ')}`);
    return found;
  }

  #labelOf({ name, variantId, repetition, attempt }: ModelAttempt): string {
    const variant = this.run.variants.find(({ id }) => id === variantId);
    return variant === undefined ? name : label(variant.name, repetition, attempt);
  }

  #note(text: string): void {
    this.#lines.push(`  ${text}`);
  }

  #notePlan({ actions }: Plan): void {
    if (actions.length === 0) return;
    this.#plans += 1;
    this.#lines.push(`${this.#plans} ${actions.map((action) => this.#describe(action)).join(', ')}`);
  }

  #describe(action: Action): string {
    switch (action.kind) {
      case 'RecordAttempt': {
        const { outcome, reason } = action.judgement;
        return `RecordAttempt ${this.#trialLabel(action)} ${outcome} (${reason}), ${this.#describeAfter(action.trialAfter)}`;
      }
      case 'SkipTrials': {
        const trials = action.trials.map((trial) => this.#trialLabel({ trial, attempt: 1 }));
        const stopped = action.stopped.map((variant) => this.run.variants[variant]?.name);
        const look = action.look === undefined ? '' : `, stops ${stopped.join(' ')} at look ${action.look}`;
        return `SkipTrials ${trials.join(' ')} (${action.reason})${look}`;
      }
      case 'StartAttempt':
        return `StartAttempt ${this.#trialLabel(action)} (${action.reason})`;
      case 'RemoveAttempt': {
        const attempt = this.engine.attempts.get(action.name);
        return `RemoveAttempt ${attempt === undefined ? action.name : this.#labelOf(attempt)} (${action.reason})`;
      }
      case 'FinishRun':
        return `FinishRun ${action.end.state} (${action.end.reason}): ${action.end.message}`;
    }
  }

  #describeAfter(after: AfterAttempt): string {
    switch (after.phase) {
      case 'Succeeded':
        return 'trial Succeeded';
      case 'Failed':
        return after.failsVariant ? 'variant Failed' : 'trial Failed';
      case 'Pending':
        return after.counts ? 'trial Pending' : 'trial Pending (not counted)';
    }
  }

  #trialLabel({ trial: index, attempt }: { readonly trial: number; readonly attempt: number }): string {
    const trial = this.run.trials[index];
    return trial === undefined ? `trial ${index}` : label(trial.variant.name, trial.repetition, attempt);
  }
}

const label = (variant: string, repetition: number, attempt: number): string =>
  `${variant}/${repetition}${attempt === 1 ? '' : `#${attempt}`}`;
