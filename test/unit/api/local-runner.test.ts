/** What a local runner gives beside `run`, through the exports of the package. */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  type BatchTestManifest,
  createRunner,
  NoSuchRunError,
  presets,
  type RunResult,
  runReport,
} from '../../../src/index.ts';
import { openResultStore } from '../../../src/runner/result-store.ts';
import { aRun } from '../../builders/run.ts';

const MANIFEST: BatchTestManifest = {
  apiVersion: 'batchtest.dev/v1alpha1',
  kind: 'BatchTest',
  metadata: { name: 'sizes' },
  spec: {
    repetitions: 2,
    variants: [
      { name: 'a', parameters: { SIZE: '1' } },
      { name: 'b', parameters: { SIZE: '2' } },
    ],
    template: {
      spec: {
        containers: [
          {
            name: 'test',
            image: 'none',
            command: ['/bin/sh', '-c', `echo "{\\"metrics\\":{\\"x\\":$SIZE}}" > "$BATCHTEST_RESULT_FILE"`],
          },
        ],
      },
    },
    objective: { metrics: [{ name: 'x', goal: 'minimize' }] },
  },
};

const config = presets.testing();
const runner = createRunner(config);
afterAll(() => runner.shutdown());

let first: RunResult;
let second: RunResult;
beforeAll(async () => {
  first = await runner.run(MANIFEST);
  second = await runner.run(MANIFEST);
});

describe('the results of a local runner', () => {
  it('are listed and loaded by UID, its beginning, and name', async () => {
    expect((await runner.results.list()).map(({ uid }) => uid)).toEqual([second.uid, first.uid]);
    expect((await runner.results.list({ limit: 1, workflowId: 'sizes' })).map(({ uid }) => uid)).toEqual([
      second.uid,
    ]);
    expect(await runner.results.load(first.uid.slice(0, 8))).toEqual(first.stored);
    expect((await runner.results.load('sizes'))?.uid).toBe(second.uid);
    expect(await runner.results.load('nobody')).toBeUndefined();
  });

  it('are reported and compared as by the command line', async () => {
    const { stored } = first;
    expect(await runner.results.report(first.uid)).toEqual(stored && runReport(stored));
    expect(await runner.results.compare(second.uid, first.uid)).toMatchObject({
      run: { uid: second.uid },
      against: { uid: first.uid },
    });
    expect(await runner.results.parity(first.uid, second.uid, { exact: ['x'] })).toMatchObject({
      verdict: 'Same',
      compared: { variants: 2, trials: 4 },
    });
    await expect(runner.results.report('nobody')).rejects.toThrow(NoSuchRunError);
    await expect(runner.results.parity(first.uid, 'nobody')).rejects.toThrow(
      'no stored run has the UID or name "nobody"',
    );
  });

  it('tell where their programs ran, also when that was said from somewhere', async () => {
    const elsewhere = createRunner({ ...config, manifestDirectory: relative(process.cwd(), '/usr') });
    const { uid } = await elsewhere.run({ ...MANIFEST, metadata: { name: 'elsewhere' } });
    expect((await elsewhere.results.load(uid))?.directory).toBe('/usr');
    await elsewhere.results.prune({
      endedBefore: new Date(Date.now() + 1),
      workflowId: 'elsewhere',
      keep: 0,
      dryRun: false,
    });
  });

  it('are followed by messages, of which those that are not delivered are told', async () => {
    const nobody = createServer();
    await new Promise<void>((resolve) => nobody.listen(0, '127.0.0.1', resolve));
    const address = nobody.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    await new Promise((resolve) => nobody.close(resolve));
    const delivery = {
      notifyUrls: [`http://127.0.0.1:${port}/`],
      notifyTokenFile: undefined,
      artifactStores: [],
    };
    const notifying = createRunner({ ...presets.testing(), delivery });
    onTestFinished(() => notifying.shutdown());
    const { uid } = await notifying.run(MANIFEST);
    expect(await notifying.results.undelivered()).toMatchObject([
      { kind: 'RunFinished', state: 'Pending', runUid: uid, lastError: expect.stringContaining('127.0.0.1') },
    ]);
    expect(await notifying.results.undelivered({ deadOnly: true })).toEqual([]);
    expect(await notifying.results.redeliver()).toEqual([]);
    expect(await runner.results.undelivered()).toEqual([]);
  });

  it('are pruned by what ended before', async () => {
    const selection = { endedBefore: new Date(), workflowId: undefined, keep: 1, dryRun: true };
    expect((await runner.results.prune(selection)).map(({ uid }) => uid)).toEqual([first.uid]);
  });
});

it('tells what both engines would make of a manifest', async () => {
  expect(await runner.dryRun(MANIFEST)).toMatchObject({ verdict: 'Same', trials: 4, server: null });
});

it('ends a run that is under way, by its name, and none that is over', async () => {
  await expect(runner.cancel(first.uid)).rejects.toThrow(`run ${first.uid} (sizes) is over: Complete`);
  await expect(runner.cancel('nobody')).rejects.toThrow(NoSuchRunError);
  let noteStart = (): void => undefined;
  const started = new Promise<void>((resolve) => {
    noteStart = resolve;
  });
  const long = runner.run(
    {
      ...MANIFEST,
      metadata: { name: 'long' },
      spec: { ...MANIFEST.spec, local: { command: ['sleep', '600'], args: [] } },
    },
    { onProgress: ({ trials }) => (trials?.running === 1 ? noteStart() : undefined) },
  );
  await started;
  // A newer one of a cluster whose operator stores there as well.
  const store = await openResultStore(config.store);
  onTestFinished(() => store.close());
  const ofCluster = aRun({ uid: randomUUID(), name: 'long' });
  await store.openRun(ofCluster);
  await expect(runner.cancel(ofCluster.uid)).rejects.toThrow(NoSuchRunError);
  expect(await runner.cancel('long')).toMatch(/^run .* \(long\) is being ended by the process that runs it$/);
  expect((await long).end).toMatchObject({ state: 'Cancelled', reason: 'CancelRequested' });
});
