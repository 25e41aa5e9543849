/**
 * The promises of engine.ts as tests, for every engine. An engine's own test file calls `describeEngine` with a harness that makes
 * runs of programs which behave as told, does what somebody else could do, and counts programs without asking the engine.
 *
 * Nothing sleeps for a fixed time, and nothing asks the engine again and again: the suite looks only when `onChange` tells it to. So
 * a change that an engine fails to announce fails a test.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AttemptState, attemptName, isLive, type ObservedAttempt } from '../core/attempt.ts';
import type { RunDefinition } from '../core/run.ts';
import type { AttemptRequest, Engine } from './engine.ts';

/** What every program of a run does. */
export interface ProgramBehaviour {
  /** How long it runs before it ends, in milliseconds. */
  readonly runMs: number;
  readonly exitCode: number;
  /** What it leaves in its result file; undefined when it leaves none. */
  readonly resultText?: string;
  /** What it prints as its last output. Never together with `resultText`. */
  readonly lastWords?: string;
}

/** What the suite needs besides the engine. Each method may be called many times; all names and UIDs it makes are new. */
export interface EngineHarness {
  /** A new engine over the same world as before. The suite closes it. */
  createEngine(): Promise<Engine>;
  /** A new run of `trials` trials, whose programs all behave alike. */
  aRun(trials: number, behaviour: ProgramBehaviour): Promise<RunDefinition>;
  /** A new run of one trial, whose attempt can never start. */
  aRunThatCannotStart(): Promise<RunDefinition>;
  /**
   * Takes the attempt away behind the engine's back, as another person could: deletes its Job, kills its process, and removes
   * what is stored of it. Works for a live and for an ended attempt.
   */
  removeAsSomebodyElse(run: RunDefinition, name: string): Promise<void>;
  /** How many programs of the run are there now, by an account that the engine has no part in: the process table, the API server. */
  liveProgramsOf(run: RunDefinition): Promise<number>;
  /** True when attempts go on after `Engine.close` and a new engine finds them; false when closing ends them. */
  readonly attemptsOutliveEngine: boolean;
  /** How long the suite waits for one thing to come true, in milliseconds. */
  readonly deadlineMs: number;
}

const ENDS_SOON: ProgramBehaviour = { runMs: 50, exitCode: 0, resultText: '{"metrics":{"x":1}}' };
const RUNS_ON: ProgramBehaviour = { runMs: 600_000, exitCode: 0 };
const MANY = 50;

/** Registers the contract tests of one engine. */
export function describeEngine(name: string, harness: EngineHarness): void {
  const { deadlineMs } = harness;
  const until = <T>(engine: Engine, run: RunDefinition, what: string, look: () => T | undefined) =>
    untilAnnounced(engine, run, what, look, deadlineMs);
  const untilState = (engine: Engine, run: RunDefinition, kind: AttemptState['kind'], index = 0) =>
    until(engine, run, `attempt ${index} is ${kind}`, () => {
      const attempt = shown(engine, run, index);
      return attempt?.state.kind === kind ? attempt : undefined;
    });
  const untilGone = (engine: Engine, run: RunDefinition, index = 0) =>
    until(engine, run, `attempt ${index} is shown no more`, () =>
      shown(engine, run, index) === undefined ? true : undefined,
    );

  describe(`${name} keeps the promises of an engine`, { timeout: deadlineMs * 3 }, () => {
    let engine: Engine;
    let runs: RunDefinition[];

    const aRun = async (trials: number, behaviour: ProgramBehaviour): Promise<RunDefinition> => {
      const run = await harness.aRun(trials, behaviour);
      runs.push(run);
      return run;
    };
    const start = async (run: RunDefinition, index = 0): Promise<void> =>
      expect(await engine.startAttempt(requestFor(run, index))).toEqual({ kind: 'Started' });

    beforeEach(async () => {
      runs = [];
      engine = await harness.createEngine();
    });

    afterEach(async () => {
      await Promise.all(
        runs.map(async (run) => {
          await Promise.all(engine.observe(run).map((attempt) => engine.removeAttempts(run, [attempt.name])));
          await until(engine, run, 'nothing is shown of a run after its attempts were removed', () =>
            engine.observe(run).length === 0 ? true : undefined,
          );
          expect(await harness.liveProgramsOf(run)).toBe(0);
        }),
      );
      await engine.close();
    }, deadlineMs * 3);

    describe('starting', () => {
      it('shows an attempt from the moment its start is asked for until its end is seen', async () => {
        const run = await aRun(1, ENDS_SOON);
        const hidden: string[] = [];
        const stop = engine.onChange(() => {
          if (shown(engine, run) === undefined) hidden.push('after a change');
        });
        const started = engine.startAttempt(requestFor(run));
        if (shown(engine, run) === undefined) hidden.push('while its start is under way');
        await started;
        if (shown(engine, run) === undefined) hidden.push('once it was started');
        await untilState(engine, run, 'Ended');
        stop();
        expect(hidden).toEqual([]);
      });

      it('shows which run, variant, repetition and attempt it is, and where its output is', async () => {
        const run = await aRun(2, ENDS_SOON);
        const request = requestFor(run, 1);
        await start(run, 1);
        const observed = await untilState(engine, run, 'Ended', 1);
        expect(observed).toMatchObject({
          name: request.name,
          variantId: request.trial.variant.id,
          repetition: request.trial.repetition,
          attempt: 1,
          logs: expect.stringMatching(/./),
        });
        expect(engine.observe(run)).toHaveLength(1);
      });

      it('starts one program when asked twice at once', async () => {
        const run = await aRun(1, RUNS_ON);
        const request = requestFor(run);
        const outcomes = await Promise.all([engine.startAttempt(request), engine.startAttempt(request)]);
        expect(outcomes.map(({ kind }) => kind).sort()).toEqual(['AlreadyStarted', 'Started']);
        await untilState(engine, run, 'Running');
        expect(engine.observe(run)).toHaveLength(1);
        expect(await harness.liveProgramsOf(run)).toBe(1);
      });

      it('starts nothing when the attempt runs already', async () => {
        const run = await aRun(1, RUNS_ON);
        await start(run);
        await untilState(engine, run, 'Running');
        expect(await engine.startAttempt(requestFor(run))).toEqual({ kind: 'AlreadyStarted' });
        expect(await harness.liveProgramsOf(run)).toBe(1);
      });

      it('starts nothing when the attempt has ended already, and shows its end as before', async () => {
        const run = await aRun(1, ENDS_SOON);
        await start(run);
        const ended = await untilState(engine, run, 'Ended');
        expect(await engine.startAttempt(requestFor(run))).toEqual({ kind: 'AlreadyStarted' });
        expect(shown(engine, run)).toEqual(ended);
        expect(await harness.liveProgramsOf(run)).toBe(0);
      });

      it('says why an attempt can never start, and shows nothing of it', async () => {
        const run = await harness.aRunThatCannotStart();
        runs.push(run);
        expect(await engine.startAttempt(requestFor(run))).toEqual({
          kind: 'Refused',
          reason: expect.stringMatching(/^[A-Z][A-Za-z]+$/),
          message: expect.stringMatching(/.{10}/),
        });
        expect(engine.observe(run)).toEqual([]);
        expect(await harness.liveProgramsOf(run)).toBe(0);
      });

      it(`runs ${MANY} attempts at once, each to its own end`, async () => {
        const run = await aRun(MANY, ENDS_SOON);
        const outcomes = await Promise.all(
          run.trials.map((_, index) => engine.startAttempt(requestFor(run, index))),
        );
        expect(outcomes.every(({ kind }) => kind === 'Started')).toBe(true);
        await until(engine, run, 'all have ended', () => {
          const attempts = engine.observe(run);
          return attempts.length === MANY && !attempts.some(isLive) ? true : undefined;
        });
        expect(new Set(engine.observe(run).map((attempt) => attempt.name)).size).toBe(MANY);
        expect(await harness.liveProgramsOf(run)).toBe(0);
      });
    });

    describe('the end', () => {
      const endOf = async (behaviour: ProgramBehaviour) => {
        const run = await aRun(1, behaviour);
        await start(run);
        const { state } = await untilState(engine, run, 'Ended');
        if (state.kind !== 'Ended') throw new Error('unreachable: the state was waited for');
        return state;
      };

      it('carries exit code 0, what the program left in its result file, and when it ran', async () => {
        const { at, termination } = await endOf(ENDS_SOON);
        expect(termination).toMatchObject({ kind: 'Exited', exitCode: 0, message: ENDS_SOON.resultText });
        expect(termination.startedAt).toBeLessThanOrEqual(at);
        expect(termination.startedAt).toBeGreaterThan(0);
      });

      it('carries an empty message when the program left no result', async () => {
        const { termination } = await endOf({ runMs: 0, exitCode: 0 });
        expect(termination).toMatchObject({ kind: 'Exited', exitCode: 0, message: '' });
      });

      it('carries the exit code and the result of a program that failed', async () => {
        const { termination } = await endOf({ runMs: 0, exitCode: 3, resultText: 'é "quoted" $(X) \\ text' });
        expect(termination).toMatchObject({
          kind: 'Exited',
          exitCode: 3,
          message: 'é "quoted" $(X) \\ text',
        });
      });

      it('carries the last output of a program that failed without a result', async () => {
        const { termination } = await endOf({ runMs: 0, exitCode: 1, lastWords: 'panic: no such corpus' });
        expect(termination).toMatchObject({ kind: 'Exited', exitCode: 1 });
        expect(termination.message).toContain('panic: no such corpus');
      });
    });

    describe('removing', () => {
      it('shows a live attempt as Stopping until nothing of it runs, and then not at all', async () => {
        const run = await aRun(1, RUNS_ON);
        await start(run);
        await untilState(engine, run, 'Running');
        const states = new Set<string>();
        const removal = engine.removeAttempts(run, [requestFor(run).name]);
        const stop = engine.onChange(() => states.add(shown(engine, run)?.state.kind ?? 'gone'));
        await removal;
        await untilGone(engine, run);
        stop();
        expect(await harness.liveProgramsOf(run)).toBe(0);
        states.delete('Stopping');
        expect([...states]).toEqual(['gone']);
      });

      it('shows Stopping, or nothing, as soon as the removal is under way', async () => {
        const run = await aRun(1, RUNS_ON);
        await start(run);
        await untilState(engine, run, 'Running');
        await engine.removeAttempts(run, [requestFor(run).name]);
        expect(shown(engine, run)?.state.kind ?? 'Stopping').toBe('Stopping');
      });

      it('removes an attempt that was only just started', async () => {
        const run = await aRun(1, RUNS_ON);
        await start(run);
        await engine.removeAttempts(run, [requestFor(run).name]);
        await untilGone(engine, run);
        expect(await harness.liveProgramsOf(run)).toBe(0);
      });

      it('may be asked for again at any time, and for what was never there', async () => {
        const run = await aRun(2, RUNS_ON);
        const { name: first } = requestFor(run);
        await start(run);
        await Promise.all([engine.removeAttempts(run, [first]), engine.removeAttempts(run, [first])]);
        await engine.removeAttempts(run, [first]);
        await untilGone(engine, run);
        await engine.removeAttempts(run, [first]);
        await engine.removeAttempts(run, [requestFor(run, 1).name]);
        expect(engine.observe(run)).toEqual([]);
      });

      it('does not show an ended attempt again', async () => {
        const run = await aRun(2, ENDS_SOON);
        await start(run);
        await untilState(engine, run, 'Ended');
        await engine.removeAttempts(run, [requestFor(run).name]);
        await untilGone(engine, run);
        let returned = false;
        const stop = engine.onChange(() => {
          returned ||= shown(engine, run) !== undefined;
        });
        // Whatever the engine still hears of the first attempt, it hears before it knows the end of a later one.
        await start(run, 1);
        await untilState(engine, run, 'Ended', 1);
        stop();
        expect(returned).toBe(false);
      });
    });

    describe('what somebody else does', () => {
      it('does not lose an end that was seen', async () => {
        const run = await aRun(2, ENDS_SOON);
        await start(run);
        const ended = await untilState(engine, run, 'Ended');
        await harness.removeAsSomebodyElse(run, requestFor(run).name);
        await start(run, 1);
        await untilState(engine, run, 'Ended', 1);
        expect(shown(engine, run)).toMatchObject({ state: ended.state });
      });

      it('lets go of a live attempt that was taken away', async () => {
        const run = await aRun(1, RUNS_ON);
        await start(run);
        await untilState(engine, run, 'Running');
        await harness.removeAsSomebodyElse(run, requestFor(run).name);
        await until(engine, run, 'the attempt has ended or is shown no more', () => {
          const attempt = shown(engine, run);
          return attempt === undefined || !isLive(attempt) ? true : undefined;
        });
        expect(await harness.liveProgramsOf(run)).toBe(0);
      });
    });

    describe('runs', () => {
      it('are kept apart: what happens to one is neither shown of another nor done to it', async () => {
        const [mine, other] = [await aRun(1, RUNS_ON), await aRun(1, RUNS_ON)];
        await start(other);
        await untilState(engine, other, 'Running');
        const announced = new Set<string>();
        const stop = engine.onChange((uid) => announced.add(uid));
        await start(mine);
        await untilState(engine, mine, 'Running');
        await engine.removeAttempts(mine, [requestFor(mine).name]);
        // Not its attempt: nothing may happen to it.
        await engine.removeAttempts(mine, [requestFor(other).name]);
        await untilGone(engine, mine);
        stop();
        // The other may still have had news of its own.
        announced.delete(other.uid);
        expect([...announced]).toEqual([mine.uid]);
        expect(shown(engine, other)?.state.kind).toBe('Running');
        expect(await harness.liveProgramsOf(other)).toBe(1);
      });

      it('of which nothing was ever started show nothing', async () => {
        const run = await aRun(1, ENDS_SOON);
        expect(engine.observe(run)).toEqual([]);
      });
    });

    it('calls a listener no more once it was told to stop', async () => {
      const run = await aRun(1, ENDS_SOON);
      let calls = 0;
      const stop = engine.onChange(() => {
        calls += 1;
      });
      stop();
      await start(run);
      await untilState(engine, run, 'Ended');
      expect(calls).toBe(0);
    });

    describe.runIf(harness.attemptsOutliveEngine)('a later engine', () => {
      const restart = async () => {
        await engine.close();
        engine = await harness.createEngine();
      };

      it('shows what an earlier one started, and starts none of it again', async () => {
        const run = await aRun(1, RUNS_ON);
        await start(run);
        await untilState(engine, run, 'Running');
        await restart();
        await untilState(engine, run, 'Running');
        expect(await engine.startAttempt(requestFor(run))).toEqual({ kind: 'AlreadyStarted' });
        expect(await harness.liveProgramsOf(run)).toBe(1);
      });

      it('shows the end of what ended while nobody watched', async () => {
        const run = await aRun(1, ENDS_SOON);
        await start(run);
        await engine.close();
        await expect.poll(() => harness.liveProgramsOf(run), { timeout: deadlineMs }).toBe(0);
        engine = await harness.createEngine();
        const { state } = await untilState(engine, run, 'Ended');
        expect(state).toMatchObject({
          termination: { kind: 'Exited', exitCode: 0, message: ENDS_SOON.resultText },
        });
      });
    });

    it.runIf(!harness.attemptsOutliveEngine)('ends its programs when it is closed', async () => {
      const run = await aRun(3, RUNS_ON);
      for (const index of run.trials.keys()) await start(run, index);
      await untilState(engine, run, 'Running', 2);
      expect(await harness.liveProgramsOf(run)).toBe(3);
      await engine.close();
      expect(await harness.liveProgramsOf(run)).toBe(0);
      expect(engine.observe(run)).toEqual([]);
      engine = await harness.createEngine();
    });
  });
}

/** The request that starts the run's trial of this index, counted in the order of `run.trials`. */
export function requestFor(run: RunDefinition, index = 0, attempt = 1): AttemptRequest {
  const trial = run.trials[index];
  if (trial === undefined) throw new Error(`the run has no trial ${index}`);
  return { run, trial, attempt, name: attemptName(run, trial, attempt), deadlineSeconds: 3_600 };
}

/** What the engine shows of the first attempt of the run's trial of this index. */
export function shown(engine: Engine, run: RunDefinition, index = 0): ObservedAttempt | undefined {
  const { name } = requestFor(run, index);
  return engine.observe(run).find((attempt) => attempt.name === name);
}

/**
 * Resolves with what `look` gives once it gives something. It is asked now, and again whenever the engine announces a change of
 * the run. Rejects after `deadlineMs`, and says so when only the announcement was missing.
 */
export function untilAnnounced<T>(
  engine: Engine,
  run: RunDefinition,
  what: string,
  look: () => T | undefined,
  deadlineMs: number,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = engine.onChange((runUid) => {
      if (runUid === run.uid) check();
    });
    const deadline = setTimeout(() => {
      stop();
      const problem =
        look() === undefined
          ? `the engine shows ${JSON.stringify(engine.observe(run))}`
          : 'it is so, but no change was announced';
      reject(new Error(`waited ${deadlineMs} ms until ${what}: ${problem}`));
    }, deadlineMs);
    const check = () => {
      const found = look();
      if (found === undefined) return;
      clearTimeout(deadline);
      stop();
      resolve(found);
    };
    check();
  });
}
