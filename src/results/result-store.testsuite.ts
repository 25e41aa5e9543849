/**
 * The promises of result-store.ts as tests, for every result store. A store's own test file calls `describeResultStore` with a way to
 * open stores over the same data, as several processes do.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aTemplate } from '../../test/builders/batch-test.ts';
import { aRun, type RunOptions } from '../../test/builders/run.ts';
import type { AfterAttempt } from '../core/after-attempt.ts';
import type { Judgement, Outcome } from '../core/outcome.ts';
import type { RunEnd } from '../core/plan.ts';
import type { ReportedResult } from '../core/result-protocol.ts';
import type { EngineName, RunDefinition } from '../core/run.ts';
import type { StoredTrial } from '../core/run-ledger.ts';
import type {
  AttemptRecord,
  FinishOutcome,
  PruneSelection,
  RecordOutcome,
  ResultStore,
  SkipRecord,
  StoredTrialDetails,
} from './result-store.ts';

/** What the suite needs of a store. */
export interface ResultStoreHarness {
  /** Another store over the same data as before. The suite closes it. */
  open(): Promise<ResultStore>;
  /** Called at the end. */
  dispose(): Promise<void>;
}

const COMPLETE: RunEnd = {
  state: 'Complete',
  reason: 'AllTrialsSucceeded',
  message: 'all 2 trials succeeded',
};
const CANCELLED: RunEnd = {
  state: 'Cancelled',
  reason: 'CancelRequested',
  message: 'cancelled with 0 of 2 trials done',
};

/** Registers the contract tests of one result store. */
export function describeResultStore(name: string, start: () => Promise<ResultStoreHarness>): void {
  describe(name, () => {
    let harness: ResultStoreHarness;
    let store: ResultStore;
    /** A second process. */
    let other: ResultStore;

    beforeAll(async () => {
      harness = await start();
      store = await harness.open();
      other = await harness.open();
    });

    afterAll(async () => {
      await store?.close();
      await other?.close();
      await harness?.dispose();
    });

    const trialsOf = async ({ uid }: RunDefinition): Promise<readonly StoredTrialDetails[]> =>
      (await store.loadRun(uid))?.trialDetails ?? [];

    it('tells what a run was begun as, whatever is said of it when it goes on', async () => {
      const run = aRun({ uid: randomUUID(), variants: 2 });
      expect((await store.openRun(run)).begun).toBeUndefined();
      const later = aRun({ uid: run.uid, variants: 3, spec: { parallelism: 7 } });
      expect((await other.openRun(later)).begun).toMatchObject({
        manifest: JSON.parse(JSON.stringify(run.manifest)),
        variants: run.variants,
      });
    });

    describe('reuse of results', () => {
      const REUSE = { reusePolicy: 'Succeeded' } as const;
      /** A run of its own workflow, of which the first of two variants has succeeded. */
      const aPrecedingRun = async (options: RunOptions = {}): Promise<RunDefinition> => {
        const run = aRun({ uid: randomUUID(), variants: 2, spec: { workflowId: randomUUID() }, ...options });
        const { fence } = await store.openRun(run);
        await store.recordAttempt(aRecord(run, fence, { trial: 0 }));
        await store.recordAttempt(
          aRecord(run, fence, { trial: 1, outcome: 'TestFailed', trialPhase: 'Failed' }),
        );
        return run;
      };
      const aFollowingRun = (before: RunDefinition, options: RunOptions = {}): RunDefinition =>
        aRun({
          uid: randomUUID(),
          variants: 2,
          ...options,
          spec: { workflowId: before.workflowId, ...REUSE, ...options.spec },
        });

      it('takes over the success of the same variant, with its metrics, and says from where', async () => {
        const before = await aPrecedingRun();
        const after = aFollowingRun(before);
        const { trials } = await store.openRun(after);
        expect(trials).toMatchObject([
          { phase: 'Succeeded', reusedFrom: before.uid, metrics: new Map([['p95_ms', 41.2]]) },
          { phase: 'Pending', recordedAttempts: 0, reusedFrom: undefined },
        ]);
        expect((await other.openRun(after)).trials).toEqual(trials);
        expect(await store.findRun(after.uid)).toMatchObject({
          trials: { succeeded: 1, reused: 1, pending: 1 },
        });
        const [reused] = await trialsOf(after);
        expect(reused).toMatchObject({
          reusedFrom: before.uid,
          attempts: [
            { outcome: 'Succeeded', reason: 'Reused', message: expect.stringContaining(before.uid) },
          ],
        });
      });

      it('does not take over what was itself taken over, so that every result is told of by the run that made it', async () => {
        const before = await aPrecedingRun();
        await store.openRun(aFollowingRun(before));
        const { trials } = await store.openRun(aFollowingRun(before));
        expect(trials[0]?.reusedFrom).toBe(before.uid);
      });

      it('takes over what was taken over once the run that made it is deleted, also from run to run', async () => {
        const before = await aPrecedingRun();
        const after = aFollowingRun(before);
        await store.openRun(after);
        await store.deleteRuns([before.uid]);
        const next = aFollowingRun(before);
        expect((await store.openRun(next)).trials).toMatchObject([
          { phase: 'Succeeded', reusedFrom: after.uid, metrics: new Map([['p95_ms', 41.2]]) },
          { phase: 'Pending' },
        ]);
        await store.deleteRuns([after.uid]);
        const { trials } = await store.openRun(aFollowingRun(before));
        expect(trials[0]?.reusedFrom).toBe(next.uid);
      });

      it('takes over nothing that is known not to be what was reported, but an earlier success of the same trial', async () => {
        const first = await aPrecedingRun();
        const changed = await aPrecedingRun({ variants: 2, spec: { workflowId: first.workflowId } });
        const variantId = changed.variants[0]?.id ?? '';
        const note = (state: 'Verified' | 'Mismatch') =>
          store.verification.noteResults([
            { runUid: changed.uid, variantId, repetition: 0, attempt: 1, state },
          ]);
        await note('Mismatch');
        const after = aFollowingRun(first);
        expect((await store.openRun(after)).trials[0]?.reusedFrom).toBe(first.uid);
        await store.deleteRuns([first.uid, after.uid]);
        expect((await store.openRun(aFollowingRun(first))).trials[0]?.phase).toBe('Pending');
        await note('Verified');
        expect((await store.openRun(aFollowingRun(first))).trials[0]?.reusedFrom).toBe(changed.uid);
      });

      it.each<{ readonly what: string; readonly before?: RunOptions; readonly after?: RunOptions }>([
        { what: 'unless it is asked for', after: { spec: { reusePolicy: 'Never' } } },
        { what: 'from another workflow', after: { spec: { workflowId: 'another' } } },
        { what: 'from another namespace', before: { namespace: 'theirs' }, after: { namespace: 'ours' } },
        { what: 'of another image', after: { template: aTemplate('example.com/bench:2') } },
        {
          what: 'without a metric that the objective asks for',
          after: { metrics: [{ name: 'other', goal: 'minimize' }] },
        },
      ])('takes over nothing $what', async ({ before: first = {}, after: second = {} }) => {
        const before = await aPrecedingRun(first);
        const { trials } = await store.openRun(aFollowingRun(before, second));
        expect(trials.map(({ phase }) => phase)).toEqual(['Pending', 'Pending']);
      });

      it.each<{
        readonly what: string;
        readonly change: Partial<RunDefinition> | { readonly command: string };
      }>([
        { what: 'of another command', change: { command: 'other' } },
        { what: 'of another folder', change: { directory: '/elsewhere' } },
      ])('takes over nothing $what locally', async ({ change }) => {
        const locally = (run: RunDefinition): RunDefinition => ({
          ...run,
          engine: 'local',
          directory: '/here',
        });
        const spec = { workflowId: randomUUID(), local: { command: ['bench'] } };
        const before = locally(aRun({ uid: randomUUID(), spec }));
        const { fence } = await store.openRun(before);
        await store.recordAttempt(aRecord(before, fence, {}));
        const same = locally(aRun({ uid: randomUUID(), spec: { ...spec, ...REUSE } }));
        expect((await store.openRun(same)).trials[0]?.phase).toBe('Succeeded');
        const changed =
          'command' in change
            ? locally(
                aRun({
                  uid: randomUUID(),
                  spec: { ...spec, ...REUSE, local: { command: [change.command] } },
                }),
              )
            : { ...locally(aRun({ uid: randomUUID(), spec: { ...spec, ...REUSE } })), ...change };
        expect((await store.openRun(changed)).trials[0]?.phase).toBe('Pending');
      });
    });

    describe('reuse of results of local runs with shared data', () => {
      const spec = {
        reusePolicy: 'Succeeded',
        sharedData: [{ name: 'corpus', mountPath: '/data', configMap: { name: 'c' }, local: 'corpus' }],
      } satisfies RunOptions['spec'];
      const aRunWithData = (workflowId: string, engine: EngineName): RunDefinition => ({
        ...aRun({ uid: randomUUID(), variants: 1, spec: { ...spec, workflowId } }),
        engine,
        directory: engine === 'local' ? '/here' : undefined,
      });

      it.each<{
        readonly takes: 'takes over' | 'leaves';
        readonly what: string;
        readonly engine: EngineName;
        readonly end?: RunEnd;
      }>([
        { takes: 'leaves', what: 'is not over', engine: 'local' },
        { takes: 'leaves', what: 'was cancelled', engine: 'local', end: CANCELLED },
        { takes: 'takes over', what: 'is complete', engine: 'local', end: COMPLETE },
        {
          takes: 'takes over',
          what: 'failed',
          engine: 'local',
          end: { ...COMPLETE, state: 'Failed', reason: 'VariantsFailed' },
        },
        // Nobody verifies the data of a cluster.
        { takes: 'takes over', what: 'is not over', engine: 'kubernetes' },
        { takes: 'takes over', what: 'was cancelled', engine: 'kubernetes', end: CANCELLED },
      ])('$takes what a run has measured that $what ($engine)', async ({ engine, end, takes }) => {
        const workflowId = randomUUID();
        const before = aRunWithData(workflowId, engine);
        const { fence } = await store.openRun(before);
        await store.recordAttempt(aRecord(before, fence, {}));
        if (end !== undefined) await store.finishRun(before.uid, fence, end);
        const { trials } = await store.openRun(aRunWithData(workflowId, engine));
        expect(trials[0]?.phase).toBe(takes === 'takes over' ? 'Succeeded' : 'Pending');
      });
    });

    describe('trials that need not be run', () => {
      const aStoppableRun = () =>
        aRun({
          uid: randomUUID(),
          variants: 2,
          repetitions: 3,
          spec: { comparison: { earlyStopping: { minRepetitions: 2 } } },
        });
      /** The last repetition of the second variant, which is stopped at the first look. */
      const stopOf = (run: RunDefinition, fence: number): SkipRecord => ({
        runUid: run.uid,
        fence,
        trials: [{ variantId: run.variants[1]?.id ?? '', repetition: 2 }],
        stoppedVariantIds: [run.variants[1]?.id ?? ''],
        look: 1,
      });

      it('are marked with the variants that are stopped, once, and stay so at the end of the run', async () => {
        const run = aStoppableRun();
        const { fence, stoppedVariants } = await store.openRun(run);
        expect(stoppedVariants).toEqual(new Map());
        expect(await store.skipTrials(stopOf(run, fence))).toEqual({ kind: 'Skipped' });
        expect(await store.skipTrials({ ...stopOf(run, fence), look: 2 })).toEqual({ kind: 'Skipped' });
        const opened = await other.openRun(run);
        expect(opened.stoppedVariants).toEqual(new Map([[run.variants[1]?.id, 1]]));
        expect(opened.trials.map(({ phase }) => phase)).toEqual([
          ...Array.from({ length: 5 }, () => 'Pending'),
          'Skipped',
        ]);
        await other.finishRun(run.uid, opened.fence, CANCELLED);
        expect(await store.loadRun(run.uid)).toMatchObject({
          trials: { pending: 0, cancelled: 5, skipped: 1 },
          variants: [{ stoppedAtLook: undefined }, { stoppedAtLook: 1 }],
        });
      });

      it('take no result any more', async () => {
        const run = aStoppableRun();
        const { fence } = await store.openRun(run);
        await store.skipTrials(stopOf(run, fence));
        expect(await store.recordAttempt(aRecord(run, fence, { trial: 5 }))).toMatchObject({
          kind: 'Refused',
        });
        expect(await store.recordAttempt(aRecord(run, fence, { trial: 3 }))).toEqual({ kind: 'Recorded' });
      });

      it('are not those that have ended, and nothing is marked then', async () => {
        const run = aStoppableRun();
        const { fence } = await store.openRun(run);
        await store.recordAttempt(aRecord(run, fence, { trial: 5 }));
        const trials = run.trials.map(({ variant, repetition }) => ({ variantId: variant.id, repetition }));
        expect(await store.skipTrials({ ...stopOf(run, fence), trials })).toMatchObject({ kind: 'Refused' });
        expect(await store.loadRun(run.uid)).toMatchObject({
          trials: { pending: 5, succeeded: 1, skipped: 0 },
          variants: [{ stoppedAtLook: undefined }, { stoppedAtLook: undefined }],
        });
      });

      it('cannot be marked by a former writer, or after the end of the run', async () => {
        const run = aStoppableRun();
        const { fence } = await store.openRun(run);
        const opened = await other.openRun(run);
        expect(await store.skipTrials(stopOf(run, fence))).toEqual({ kind: 'Fenced' });
        await other.finishRun(run.uid, opened.fence, CANCELLED);
        expect(await other.skipTrials(stopOf(run, opened.fence))).toMatchObject({ kind: 'Refused' });
      });
    });

    describe('the previous run', () => {
      const GATES = {
        gates: [{ metric: 'p95_ms', against: 'PreviousRun' as const, maxRegressionPercent: 5 }],
      };
      const aRunOf = (workflowId: string, options: RunOptions = {}): RunDefinition =>
        aRun({
          uid: randomUUID(),
          repetitions: 2,
          ...options,
          spec: { workflowId, comparison: GATES, ...options.spec },
        });
      /** Runs all trials; their values are 1, 2, 3, … from `first` on, in the order of the trials. */
      const ended = async (
        run: RunDefinition,
        {
          first = 1,
          end = COMPLETE,
          gate,
        }: { first?: number; end?: RunEnd; gate?: 'Passed' | 'Failed' } = {},
      ): Promise<RunDefinition> => {
        const { fence } = await store.openRun(run);
        for (const trial of run.trials.keys())
          await store.recordAttempt(
            aRecord(run, fence, { trial, result: aResult({ metrics: { p95_ms: first + trial, other: 0 } }) }),
          );
        await store.finishRun(run.uid, fence, end, gate);
        return run;
      };
      const previousOf = async (run: RunDefinition) => (await store.openRun(run)).previousRun;
      const everythingOf = (workflowId: string, keep = 0): PruneSelection => ({
        endedBefore: new Date(Date.now() + 60_000),
        workflowId,
        keep,
        dryRun: false,
      });

      it('is the newest complete one of the workflow, with what it measured of the same variants', async () => {
        const workflow = randomUUID();
        await ended(aRunOf(workflow));
        const before = await ended(aRunOf(workflow), { first: 11 });
        await ended(aRunOf(workflow), { end: CANCELLED });
        await store.openRun(aRunOf(workflow));
        const after = aRunOf(workflow, { template: aTemplate('example.com/bench:2') });
        const previous = await previousOf(after);
        expect(previous).toEqual({
          uid: before.uid,
          startedAt: (await store.loadRun(before.uid))?.startedAt,
          samples: new Map([
            ['a', new Map([['p95_ms', { values: [11, 13], repetitions: [0, 1] }]])],
            ['b', new Map([['p95_ms', { values: [12, 14], repetitions: [0, 1] }]])],
          ]),
        });
        expect((await store.loadRun(after.uid))?.previousRun).toEqual(previous);
      });

      it('is known by the parameters of variants, not by their names', async () => {
        const workflow = randomUUID();
        const variants = (...named: readonly (readonly [string, string])[]) =>
          named.map(([name, X]) => ({ name, parameters: { X } }));
        await ended(aRunOf(workflow, { repetitions: 1, variants: variants(['one', '1'], ['two', '2']) }));
        const after = aRunOf(workflow, { variants: variants(['renamed', '1'], ['two', '3']) });
        expect((await previousOf(after))?.samples).toEqual(
          new Map([['renamed', new Map([['p95_ms', { values: [1], repetitions: [0] }]])]]),
        );
      });

      it('is not one that failed its gates, so that a regression does not become the measure', async () => {
        const workflow = randomUUID();
        const good = await ended(aRunOf(workflow), { gate: 'Passed' });
        await ended(aRunOf(workflow), { gate: 'Failed' });
        expect((await previousOf(aRunOf(workflow)))?.uid).toBe(good.uid);
      });

      it('is chosen once, and its values outlive it', async () => {
        const workflow = randomUUID();
        const before = await ended(aRunOf(workflow));
        const run = aRunOf(workflow);
        const chosen = await previousOf(run);
        expect(chosen?.uid).toBe(before.uid);
        await ended(aRunOf(workflow));
        await store.pruneRuns(everythingOf(workflow));
        expect(await store.loadRun(before.uid)).toBeUndefined();
        expect((await other.openRun(run)).previousRun).toEqual(chosen);
        expect((await other.loadRun(run.uid))?.previousRun).toEqual(chosen);
      });

      it.each([0, 1])(
        'stays when all ended runs are pruned but the newest %i, however many were cancelled since',
        async (keep) => {
          const workflow = randomUUID();
          const first = await ended(aRunOf(workflow));
          const before = await ended(aRunOf(workflow), { gate: 'Passed' });
          await ended(aRunOf(workflow), { gate: 'Failed' });
          const cancelled = await ended(aRunOf(workflow), { end: CANCELLED });
          const pruned = (await store.pruneRuns(everythingOf(workflow, keep))).map(({ uid }) => uid);
          expect(pruned).toContain(first.uid);
          expect(pruned.includes(cancelled.uid)).toBe(keep === 0);
          expect((await previousOf(aRunOf(workflow)))?.uid).toBe(before.uid);
        },
      );

      it('stays though it has no such gate, as the one by which a regression was accepted has none', async () => {
        const workflow = randomUUID();
        const comparing = await ended(aRunOf(workflow), { gate: 'Failed' });
        const accepted = await ended(aRunOf(workflow, { spec: { comparison: {} } }));
        for (const time of ['once', 'and again'])
          expect(await store.pruneRuns(everythingOf(workflow)), time).toEqual([]);
        const next = await ended(aRunOf(workflow), { gate: 'Passed' });
        expect((await store.loadRun(next.uid))?.previousRun?.uid).toBe(accepted.uid);
        expect((await store.pruneRuns(everythingOf(workflow))).map(({ uid }) => uid)).toEqual([
          comparing.uid,
          accepted.uid,
        ]);
      });

      it('that was not there at first is not found later', async () => {
        const workflow = randomUUID();
        const run = aRunOf(workflow);
        expect(await previousOf(run)).toBeUndefined();
        await ended(aRunOf(workflow));
        expect(await previousOf(run)).toBeUndefined();
      });

      it.each<{ readonly what: string; readonly before?: RunOptions; readonly after?: RunOptions }>([
        { what: 'of another workflow', before: { spec: { workflowId: randomUUID() } } },
        { what: 'of another namespace', before: { namespace: 'theirs' }, after: { namespace: 'ours' } },
        { what: 'when no gate asks for one', after: { spec: { comparison: {} } } },
      ])('is none $what', async ({ before = {}, after = {} }) => {
        const workflow = randomUUID();
        await ended(aRunOf(workflow, before));
        expect(await previousOf(aRunOf(workflow, after))).toBeUndefined();
      });

      it('is none of another engine', async () => {
        const workflow = randomUUID();
        await ended(aRunOf(workflow));
        expect(await previousOf({ ...aRunOf(workflow), engine: 'local' })).toBeUndefined();
      });
    });

    describe('holding a run', () => {
      it('keeps other processes from it, and shows a local run that nobody holds as interrupted', async () => {
        const run = { ...aRun({ uid: randomUUID() }), engine: 'local', directory: '/here' } as const;
        const hold = await store.holdRun(run.uid);
        expect(hold).toBeDefined();
        const { fence } = await store.openRun(run);
        expect(await other.holdRun(run.uid)).toBeUndefined();
        expect(await other.findRun(run.uid)).toMatchObject({ state: 'Running', isInterrupted: false });
        await hold?.release();
        await expect
          .poll(async () => (await other.findRun(run.uid))?.isInterrupted, { timeout: 10_000 })
          .toBe(true);
        const second = await other.holdRun(run.uid);
        expect(second).toBeDefined();
        await second?.release();
        await store.finishRun(run.uid, fence, CANCELLED);
        expect(await other.findRun(run.uid)).toMatchObject({ state: 'Cancelled', isInterrupted: false });
      });

      it('says nothing of the runs of a cluster, which no process holds', async () => {
        const run = aRun({ uid: randomUUID() });
        await store.openRun(run);
        expect(await store.findRun(run.uid)).toMatchObject({ state: 'Running', isInterrupted: false });
      });
    });

    describe('cancellation from another process', () => {
      it('is told to whoever asks, until the run is over', async () => {
        const run = aRun({ uid: randomUUID() });
        const { fence } = await store.openRun(run);
        expect(await store.isCancelRequested(run.uid)).toBe(false);
        expect(await other.requestCancel(run.uid)).toBe('Requested');
        expect(await store.isCancelRequested(run.uid)).toBe(true);
        await store.finishRun(run.uid, fence, CANCELLED);
        expect(await other.requestCancel(run.uid)).toBe('AlreadyFinished');
        expect(await other.requestCancel(randomUUID())).toBe('NoSuchRun');
        expect(await store.isCancelRequested(randomUUID())).toBe(false);
      });
    });

    describe('pruning', () => {
      /** An ended run of the workflow; they end one after the other. */
      const anEndedRun = async (
        workflowId: string,
        options: RunOptions = {},
        engine: EngineName = 'kubernetes',
      ): Promise<string> => {
        const run = { ...aRun({ uid: randomUUID(), ...options, spec: { workflowId } }), engine };
        const { fence } = await store.openRun(run);
        await store.recordAttempt(aRecord(run, fence, {}));
        await store.finishRun(run.uid, fence, COMPLETE);
        return run.uid;
      };
      const soon = () => new Date(Date.now() + 60_000);

      it('deletes ended runs with everything of them, but the newest that are to be kept and what runs', async () => {
        const workflowId = randomUUID();
        const [first, second, third] = [
          await anEndedRun(workflowId),
          await anEndedRun(workflowId),
          await anEndedRun(workflowId),
        ];
        const running = aRun({ uid: randomUUID(), spec: { workflowId } });
        const { fence } = await store.openRun(running);
        const selection = { endedBefore: soon(), workflowId, keep: 1, dryRun: true };
        expect((await store.pruneRuns(selection)).map(({ uid }) => uid)).toEqual([first, second]);
        expect(await store.loadRun(first)).toBeDefined();
        expect(await store.pruneRuns({ ...selection, dryRun: false })).toMatchObject([
          { uid: first, name: running.name, engine: running.engine, finishedAt: expect.any(Date) },
          { uid: second },
        ]);
        expect(await store.loadRun(first)).toBeUndefined();
        expect(await store.loadRun(second)).toBeUndefined();
        expect(await store.loadRun(third)).toMatchObject({ state: 'Complete' });
        expect((await store.recordAttempt(aRecord(running, fence, {}))).kind).toBe('Recorded');
        expect(await store.pruneRuns({ ...selection, dryRun: false })).toEqual([]);
      });

      it('leaves alone what ended later than the time, and other workflows', async () => {
        const [mine, other] = [randomUUID(), randomUUID()];
        const [uid, stranger] = [await anEndedRun(mine), await anEndedRun(other)];
        const selection = { workflowId: mine, keep: 0, dryRun: false };
        expect(await store.pruneRuns({ ...selection, endedBefore: new Date(Date.now() - 60_000) })).toEqual(
          [],
        );
        expect(await store.pruneRuns({ ...selection, endedBefore: soon() })).toMatchObject([{ uid }]);
        expect(await store.loadRun(stranger)).toBeDefined();
      });

      it('takes every time that there is, also one before the first database', async () => {
        const workflowId = randomUUID();
        const uid = await anEndedRun(workflowId);
        const selection = { workflowId, keep: 0, dryRun: true };
        const [earliest, latest] = [new Date(-8.64e15), new Date(8.64e15)];
        const longAgo = new Date(Date.now() - 999_999 * 86_400_000);
        for (const endedBefore of [earliest, longAgo])
          expect(await store.pruneRuns({ ...selection, endedBefore })).toEqual([]);
        expect(await store.pruneRuns({ ...selection, endedBefore: latest })).toMatchObject([{ uid }]);
      });

      it('deletes those that are named, one by one, and gives those that were there', async () => {
        const [uid, other] = [await anEndedRun(randomUUID()), await anEndedRun(randomUUID())];
        expect(await store.deleteRuns([])).toEqual([]);
        expect(await store.deleteRuns([uid, randomUUID()])).toEqual([uid]);
        expect(await store.loadRun(uid)).toBeUndefined();
        expect(await store.loadRun(other)).toBeDefined();
      });

      it('keeps the newest of each namespace and engine, and looks at some of them only when asked to', async () => {
        const workflowId = randomUUID();
        const [here, there, local] = [
          await anEndedRun(workflowId, { namespace: 'here' }),
          await anEndedRun(workflowId, { namespace: 'there' }),
          await anEndedRun(workflowId, { namespace: 'here' }, 'local'),
        ];
        const selection = { endedBefore: soon(), workflowId, keep: 1, dryRun: false };
        expect(await store.pruneRuns(selection)).toEqual([]);
        const pruned = async (some: Pick<PruneSelection, 'engine' | 'namespaces'>) =>
          (await store.pruneRuns({ ...selection, keep: 0, ...some })).map(({ uid }) => uid);
        expect(await pruned({ engine: 'kubernetes', namespaces: ['elsewhere'] })).toEqual([]);
        expect(await pruned({ engine: 'kubernetes', namespaces: ['elsewhere', 'here'] })).toEqual([here]);
        expect(await pruned({ namespaces: ['here'] })).toEqual([local]);
        expect(await pruned({ namespaces: 'All' })).toEqual([there]);
      });

      /** An ended local run of these variants, which takes over what there is and makes an artifact in each other trial. */
      const aRunWithArtifacts = async (
        workflowId: string,
        variants: readonly string[],
        artifactUri: string,
      ): Promise<string> => {
        const spec = { workflowId, reusePolicy: 'Succeeded' } as const;
        const named = variants.map((name) => ({ name, parameters: { NAME: name } }));
        const run: RunDefinition = {
          ...aRun({ uid: randomUUID(), variants: named, spec }),
          engine: 'local',
          directory: '/here',
        };
        const { fence, trials } = await store.openRun(run);
        const result = aResult({ metrics: { p95_ms: 1 }, artifacts: [{ name: 'model', uri: artifactUri }] });
        for (const [trial, { phase }] of trials.entries())
          if (phase === 'Pending') await store.recordAttempt(aRecord(run, fence, { trial, result }));
        await store.finishRun(run.uid, fence, COMPLETE);
        return run.uid;
      };

      it('keeps a local run for as long as one that is kept has taken over its artifacts, also through others', async () => {
        const workflowId = randomUUID();
        const uri = 'file:///data/runs/any/artifacts/any/model';
        const first = await aRunWithArtifacts(workflowId, ['a'], uri);
        const second = await aRunWithArtifacts(workflowId, ['a', 'b'], uri);
        const unused = await aRunWithArtifacts(workflowId, ['c'], uri);
        const third = await aRunWithArtifacts(workflowId, ['b'], uri);
        expect((await store.loadRun(third))?.trialDetails[0]?.reusedFrom).toBe(second);
        const selection = { endedBefore: soon(), workflowId, keep: 1, dryRun: false };
        expect((await store.pruneRuns(selection)).map(({ uid }) => uid)).toEqual([unused]);
        const all = await store.pruneRuns({ ...selection, keep: 0 });
        expect(all.map(({ uid }) => uid)).toEqual([first, second, third]);
      });

      it('keeps no run for artifacts that pruning leaves alone', async () => {
        const workflowId = randomUUID();
        const first = await aRunWithArtifacts(workflowId, ['a'], 's3://bucket/model');
        const second = await aRunWithArtifacts(workflowId, ['a'], 's3://bucket/model');
        expect((await store.loadRun(second))?.trials.reused).toBe(1);
        const selection = { endedBefore: soon(), workflowId, keep: 1, dryRun: false };
        expect((await store.pruneRuns(selection)).map(({ uid }) => uid)).toEqual([first]);
      });
    });

    describe('openRun', () => {
      it('registers a run whose trials are all pending, in their order', async () => {
        const run = aRun({ uid: randomUUID(), variants: 3, repetitions: 2 });
        const { trials, end, registeredMsAgo } = await store.openRun(run);
        expect(end).toBeUndefined();
        expect(registeredMsAgo).toBeGreaterThanOrEqual(0);
        expect(registeredMsAgo).toBeLessThan(60_000);
        expect(trials).toEqual(
          run.trials.map(({ variant, repetition }) => ({
            variantId: variant.id,
            repetition,
            phase: 'Pending',
            recordedAttempts: 0,
            countedAttempts: 0,
            failsVariant: false,
            reusedFrom: undefined,
            lastOutcome: undefined,
            metrics: new Map(),
          })),
        );
      });

      it('takes a registered run over with a higher fence and everything that is stored of it', async () => {
        const run = aRun({ uid: randomUUID(), variants: 2 });
        const first = await store.openRun(run);
        await sleep(50);
        await store.recordAttempt(
          aRecord(run, first.fence, {
            trial: 1,
            result: aResult({ metrics: { p95_ms: 41.5, of_no_use: 3 } }),
          }),
        );
        await store.recordAttempt(
          aRecord(run, first.fence, { trial: 0, outcome: 'Infrastructure', trialPhase: 'Pending' }),
        );

        const second = await other.openRun(run);
        expect(second.fence).toBeGreaterThan(first.fence);
        expect(second.registeredMsAgo).toBeGreaterThanOrEqual(first.registeredMsAgo + 50);
        expect(second.end).toBeUndefined();
        expect(second.trials).toEqual([
          {
            variantId: run.variants[0]?.id,
            repetition: 0,
            phase: 'Pending',
            recordedAttempts: 1,
            countedAttempts: 1,
            failsVariant: false,
            reusedFrom: undefined,
            lastOutcome: 'Infrastructure',
            metrics: new Map(),
          },
          {
            variantId: run.variants[1]?.id,
            repetition: 0,
            phase: 'Succeeded',
            recordedAttempts: 1,
            countedAttempts: 1,
            failsVariant: false,
            reusedFrom: undefined,
            lastOutcome: 'Succeeded',
            metrics: new Map([['p95_ms', 41.5]]),
          },
        ]);
        const measured = async (load: 'loadRun' | 'loadRunToConclude') =>
          (await store[load](run.uid))?.trialDetails[1]?.metrics;
        expect(await measured('loadRunToConclude')).toEqual(new Map([['p95_ms', 41.5]]));
        expect(await measured('loadRun')).toEqual(
          new Map([
            ['of_no_use', 3],
            ['p95_ms', 41.5],
          ]),
        );
      });

      it('tells why a run is over', async () => {
        const run = aRun({ uid: randomUUID() });
        const { fence } = await store.openRun(run);
        await store.finishRun(run.uid, fence, CANCELLED);
        expect((await store.openRun(run)).end).toEqual(CANCELLED);
      });

      it('gives each of many openers at the same time a fence of its own, and registers one run', async () => {
        const run = aRun({ uid: randomUUID(), variants: 5 });
        const opened = await Promise.all(
          Array.from({ length: 10 }, (_, index) => (index % 2 ? store : other).openRun(run)),
        );
        expect(new Set(opened.map(({ fence }) => fence)).size).toBe(10);
        expect(await trialsOf(run)).toHaveLength(5);
      });

      it('keeps runs apart that differ in nothing but their UID', async () => {
        const [one, two] = [aRun({ uid: randomUUID() }), aRun({ uid: randomUUID() })];
        const first = await store.openRun(one);
        const second = await store.openRun(two);
        await store.recordAttempt(aRecord(one, first.fence, { trial: 0 }));
        await store.finishRun(one.uid, first.fence, CANCELLED);

        expect((await trialsOf(two)).map(({ phase }) => phase)).toEqual(['Pending', 'Pending']);
        expect((await store.loadRun(two.uid))?.state).toBe('Running');
        expect(await store.recordAttempt(aRecord(two, second.fence, { trial: 0 }))).toEqual({
          kind: 'Recorded',
        });
      });
    });

    describe('recordAttempt', () => {
      it('stores an attempt once, and its first content stands', async () => {
        const run = aRun({ uid: randomUUID() });
        const { fence } = await store.openRun(run);
        const record = aRecord(run, fence, { trial: 0, result: aResult({ metrics: { p95_ms: 1 } }) });
        expect(await store.recordAttempt(record)).toEqual({ kind: 'Recorded' });

        const trial = {
          variantId: record.variantId,
          repetition: 0,
          phase: 'Succeeded',
          recordedAttempts: 1,
          countedAttempts: 1,
          failsVariant: false,
          reusedFrom: undefined,
          lastOutcome: 'Succeeded',
          metrics: new Map([['p95_ms', 1]]),
        };
        expect(await other.recordAttempt(record)).toEqual({ kind: 'AlreadyRecorded', trial });
        const changed = aRecord(run, fence, { trial: 0, outcome: 'TestFailed', trialPhase: 'Failed' });
        expect(await store.recordAttempt(changed)).toEqual({ kind: 'AlreadyRecorded', trial });

        const [stored] = await trialsOf(run);
        expect(stored?.phase).toBe('Succeeded');
        expect(stored?.attempts).toEqual([attemptOf(record)]);
      });

      it('stores one row when several processes record the same attempt at the same time', async () => {
        const run = aRun({ uid: randomUUID(), variants: 20 });
        const { fence } = await store.openRun(run);
        for (const trial of run.trials.keys()) {
          const record = aRecord(run, fence, { trial });
          const outcomes = await Promise.all([
            store.recordAttempt(record),
            other.recordAttempt(record),
            store.recordAttempt(record),
          ]);
          expect(outcomes.map(({ kind }) => kind).sort()).toEqual([
            'AlreadyRecorded',
            'AlreadyRecorded',
            'Recorded',
          ]);
        }
        expect((await trialsOf(run)).map(({ attempts }) => attempts.length)).toEqual(run.trials.map(() => 1));
      });

      it('accepts one result when several attempts of a trial succeed at the same time', async () => {
        const run = aRun({ uid: randomUUID(), variants: 10 });
        const { fence } = await store.openRun(run);
        for (const trial of run.trials.keys()) {
          const outcomes = await Promise.all(
            [1, 2, 3].map((attempt) =>
              (attempt % 2 ? store : other).recordAttempt(aRecord(run, fence, { trial, attempt })),
            ),
          );
          expect(outcomes.filter(({ kind }) => kind === 'Recorded')).toHaveLength(1);
          expect(outcomes.filter(({ kind }) => kind === 'Refused')).toHaveLength(2);
        }
      });

      it('keeps every attempt of a trial until one is accepted', async () => {
        const run = aRun({ uid: randomUUID(), variants: 1 });
        const { fence } = await store.openRun(run);
        const lost = aRecord(run, fence, { outcome: 'Infrastructure', trialPhase: 'Pending' });
        const accepted = aRecord(run, fence, {
          attempt: 2,
          result: aResult({ metrics: { p95_ms: 7 }, outputs: { seen: true } }),
        });
        expect(await store.recordAttempt(lost)).toEqual({ kind: 'Recorded' });
        expect(await store.recordAttempt(accepted)).toEqual({ kind: 'Recorded' });
        expect(await trialsOf(run)).toEqual([
          {
            variantId: run.variants[0]?.id,
            repetition: 0,
            phase: 'Succeeded',
            metrics: new Map([['p95_ms', 7]]),
            outputs: { seen: true },
            reusedFrom: undefined,
            attempts: [attemptOf(lost), attemptOf(accepted)],
          },
        ]);
      });

      it.each(['Succeeded', 'Failed'] as const)(
        'refuses a further attempt of a trial that is %s',
        async (trialPhase) => {
          const run = aRun({ uid: randomUUID() });
          const { fence } = await store.openRun(run);
          const outcome = trialPhase === 'Failed' ? 'TestFailed' : 'Succeeded';
          await store.recordAttempt(aRecord(run, fence, { outcome, trialPhase }));
          const answer = await store.recordAttempt(aRecord(run, fence, { attempt: 2 }));
          expect(answer.kind).toBe('Refused');
          const [trial] = await trialsOf(run);
          expect(trial?.phase).toBe(trialPhase);
          expect(trial?.attempts).toHaveLength(1);
        },
      );

      it('gives back what a retry depends on: which attempts count, and whether a variant is given up', async () => {
        const run = aRun({ uid: randomUUID(), variants: 2 });
        const { fence } = await store.openRun(run);
        const lost = { outcome: 'Infrastructure', trialPhase: 'Pending' } as const;
        await store.recordAttempt(aRecord(run, fence, { ...lost, attempt: 1, counts: true }));
        await store.recordAttempt(aRecord(run, fence, { ...lost, attempt: 2, counts: false }));
        await store.recordAttempt(
          aRecord(run, fence, { trial: 1, outcome: 'TestFailed', trialPhase: 'Failed', failsVariant: true }),
        );
        const { trials } = await other.openRun(run);
        expect(trials).toMatchObject([
          { phase: 'Pending', recordedAttempts: 2, countedAttempts: 1, failsVariant: false },
          { phase: 'Failed', recordedAttempts: 1, countedAttempts: 1, failsVariant: true },
        ]);
      });

      it('refuses an attempt that is older than one that is stored', async () => {
        const run = aRun({ uid: randomUUID() });
        const { fence } = await store.openRun(run);
        const later = { outcome: 'Infrastructure', trialPhase: 'Pending', attempt: 2 } as const;
        await store.recordAttempt(aRecord(run, fence, later));
        expect((await store.recordAttempt(aRecord(run, fence, { attempt: 1 }))).kind).toBe('Refused');
      });

      it('refuses a trial and a run that it does not have', async () => {
        const run = aRun({ uid: randomUUID() });
        const { fence } = await store.openRun(run);
        const record = aRecord(run, fence, {});
        expect((await store.recordAttempt({ ...record, variantId: 'none' })).kind).toBe('Refused');
        expect((await store.recordAttempt({ ...record, repetition: 1 })).kind).toBe('Refused');
        expect((await store.recordAttempt({ ...record, runUid: randomUUID() })).kind).toBe('Refused');
      });

      it('refuses a result after the end of the run, but knows the results from before it', async () => {
        const run = aRun({ uid: randomUUID() });
        const { fence } = await store.openRun(run);
        const before = aRecord(run, fence, { trial: 0 });
        await store.recordAttempt(before);
        await store.finishRun(run.uid, fence, CANCELLED);
        expect((await store.recordAttempt(before)).kind).toBe('AlreadyRecorded');
        expect((await store.recordAttempt(aRecord(run, fence, { trial: 1 }))).kind).toBe('Refused');
      });
    });

    describe('the fence', () => {
      it('keeps out a writer whose run was opened by another one since', async () => {
        const run = aRun({ uid: randomUUID() });
        const former = await store.openRun(run);
        const stored = aRecord(run, former.fence, { trial: 0 });
        await store.recordAttempt(stored);
        const current = await other.openRun(run);

        expect(await store.recordAttempt(aRecord(run, former.fence, { trial: 1 }))).toEqual({
          kind: 'Fenced',
        });
        expect(await store.recordAttempt(stored)).toEqual({ kind: 'Fenced' });
        expect(await store.finishRun(run.uid, former.fence, COMPLETE)).toBe('Fenced');
        expect((await store.loadRun(run.uid))?.state).toBe('Running');
        expect(await other.recordAttempt(aRecord(run, current.fence, { trial: 1 }))).toEqual({
          kind: 'Recorded',
        });
      });

      it('lets nothing of a former writer in after openRun has returned, however busy that writer is', async () => {
        const run = aRun({ uid: randomUUID(), variants: 300 });
        const { fence } = await store.openRun(run);
        const outcomes: RecordOutcome['kind'][] = [];
        let next = 0;
        const writer = async (): Promise<void> => {
          while (next < run.trials.length) {
            const trial = next;
            next += 1;
            outcomes.push((await store.recordAttempt(aRecord(run, fence, { trial }))).kind);
          }
        };
        const writers = Array.from({ length: 12 }, writer);
        while (outcomes.length < 40) await store.ping();
        const takenOver = await other.openRun(run);
        await Promise.all(writers);

        const recorded = outcomes.filter((kind) => kind === 'Recorded').length;
        expect(outcomes.filter((kind) => kind === 'Fenced')).toHaveLength(run.trials.length - recorded);
        const succeeded = (trials: readonly { readonly phase: string }[]): number =>
          trials.filter(({ phase }) => phase === 'Succeeded').length;
        expect(succeeded(takenOver.trials)).toBe(recorded);
        expect(succeeded(await trialsOf(run))).toBe(recorded);
      });
    });

    describe('finishRun', () => {
      it('ends the run, and cancels the trials that are still pending', async () => {
        const run = aRun({ uid: randomUUID(), variants: 3 });
        const { fence } = await store.openRun(run);
        await store.recordAttempt(aRecord(run, fence, { trial: 0 }));
        await store.recordAttempt(
          aRecord(run, fence, { trial: 1, outcome: 'Infrastructure', trialPhase: 'Pending' }),
        );
        expect(await store.finishRun(run.uid, fence, CANCELLED)).toBe('Finished');

        const stored = await store.loadRun(run.uid);
        expect(stored).toMatchObject({
          ...CANCELLED,
          trials: { total: 3, pending: 0, succeeded: 1, failed: 0, cancelled: 2 },
        });
        expect(stored?.finishedAt?.getTime()).toBeGreaterThanOrEqual(stored?.startedAt.getTime() ?? 0);
        expect(stored?.trialDetails.map(({ phase }) => phase)).toEqual([
          'Succeeded',
          'Cancelled',
          'Cancelled',
        ]);
      });

      it('stores no end of a run that has more pending trials than its writer knows of, as when it was set back', async () => {
        const run = aRun({ uid: randomUUID(), variants: 3 });
        const { fence } = await store.openRun(run);
        await store.recordAttempt(aRecord(run, fence, { trial: 0 }));
        expect(await store.finishRun(run.uid, fence, COMPLETE, undefined, 1)).toBe('TrialsUnfinished');
        expect(await store.loadRun(run.uid)).toMatchObject({
          state: 'Running',
          trials: { pending: 2, cancelled: 0 },
        });
        expect(await store.finishRun(run.uid, fence, COMPLETE, undefined, 2)).toBe('Finished');
        // What its end has made of them counts for nothing when it is asked for once more.
        expect(await store.finishRun(run.uid, fence, COMPLETE, undefined, 0)).toBe('AlreadyFinished');
      });

      it('ends a run once: the first end stands', async () => {
        const run = aRun({ uid: randomUUID() });
        const { fence } = await store.openRun(run);
        expect(await store.finishRun(run.uid, fence, CANCELLED)).toBe('Finished');
        const finishedAt = (await store.loadRun(run.uid))?.finishedAt;
        expect(await other.finishRun(run.uid, fence, COMPLETE)).toBe('AlreadyFinished');
        expect(await store.loadRun(run.uid)).toMatchObject({ ...CANCELLED, finishedAt });
      });

      it('tells of a run that is not there', async () => {
        expect(await store.finishRun(randomUUID(), 1, CANCELLED)).toBe('NoSuchRun');
      });

      it('ends a run once when several processes end it at the same time', async () => {
        for (let round = 0; round < 10; round += 1) {
          const run = aRun({ uid: randomUUID() });
          const { fence } = await store.openRun(run);
          const ends = Array.from({ length: 8 }, (_, index) => ({ ...CANCELLED, message: `end ${index}` }));
          const answers = await Promise.all(
            ends.map((end, index) => (index % 2 ? store : other).finishRun(run.uid, fence, end)),
          );
          expect(answers.filter((answer) => answer === 'Finished')).toHaveLength(1);
          expect(answers.filter((answer) => answer === 'AlreadyFinished')).toHaveLength(7);
          expect(await store.loadRun(run.uid)).toMatchObject(ends[answers.indexOf('Finished')] ?? {});
        }
      });

      it('ends a run between results, never in the middle of one', async () => {
        const run = aRun({ uid: randomUUID(), variants: 100 });
        const { fence } = await store.openRun(run);
        const recording = run.trials.map((_, trial) => store.recordAttempt(aRecord(run, fence, { trial })));
        await recording[20];
        expect(await other.finishRun(run.uid, fence, CANCELLED)).toBe('Finished');
        const kinds = (await Promise.all(recording)).map(({ kind }) => kind);

        const trials = await trialsOf(run);
        expect(trials.map(({ phase }) => phase)).toEqual(
          kinds.map((kind) => (kind === 'Recorded' ? 'Succeeded' : 'Cancelled')),
        );
        expect(trials.map(({ attempts }) => attempts.length)).toEqual(
          kinds.map((kind) => (kind === 'Recorded' ? 1 : 0)),
        );
      });
    });

    describe('findRun and listRuns', () => {
      it('finds a run by its UID, by a prefix of it, and the newest one by its name', async () => {
        const name = `named-${randomUUID()}`;
        const [older, newer] = [aRun({ uid: randomUUID(), name }), aRun({ uid: randomUUID(), name })];
        await store.openRun(older);
        await store.openRun(newer);
        expect((await store.findRun(older.uid))?.uid).toBe(older.uid);
        expect((await store.findRun(older.uid.slice(0, 12)))?.uid).toBe(older.uid);
        expect((await store.findRun(name))?.uid).toBe(newer.uid);
        // Taking over an older run does not make it newer.
        await store.openRun(older);
        expect((await store.findRun(name))?.uid).toBe(newer.uid);
      });

      it('finds a run by its UID whatever newer ones are named', async () => {
        const run = aRun({ uid: randomUUID() });
        await store.openRun(run);
        const prefix = run.uid.slice(0, 8);
        for (const name of [run.uid, prefix]) await store.openRun(aRun({ uid: randomUUID(), name }));
        expect((await store.findRun(run.uid))?.uid).toBe(run.uid);
        expect((await store.findRun(prefix))?.uid).toBe(run.uid);
      });

      it('finds only runs of a namespace, when it is asked for one', async () => {
        const name = `named-${randomUUID()}`;
        const [ours, theirs] = ['team-a', 'team-b'].map((namespace) =>
          aRun({ uid: randomUUID(), name, namespace }),
        );
        if (ours === undefined || theirs === undefined) throw new Error('two runs');
        await store.openRun(ours);
        await store.openRun(theirs);
        expect((await store.findRun(name))?.uid).toBe(theirs.uid);
        expect((await store.findRun(name, { namespace: 'team-a' }))?.uid).toBe(ours.uid);
        expect(await store.findRun(theirs.uid, { namespace: 'team-a' })).toBeUndefined();
        expect(await store.findRun(name, { namespace: 'nowhere' })).toBeUndefined();
      });

      it('finds only runs of an engine, when it is asked for one', async () => {
        const name = `named-${randomUUID()}`;
        const local = { ...aRun({ uid: randomUUID(), name }), engine: 'local' } as const;
        const cluster = aRun({ uid: randomUUID(), name });
        await store.openRun(local);
        await store.openRun(cluster);
        expect((await store.findRun(name))?.uid).toBe(cluster.uid);
        expect((await store.findRun(name, { engine: 'local' }))?.uid).toBe(local.uid);
        expect((await store.findRun(name, { engine: 'kubernetes' }))?.uid).toBe(cluster.uid);
        expect(await store.findRun(cluster.uid, { engine: 'local' })).toBeUndefined();
      });

      it('finds nothing by a short prefix, a pattern, an empty text or one that cannot be stored', async () => {
        const uid = `zz${randomUUID()}`;
        await store.openRun(aRun({ uid }));
        expect((await store.findRun(uid.slice(0, 6)))?.uid).toBe(uid);
        for (const reference of [uid.slice(0, 5), 'zz____', 'zz%%%%%', '', `${uid.slice(0, 8)}\0`, `'; --`])
          expect(await store.findRun(reference), JSON.stringify(reference)).toBeUndefined();
      });

      it('lists the newest runs first, of all workflows or of one', async () => {
        const name = `workflow-${randomUUID()}`;
        const runs = Array.from({ length: 4 }, () => aRun({ uid: randomUUID(), name, namespace: 'team-a' }));
        for (const run of runs) await store.openRun(run);
        await store.openRun(aRun({ uid: randomUUID(), name: 'unrelated' }));
        const newestFirst = runs.map(({ uid }) => uid).reverse();

        const listed = await store.listRuns({ limit: 10, workflowId: name });
        expect(listed.map(({ uid }) => uid)).toEqual(newestFirst);
        expect(listed[0]).toEqual({
          uid: newestFirst[0],
          name,
          namespace: 'team-a',
          workflowId: name,
          engine: 'kubernetes',
          state: 'Running',
          isInterrupted: false,
          reason: undefined,
          message: undefined,
          startedAt: expect.any(Date),
          finishedAt: undefined,
          trials: { total: 2, pending: 2, succeeded: 0, failed: 0, cancelled: 0, skipped: 0, reused: 0 },
        });
        const two = await store.listRuns({ limit: 2, workflowId: name });
        expect(two.map(({ uid }) => uid)).toEqual(newestFirst.slice(0, 2));
        const all = await store.listRuns({ limit: 3 });
        expect(all.map(({ name: listedName }) => listedName)).toEqual(['unrelated', name, name]);
      });
    });

    describe('loadRun', () => {
      it('gives nothing for a run that is not there', async () => {
        expect(await store.loadRun(randomUUID())).toBeUndefined();
      });

      it('gives back the whole definition of the run', async () => {
        const run = aRun({
          uid: randomUUID(),
          namespace: 'team-a',
          repetitions: 2,
          variants: [
            { name: `O'Brien "the" \\ 🦀 %s $1`, parameters: { LINES: 'a\nb\tc', EMPTY: '' } },
            { name: `'); drop table runs; --`, parameters: { constructor: 'x', LONG: 'ü'.repeat(1_024) } },
          ],
        });
        await store.openRun(run);
        const stored = await store.loadRun(run.uid);
        expect(stored).toMatchObject({ uid: run.uid, namespace: 'team-a', state: 'Running', seed: run.seed });
        expect(stored?.manifest).toEqual(run.manifest);
        expect(stored?.variants).toEqual(run.variants);
        expect(stored?.trialDetails.map(({ variantId, repetition }) => [variantId, repetition])).toEqual(
          run.trials.map(({ variant, repetition }) => [variant.id, repetition]),
        );
      });

      it('gives back every number exactly', async () => {
        const metrics = {
          zero: 0,
          negative_zero: -0,
          smallest: 5e-324,
          smallest_normal: 2.2250738585072014e-308,
          large: 1e308,
          largest: Number.MAX_VALUE,
          most_negative: -Number.MAX_VALUE,
          beyond_integers: 2 ** 53 + 2,
          tenth: 0.1,
          third: 1 / 3,
          epsilon: 1 + Number.EPSILON,
        };
        const outputs = { nested: [1e308, 5e-324, 2 ** 60, 0.1, -1.5e-10] };
        const run = aRun({
          uid: randomUUID(),
          variants: 1,
          metrics: Object.keys(metrics).map((name) => ({ name, goal: 'minimize' })),
        });
        const { fence } = await store.openRun(run);
        await store.recordAttempt(aRecord(run, fence, { result: aResult({ metrics, outputs }) }));
        const [trial] = await trialsOf(run);
        expect(trial?.metrics).toEqual(new Map(Object.entries(metrics)));
        expect(trial?.outputs).toEqual(outputs);
        expect((await store.openRun(run)).trials[0]?.metrics).toEqual(new Map(Object.entries(metrics)));
      });

      it('gives back every text that a program can write', async () => {
        const hostile = `a'b"c\\d\\u0000\n\r\t\u0001\u007f\u2028 🦀 é e\u0301 ${'"}'} '); drop table runs; -- \${x} $1 %s {1,"2"}`;
        const outputs: Record<string, unknown> = JSON.parse(
          '{"__proto__": {"polluted": 1}, "constructor": [], "": null, "nested": {"a": [true, {"b": "c"}]}}',
        );
        outputs[hostile] = hostile;
        const record = {
          ...hostileRecord(hostile, outputs),
          logs: hostile,
        };
        const [trial] = await roundTrip(record);
        expect(trial?.attempts).toEqual([attemptOf(record)]);
        expect(Object.keys(trial?.outputs ?? {}).sort()).toEqual(Object.keys(outputs).sort());
        expect(JSON.parse(JSON.stringify(trial?.outputs))).toEqual(outputs);
        expect({}).not.toHaveProperty('polluted');
      });

      it('gives back U+FFFD for NUL and for half of a surrogate pair', async () => {
        const unstorable = 'a\0b\ud83dc\udc00\ud83d\ude00 \\u0000 \\\\ud800';
        const stored = 'a\ufffdb\ufffdc\ufffd\ud83d\ude00 \\u0000 \\\\ud800';
        const record = hostileRecord(unstorable, { [unstorable]: [unstorable] });
        const [trial] = await roundTrip({ ...record, logs: unstorable });
        expect(trial?.attempts[0]).toMatchObject({ message: stored, logs: stored });
        expect(trial?.outputs).toEqual({ [stored]: [stored] });
      });

      it('may cut a message after 8,000 characters, and says so with an ellipsis', async () => {
        const long = '🦀x'.repeat(100_000);
        const [trial] = await roundTrip(hostileRecord(long, {}));
        const message = trial?.attempts[0]?.message ?? '';
        expect(message.length).toBeGreaterThan(8_000);
        expect(message.endsWith('…') || message === long).toBe(true);
        expect(message.slice(0, 8_000)).toBe(long.slice(0, 8_000));
      });

      const hostileRecord = (message: string, outputs: Record<string, unknown>): AttemptRecord => {
        const record = aRecord(aRun({ uid: randomUUID(), variants: 1 }), 0, {
          result: aResult({ metrics: {}, outputs }),
        });
        return { ...record, judgement: { ...record.judgement, message } };
      };

      const roundTrip = async (record: AttemptRecord): Promise<readonly StoredTrialDetails[]> => {
        const run = aRun({ uid: record.runUid, variants: 1 });
        const { fence } = await store.openRun(run);
        expect(await store.recordAttempt({ ...record, fence })).toEqual({ kind: 'Recorded' });
        return trialsOf(run);
      };
    });

    it('answers a ping', async () => {
      await expect(store.ping()).resolves.toBeUndefined();
    });

    it('can be closed twice', async () => {
      const closing = await harness.open();
      await closing.close();
      await expect(closing.close()).resolves.toBeUndefined();
    });

    it('answers every sequence of calls as a list of rules does', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(aCall, { minLength: 1, maxLength: 30 }), async (calls) => {
          const run = aRun({ uid: randomUUID(), variants: 2 });
          const model = new RunModel();
          model.fence = (await store.openRun(run)).fence;
          for (const call of calls) {
            if (call.kind === 'Open') {
              model.fence = (await other.openRun(run)).fence;
              continue;
            }
            const fence = model.fence - (call.stale ? 1 : 0);
            if (call.kind === 'Finish') {
              expect(await store.finishRun(run.uid, fence, CANCELLED)).toBe(model.finish(call));
              continue;
            }
            const record = aRecord(run, fence, call);
            // The same attempt from two processes at once must come to the same as one after the other.
            const answers = await Promise.all([store.recordAttempt(record), other.recordAttempt(record)]);
            const expected = [model.record(call), model.record(call)];
            expect(answers.map(({ kind }) => kind).sort()).toEqual(expected.sort());
          }
          const trials = await trialsOf(run);
          expect(trials.map(({ phase }) => phase)).toEqual(model.trials.map(({ phase }) => phase));
          expect(trials.map(({ attempts }) => attempts.map(({ attempt }) => attempt))).toEqual(
            model.trials.map(({ attempts }) => [...attempts]),
          );
        }),
        { numRuns: 40 },
      );
    });
  });
}

export interface RecordOptions {
  readonly trial?: number;
  readonly attempt?: number;
  readonly outcome?: Outcome;
  readonly trialPhase?: AfterAttempt['phase'];
  /** Of a trial that is tried again: whether the attempt counts toward the limit. */
  readonly counts?: boolean;
  /** Of a trial that failed: whether its variant did as a whole. */
  readonly failsVariant?: boolean;
  readonly result?: ReportedResult;
}

/** The end of an attempt: by default the first one of the first trial, which succeeds. */
export function aRecord(run: RunDefinition, fence: number, options: RecordOptions): AttemptRecord {
  const { attempt = 1, outcome = 'Succeeded' } = options;
  const trial = run.trials[options.trial ?? 0];
  if (trial === undefined) throw new RangeError(`run ${run.uid} has no trial ${options.trial}`);
  const judgement: Judgement = {
    outcome,
    reason: outcome === 'Succeeded' ? 'Completed' : 'SomeReason',
    message: outcome === 'Succeeded' ? '' : 'what happened',
    exitCode: outcome === 'Infrastructure' ? undefined : 0,
    result: outcome === 'Succeeded' ? (options.result ?? aResult({ metrics: { p95_ms: 41.2 } })) : undefined,
  };
  return {
    runUid: run.uid,
    fence,
    variantId: trial.variant.id,
    repetition: trial.repetition,
    attempt,
    name: `${run.name}-${attempt}`,
    judgement,
    startedAt: outcome === 'Infrastructure' ? undefined : new Date('2026-01-02T03:04:05.678Z'),
    finishedAt: new Date('2026-01-02T03:04:06.789Z'),
    logs: undefined,
    trialAfter: trialAfterOf(options),
  };
}

function trialAfterOf({
  trialPhase = 'Succeeded',
  counts = true,
  failsVariant = false,
}: RecordOptions): AfterAttempt {
  switch (trialPhase) {
    case 'Succeeded':
      return { phase: trialPhase };
    case 'Failed':
      return { phase: trialPhase, failsVariant };
    case 'Pending':
      return { phase: trialPhase, notBefore: 0, counts };
  }
}

const aResult = (parts: {
  readonly metrics: Readonly<Record<string, number>>;
  readonly outputs?: Readonly<Record<string, unknown>>;
  readonly artifacts?: ReportedResult['artifacts'];
}): ReportedResult => ({
  metrics: new Map(Object.entries(parts.metrics)),
  artifacts: parts.artifacts ?? [],
  outputs: parts.outputs,
});

/** The record as it is given back. */
const attemptOf = ({ attempt, name, judgement, startedAt, finishedAt, logs }: AttemptRecord) => ({
  attempt,
  name,
  outcome: judgement.outcome,
  reason: judgement.reason,
  message: judgement.message,
  exitCode: judgement.exitCode,
  startedAt,
  finishedAt,
  logs,
});

interface RecordCall {
  readonly kind: 'Record';
  readonly trial: number;
  readonly attempt: number;
  readonly outcome: Outcome;
  readonly trialPhase: AfterAttempt['phase'];
  readonly stale: boolean;
}

interface FinishCall {
  readonly kind: 'Finish';
  readonly stale: boolean;
}

type Call = RecordCall | FinishCall | { readonly kind: 'Open' };

const aStaleFence = fc.nat({ max: 9 }).map((number) => number === 0);

const aCall: fc.Arbitrary<Call> = fc.oneof(
  {
    weight: 20,
    arbitrary: fc
      .record({
        trial: fc.nat({ max: 1 }),
        attempt: fc.integer({ min: 1, max: 4 }),
        ending: fc.constantFrom(
          { outcome: 'Infrastructure', trialPhase: 'Pending' } as const,
          { outcome: 'Infrastructure', trialPhase: 'Pending' } as const,
          { outcome: 'Infrastructure', trialPhase: 'Failed' } as const,
          { outcome: 'TestFailed', trialPhase: 'Failed' } as const,
          { outcome: 'Cancelled', trialPhase: 'Pending' } as const,
          { outcome: 'Succeeded', trialPhase: 'Succeeded' } as const,
        ),
        stale: aStaleFence,
      })
      .map(({ ending, ...call }): Call => ({ kind: 'Record', ...call, ...ending })),
  },
  { weight: 2, arbitrary: fc.constant<Call>({ kind: 'Open' }) },
  { weight: 1, arbitrary: aStaleFence.map((stale): Call => ({ kind: 'Finish', stale })) },
);

/** The rules of a store for a run of two trials, as plainly as they can be written. */
class RunModel {
  fence = 0;
  over = false;
  readonly trials: readonly { phase: StoredTrial['phase']; readonly attempts: Set<number> }[] = [
    { phase: 'Pending', attempts: new Set() },
    { phase: 'Pending', attempts: new Set() },
  ];

  record({ trial, attempt, trialPhase, stale }: RecordCall): RecordOutcome['kind'] {
    const state = this.trials[trial];
    if (stale) return 'Fenced';
    if (state === undefined) return 'Refused';
    if (state.attempts.has(attempt)) return 'AlreadyRecorded';
    if (this.over || state.phase !== 'Pending' || attempt < Math.max(0, ...state.attempts)) return 'Refused';
    state.attempts.add(attempt);
    state.phase = trialPhase;
    return 'Recorded';
  }

  finish({ stale }: FinishCall): FinishOutcome {
    if (stale) return 'Fenced';
    if (this.over) return 'AlreadyFinished';
    this.over = true;
    for (const state of this.trials) if (state.phase === 'Pending') state.phase = 'Cancelled';
    return 'Finished';
  }
}
