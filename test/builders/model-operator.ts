import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ActiveRun } from '../../src/controller/active-run.ts';
import { applyPlan, LedgerOutdatedError, type PlanTargets } from '../../src/controller/apply-plan.ts';
import { endWithoutStore } from '../../src/controller/end-without-store.ts';
import { InvariantWatch } from '../../src/controller/invariant-watch.ts';
import { controlsOf, endWishOf } from '../../src/controller/run-controls.ts';
import { RunPace } from '../../src/controller/run-pace.ts';
import { VerificationWatch } from '../../src/controller/verification-watch.ts';
import { WorkUnderWay } from '../../src/controller/work-under-way.ts';
import type { Plan } from '../../src/core/plan.ts';
import { reconcile } from '../../src/core/reconcile.ts';
import type { RunControls, RunDefinition } from '../../src/core/run.ts';
import { RunLedger } from '../../src/core/run-ledger.ts';
import { isStoreInTrouble, storeProblemOf } from '../../src/core/store-trouble.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { type ResultStore, ResultStoreUnavailableError } from '../../src/results/result-store.ts';
import type { ModelEngine } from './model-engine.ts';

/** What an operator reaches the world by. */
export interface World {
  readonly engine: PlanTargets['engine'] &
    Pick<Engine, 'observe' | 'seenUntil'> &
    Pick<ModelEngine, 'answerLate'>;
  readonly store: PlanTargets['store'] & Pick<ResultStore, 'openRun'>;
  readonly now: () => number;
}

/** What the user of the run wants now. */
export type Wanted = Parameters<typeof controlsOf>[0];

/** How a step ended. */
export type StepEnd =
  /** There was nothing more to do. `requeueAt` as in Plan, or when what was postponed is to be tried again. */
  | { readonly kind: 'Settled'; readonly requeueAt: number | undefined }
  /** Something could not be done; the step is to be repeated. */
  | { readonly kind: 'Interrupted'; readonly error: unknown };

/** More rounds than the faults that a test injects can cause; beyond that the operator turns in circles. */
const MAX_ROUNDS = 200;

/** What the controller does with one run on one event, with the real `reconcile`, `applyPlan` and `RunLedger`. */
export class ModelOperator {
  /** Undefined until the store could be opened. */
  run: ActiveRun | undefined;
  /** Since when the run may run, as its status tells; a new operator goes on from there. */
  activeSince: number | undefined;
  readonly #definition: RunDefinition;
  readonly #world: World;
  readonly #onPlan: (plan: Plan) => void;
  /** Something that was under way is done, so that the run is worth another look. */
  #hasNews = false;

  constructor(
    definition: RunDefinition,
    world: World,
    { activeSince, onPlan }: { activeSince: number | undefined; onPlan?: (plan: Plan) => void },
  ) {
    this.#definition = definition;
    this.#world = world;
    this.activeSince = activeSince;
    this.#onPlan = onPlan ?? (() => {});
  }

  /** Decides and applies until there is nothing more to decide. */
  async step(wanted: Wanted): Promise<StepEnd> {
    try {
      const run = this.run ?? (await this.#open());
      this.activeSince = wanted.manifest.spec.suspend ? undefined : (this.activeSince ?? this.#world.now());
      run.activeSince = this.activeSince;
      return { kind: 'Settled', requeueAt: await this.#decide(run, wanted) };
    } catch (error) {
      if (error instanceof LedgerOutdatedError) {
        while (this.run?.work.isIdle === false) {
          this.#world.engine.answerLate();
          await nextTurn();
        }
        this.run = undefined;
      }
      return { kind: 'Interrupted', error };
    }
  }

  async #decide(run: ActiveRun, wanted: Wanted): Promise<number | undefined> {
    try {
      const requeueAt = await this.#decideAndApply(run, wanted);
      run.storeProblem = storeProblemOf(run.ledger, run.storeProblem, this.#world.now());
      if (isStoreInTrouble(run.ledger, this.#world.now())) this.#endWithoutStore(run, wanted);
      return requeueAt;
    } catch (error) {
      if (error instanceof ResultStoreUnavailableError) {
        run.storeProblem = { reason: error.reason, message: error.message };
        this.#endWithoutStore(run, wanted);
      }
      throw error;
    }
  }

  #endWithoutStore(run: ActiveRun, wanted: Wanted): void {
    const { engine, now } = this.#world;
    endWithoutStore(run, this.#controlsNow(run, wanted), engine, now());
  }

  #controlsNow(run: ActiveRun, wanted: Wanted): RunControls {
    const { engine, now } = this.#world;
    run.endWish = endWishOf(run.endWish, wanted, run.ledger, now());
    return controlsOf(wanted, run, engine, now());
  }

  async #decideAndApply(run: ActiveRun, wanted: Wanted): Promise<number | undefined> {
    const { engine, now } = this.#world;
    run.work.throwFailure();
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      this.#hasNews = false;
      const observed = engine.observe(run.ledger.definition);
      run.ledger.noteObserved(observed);
      const controls = this.#controlsNow(run, wanted);
      const plan = reconcile(run.ledger, observed, controls, now());
      run.waiting = plan.waiting;
      this.#onPlan(plan);
      const { decideAgain } =
        plan.actions.length === 0
          ? { decideAgain: false }
          : applyPlan(plan, run, controls, { ...this.#world, onEvent: () => {} });
      // What is going to be answered at once is answered before anything else happens.
      await nextTurn();
      run.work.throwFailure();
      if (!decideAgain && !this.#hasNews) return earliest(plan.requeueAt, nextTry(run, now()));
    }
    throw new Error(`run ${run.uid} is not settled after ${MAX_ROUNDS} rounds`);
  }

  async #open(): Promise<ActiveRun> {
    const opened = await this.#world.store.openRun(this.#definition);
    const { fence, trials, end } = opened;
    this.run = {
      uid: this.#definition.uid,
      ledger: new RunLedger(this.#definition, trials, end, opened),
      fence,
      activeSince: this.activeSince,
      endWish: undefined,
      waiting: undefined,
      postponement: undefined,
      watch: new InvariantWatch(),
      pace: new RunPace(this.#world.now()),
      work: new WorkUnderWay(() => {
        this.#hasNews = true;
      }),
      storeProblem: undefined,
      verification: new VerificationWatch(false),
    };
    return this.run;
  }
}

const nextTry = ({ postponement }: ActiveRun, now: number): number | undefined =>
  postponement === undefined || postponement.until <= now ? undefined : postponement.until;

const earliest = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined ? b : b === undefined ? a : Math.min(a, b);
