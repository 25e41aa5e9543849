import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { BatchTestManifest } from '../api/v1alpha1/schema.ts';
import { InvalidBatchTestError } from '../core/errors.ts';
import { createRunner } from './create-runner.ts';
import { RunNotResumableError, UnsupportedLocallyError } from './errors.ts';
import { presets } from './presets.ts';

const TOKEN = { name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'registry', key: 'token' } } };

const aManifest = (spec: Partial<BatchTestManifest['spec']> = {}): BatchTestManifest => ({
  apiVersion: 'batchtest.dev/v1alpha1',
  kind: 'BatchTest',
  metadata: { name: 'refused' },
  spec: {
    variants: [{ name: 'only' }],
    template: {
      spec: { containers: [{ name: 'test', image: 'none', command: ['true'], env: [TOKEN] }] },
    },
    objective: { metrics: [{ name: 'm', goal: 'maximize' }] },
    ...spec,
  },
});

const MEASURES = `require('node:fs').writeFileSync(process.env.BATCHTEST_RESULT_FILE, '{"metrics":{"m":1}}')`;
const measuring = (spec: Partial<BatchTestManifest['spec']> = {}) =>
  aManifest({ local: { env: { TOKEN: 'x' }, command: [process.execPath, '-e', MEASURES] }, ...spec });

/** What a local runner answers to a manifest that it refuses, having opened no store and started nothing. */
async function refusalOf(manifest: BatchTestManifest): Promise<unknown> {
  const parent = mkdtempSync(join(tmpdir(), 'batchtest-refused-'));
  onTestFinished(() => rmSync(parent, { recursive: true, force: true }));
  const dataDirectory = join(parent, 'data');
  const runner = createRunner({
    engine: 'local',
    store: { kind: 'embedded', dataDirectory },
    dataDirectory,
    manifestDirectory: parent,
    removeDataDirectory: false,
  });
  const answer = await runner.run(manifest).catch((error: unknown) => error);
  await runner.shutdown();
  expect(existsSync(dataDirectory)).toBe(false);
  return answer;
}

describe('a local runner', () => {
  it('refuses a program that is to read what only a cluster has, and says what to do', async () => {
    const error = await refusalOf(aManifest());
    expect(error).toBeInstanceOf(UnsupportedLocallyError);
    expect(error).toMatchObject({
      message:
        'spec.template.spec.containers[0].env[0].valueFrom cannot be read locally: give TOKEN a value in spec.local.env',
    });
  });

  it('refuses variants that are the same', async () => {
    const variants = [{ name: 'one' }, { name: 'other' }];
    const error = await refusalOf(aManifest({ variants, local: { env: { TOKEN: 'x' } } }));
    expect(error).toBeInstanceOf(InvalidBatchTestError);
    expect(error).toMatchObject({ message: expect.stringContaining('spec.variants[1]') });
  });

  it('runs more at once than its store sends statements at once', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on('warning', onWarning);
    onTestFinished(() => void process.off('warning', onWarning));
    const runner = createRunner(presets.testing());
    onTestFinished(() => runner.shutdown());
    const manifests = Array.from({ length: 12 }, () => measuring());
    const results = await Promise.all(manifests.map((manifest) => runner.run(manifest)));
    for (const { end } of results) expect(end.state).toBe('Complete');
    expect(new Set(results.map(({ uid }) => uid)).size).toBe(12);
    expect(warnings).toEqual([]);
  }, 60_000);
});

describe('a local run', () => {
  const WAITS = `
    const { existsSync, writeFileSync } = require('node:fs');
    const look = () => {
      if (existsSync(process.env.UNTIL)) writeFileSync(process.env.BATCHTEST_RESULT_FILE, '{"metrics":{"m":1}}');
      else setTimeout(look, 20);
    };
    look();`;

  it('holds it against no program that the clock of the machine is set while it runs', async () => {
    const timeOfDay = Date.now;
    let setBy = 0;
    Date.now = () => timeOfDay() + setBy;
    onTestFinished(() => {
      Date.now = timeOfDay;
    });
    const folder = mkdtempSync(join(tmpdir(), 'batchtest-clock-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const [first, second] = [join(folder, 'first'), join(folder, 'second')];
    const runner = createRunner(presets.testing());
    onTestFinished(() => runner.shutdown());
    const manifest = aManifest({
      parallelism: 2,
      trialDeadlineSeconds: 600,
      variants: [
        { name: 'first', parameters: { UNTIL: first } },
        { name: 'second', parameters: { UNTIL: second } },
      ],
      local: { env: { TOKEN: 'x' }, command: [process.execPath, '-e', WAITS] },
    });
    const { end } = await runner.run(manifest, {
      onProgress({ trials }) {
        if (trials?.running === 2) {
          setBy = 7_200_000;
          writeFileSync(first, '');
        }
        // The end of the other one had all that runs judged.
        if (trials?.succeeded === 1 || trials?.failed === 1) writeFileSync(second, '');
      },
    });
    expect(end).toMatchObject({ state: 'Complete', reason: 'AllTrialsSucceeded' });
  });

  it('has the whole of activeDeadlineSeconds, however far the clock of its database is behind', async () => {
    const timeOfDay = Date.now;
    // The server is another process, whose clock stays right.
    Date.now = () => timeOfDay() + 600_000;
    onTestFinished(() => {
      Date.now = timeOfDay;
    });
    const runner = createRunner(presets.testing());
    onTestFinished(() => runner.shutdown());
    const { end } = await runner.run(measuring({ activeDeadlineSeconds: 300 }));
    expect(end).toMatchObject({ state: 'Complete', reason: 'AllTrialsSucceeded' });
  });
});

describe('a runner that is asked to resume', () => {
  it('refuses a run that is unknown, and one that is over, whatever is asked of it', async () => {
    const runner = createRunner(presets.testing());
    onTestFinished(() => runner.shutdown());
    const refusal = (resume: string, manifest = measuring()) =>
      runner.run(manifest, { resume }).catch((error: unknown) => error);
    const unknown = await refusal('00000000-0000-4000-8000-000000000000');
    expect(unknown).toBeInstanceOf(RunNotResumableError);
    expect(unknown).toMatchObject({ message: expect.stringContaining('there is no run 00000000-') });

    const { uid, end } = await runner.run(measuring());
    expect(end.state).toBe('Complete');
    const over = await refusal(uid);
    expect(over).toBeInstanceOf(RunNotResumableError);
    expect(over).toMatchObject({
      message: `run ${uid} is over (Complete); batchtest rerun starts it anew`,
    });
  });

  it('refuses a run that it has under way itself', async () => {
    const runner = createRunner(presets.testing());
    onTestFinished(() => runner.shutdown());
    const cancel = new AbortController();
    let uid: string | undefined;
    let hasStarted: () => void = () => {};
    const started = new Promise<void>((resolve) => {
      hasStarted = resolve;
    });
    const manifest = measuring({
      local: { env: { TOKEN: 'x' }, command: [process.execPath, '-e', 'setInterval(() => {}, 1000)'] },
    });
    const running = runner.run(manifest, {
      signal: cancel.signal,
      onProgress: (status) => {
        uid = status.runUid;
        if ((status.trials?.running ?? 0) > 0) hasStarted();
      },
    });
    await started;
    const refused = await runner.run(manifest, { resume: String(uid) }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(RunNotResumableError);
    expect(refused).toMatchObject({ message: `run ${uid} is being run by another process` });
    cancel.abort();
    expect((await running).end.reason).toBe('CancelRequested');
  });

  it('refuses it when it is that of a cluster, whose operator goes on by itself', async () => {
    const runner = createRunner({
      engine: 'kubernetes',
      store: { kind: 'database', url: 'postgres://nobody@127.0.0.1:1/none' },
      kubeconfig: undefined,
      namespace: undefined,
    });
    const answer = await runner.run(measuring(), { resume: 'any' }).catch((error: unknown) => error);
    await runner.shutdown();
    expect(answer).toBeInstanceOf(RunNotResumableError);
  });
});
