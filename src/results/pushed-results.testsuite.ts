/** What result-store.ts promises of pushed results, as tests for every result store; see result-store.testsuite.ts. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aRun } from '../../test/builders/run.ts';
import type { ProgramStart, PushedPart } from '../core/pushed-result.ts';
import type { ReportedResult } from '../core/result-protocol.ts';
import type { RunDefinition } from '../core/run.ts';
import { aRecord, type ResultStoreHarness } from './result-store.testsuite.ts';
import type { ResultPush, ResultStore } from './result-store.ts';

const RESULT: ReportedResult = {
  metrics: new Map([
    ['p95_ms', 41.2],
    ['tiny', 5e-324],
  ]),
  artifacts: [{ name: 'profile', uri: 's3://b/k', size: 3 }],
  outputs: { note: 'a \u0000 NUL', big: 'x'.repeat(100) },
};
const SHA = 'a'.repeat(64);
const OTHER_SHA = 'b'.repeat(64);

const startOf = (run: RunDefinition, start: Partial<ProgramStart> = {}): ProgramStart => {
  const [trial] = run.trials;
  if (trial === undefined) throw new Error('the run has no trial');
  return {
    variantId: trial.variant.id,
    repetition: trial.repetition,
    attempt: 1,
    startId: 'pod-1',
    ...start,
  };
};

const aPush = (run: RunDefinition, push: Partial<ResultPush> = {}): ResultPush => ({
  runUid: run.uid,
  namespace: run.namespace,
  start: startOf(run),
  sha256: SHA,
  result: RESULT,
  ...push,
});

const takes = (startId: string, sha256: string): PushedPart => ({ kind: 'Takes', startId, sha256 });

export function describePushedResults(name: string, start: () => Promise<ResultStoreHarness>): void {
  describe(`${name} and pushed results`, () => {
    let harness: ResultStoreHarness;
    let store: ResultStore;
    /** Another process: whoever takes a push need not be who records its attempt. */
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

    const anOpenRun = async (push = true) => {
      const run = aRun({
        uid: randomUUID(),
        variants: 2,
        namespace: 'team-a',
        spec: { results: { push } },
      });
      return { run, fence: (await store.openRun(run)).fence };
    };
    const pushedOf = async (run: RunDefinition, start: Partial<ProgramStart> = {}) =>
      (await store.readPushed(run.uid, [startOf(run, start)]))[0];
    const outputsOf = async ({ uid }: RunDefinition) => (await store.loadRun(uid))?.trialDetails[0]?.outputs;

    it('stores a result once, whoever takes it, and gives back what the verdict needs of it', async () => {
      const { run } = await anOpenRun();
      expect(await pushedOf(run)).toBeUndefined();
      expect(await other.pushResult(aPush(run))).toEqual({ kind: 'Stored' });
      expect(await pushedOf(run)).toEqual({
        sha256: SHA,
        metrics: RESULT.metrics,
        artifacts: RESULT.artifacts,
      });
      expect(await store.pushResult(aPush(run))).toEqual({ kind: 'Stored' });
      expect(await store.pushResult(aPush(run, { sha256: OTHER_SHA }))).toEqual({
        kind: 'Refused',
        reason: 'OtherResultStored',
        message: 'another result of this attempt is stored, which stands',
      });
    });

    it('gives back what several starts have pushed, in their order', async () => {
      const { run } = await anOpenRun();
      await store.pushResult(aPush(run));
      await store.pushResult(aPush(run, { start: startOf(run, { startId: 'pod-2' }), sha256: OTHER_SHA }));
      const starts = ['pod-3', 'pod-2', 'pod-1'].map((startId) => startOf(run, { startId }));
      const pushed = await store.readPushed(run.uid, starts);
      expect(pushed.map((result) => result?.sha256)).toEqual([undefined, OTHER_SHA, SHA]);
    });

    it('makes it the result of its attempt, with its outputs, in the transaction of the record, and keeps no second copy', async () => {
      const { run, fence } = await anOpenRun();
      await other.pushResult(aPush(run));
      const record = { ...aRecord(run, fence, { trial: 0 }), pushed: takes('pod-1', SHA) };
      expect(await store.recordAttempt(record)).toEqual({ kind: 'Recorded' });
      expect(await outputsOf(run)).toEqual({ note: 'a \ufffd NUL', big: 'x'.repeat(100) });
      expect(await pushedOf(run)).toBeUndefined();
      // Its answer was lost, and it is recorded again.
      expect(await store.recordAttempt(record)).toMatchObject({ kind: 'AlreadyRecorded' });
      expect(await outputsOf(run)).toMatchObject({ big: 'x'.repeat(100) });
    });

    it('records nothing when the verdict rests on something else than what is stored', async () => {
      const { run, fence } = await anOpenRun();
      const record = aRecord(run, fence, { trial: 0 });
      const missing = { ...record, pushed: takes('pod-1', SHA) };
      expect(await store.recordAttempt(missing)).toEqual({ kind: 'PushedMeanwhile' });
      await other.pushResult(aPush(run));
      const nothing: PushedPart = { kind: 'RestsOnNothing', startId: 'pod-1' };
      expect(await store.recordAttempt({ ...record, pushed: nothing })).toEqual({ kind: 'PushedMeanwhile' });
      const otherOne = { ...record, pushed: takes('pod-1', OTHER_SHA) };
      expect(await store.recordAttempt(otherOne)).toEqual({ kind: 'PushedMeanwhile' });
      expect((await store.loadRun(run.uid))?.trialDetails[0]?.attempts).toEqual([]);
      // What another start of the same attempt pushed is not its result.
      const another: PushedPart = { kind: 'RestsOnNothing', startId: 'pod-2' };
      expect(await store.recordAttempt({ ...record, pushed: another })).toEqual({ kind: 'Recorded' });
      expect(await pushedOf(run)).toBeUndefined();
    });

    it('drops what does not count', async () => {
      const { run, fence } = await anOpenRun();
      await store.pushResult(aPush(run));
      const failed = aRecord(run, fence, { trial: 0, outcome: 'TestFailed', trialPhase: 'Failed' });
      expect(await store.recordAttempt({ ...failed, pushed: { kind: 'Discards' } })).toEqual({
        kind: 'Recorded',
      });
      expect(await pushedOf(run)).toBeUndefined();
      expect(await outputsOf(run)).toBeUndefined();
    });

    it('refuses one that comes late, with the reason', async () => {
      const { run, fence } = await anOpenRun();
      const again = aRecord(run, fence, { trial: 0, outcome: 'Infrastructure', trialPhase: 'Pending' });
      await store.recordAttempt({ ...again, pushed: { kind: 'Discards' } });
      expect(await other.pushResult(aPush(run))).toEqual({
        kind: 'Refused',
        reason: 'AttemptEnded',
        message: 'the end of attempt 1 of the trial is recorded',
      });
      const second = startOf(run, { attempt: 2, startId: 'pod-2' });
      expect(await other.pushResult(aPush(run, { start: second }))).toEqual({ kind: 'Stored' });
      await store.recordAttempt({
        ...aRecord(run, fence, { trial: 0, attempt: 2 }),
        pushed: takes('pod-2', SHA),
      });
      expect(await other.pushResult(aPush(run))).toMatchObject({
        message: 'the end of attempt 1 of the trial is recorded, and that of a later one',
      });
      await store.finishRun(run.uid, fence, {
        state: 'Cancelled',
        reason: 'CancelRequested',
        message: 'cancelled',
      });
      const [, next] = run.trials;
      const untried = startOf(run, { variantId: next?.variant.id ?? '' });
      expect(await other.pushResult(aPush(run, { start: untried }))).toEqual({
        kind: 'Refused',
        reason: 'RunOver',
        message: 'the run is over: Cancelled',
      });
    });

    it('refuses one of a run that takes none, that is not there, or that is in another namespace', async () => {
      const { run } = await anOpenRun(false);
      expect(await store.pushResult(aPush(run))).toMatchObject({ reason: 'PushNotEnabled' });
      const { run: there } = await anOpenRun();
      for (const push of [
        { runUid: randomUUID() },
        { namespace: 'team-b' },
        { namespace: undefined },
        { start: startOf(there, { repetition: 7 }) },
      ])
        expect(await store.pushResult(aPush(there, push))).toMatchObject({ reason: 'NoSuchRun' });
    });

    it('lets a push and the record of its attempt not miss each other', async () => {
      for (let time = 0; time < 20; time += 1) {
        const { run, fence } = await anOpenRun();
        const record = aRecord(run, fence, { trial: 0, outcome: 'ResultInvalid', trialPhase: 'Failed' });
        const rest: PushedPart = { kind: 'RestsOnNothing', startId: 'pod-1' };
        const [pushed, recorded] = await Promise.all([
          other.pushResult(aPush(run)),
          store.recordAttempt({ ...record, pushed: rest }),
        ]);
        // Either it is acknowledged and the verdict has to be given anew, or it is refused and the verdict stands.
        expect([pushed.kind, recorded.kind]).toEqual(
          pushed.kind === 'Stored' ? ['Stored', 'PushedMeanwhile'] : ['Refused', 'Recorded'],
        );
      }
    });

    it('leaves outputs that are larger than a result file could hold out of what is loaded of a run', async () => {
      const { run, fence } = await anOpenRun();
      const outputs = { noise: randomUUID().repeat(300) };
      await store.pushResult(aPush(run, { result: { ...RESULT, outputs } }));
      await store.recordAttempt({ ...aRecord(run, fence, { trial: 0 }), pushed: takes('pod-1', SHA) });
      expect((await store.loadRun(run.uid))?.trialDetails[0]).toMatchObject({
        phase: 'Succeeded',
        outputs: undefined,
      });
    });

    it('takes over nothing that was measured while its data changed', async () => {
      const workflow = { workflowId: randomUUID(), results: { push: true } };
      const run = aRun({ uid: randomUUID(), variants: 1, spec: workflow });
      const { fence } = await store.openRun(run);
      await store.recordAttempt({ ...aRecord(run, fence, { trial: 0 }), pushed: { kind: 'Discards' } });
      const following = () =>
        store.openRun(
          aRun({ uid: randomUUID(), variants: 1, spec: { ...workflow, reusePolicy: 'Succeeded' } }),
        );
      expect((await following()).trials).toMatchObject([{ phase: 'Succeeded', reusedFrom: run.uid }]);
      await store.finishRun(run.uid, fence, {
        state: 'Failed',
        reason: 'SharedDataChanged',
        message: 'changed',
      });
      expect((await following()).trials).toMatchObject([{ phase: 'Pending' }]);
    });
  });
}
