import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, type Writable } from 'node:stream';
import { expect, it, onTestFinished } from 'vitest';
import { validManifest } from '../api/v1alpha1/valid-manifest.ts';
import { runToEnd } from './run-to-end.ts';

/** Succeeds once the file is there that it is told of, if it is told of one. */
const PROGRAM = `
const { existsSync, writeFileSync } = require('node:fs');
const { BATCHTEST_RESULT_FILE, UNTIL } = process.env;
const look = () => {
  if (UNTIL === undefined || existsSync(UNTIL)) writeFileSync(BATCHTEST_RESULT_FILE, '{"metrics":{"m":1}}');
  else setTimeout(look, 20);
};
look();`;

/** An output of a command that is no terminal. */
const anOutput = (onText: (text: string) => void): NodeJS.WriteStream =>
  new PassThrough({ encoding: 'utf8' }).on('data', onText) as Writable as NodeJS.WriteStream;

it('shows how a local run goes on also when the clock of the machine is set back', async () => {
  const timeOfDay = Date.now;
  let setBy = 0;
  Date.now = () => timeOfDay() + setBy;
  onTestFinished(() => {
    Date.now = timeOfDay;
  });
  const folder = mkdtempSync(join(tmpdir(), 'batchtest-progress-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 }));
  // Under root, Postgres runs as another user, who must get through here.
  chmodSync(folder, 0o755);
  const gate = join(folder, 'gate');
  const batchTest = validManifest({
    apiVersion: 'batchtest.dev/v1alpha1',
    kind: 'BatchTest',
    metadata: { name: 'clock' },
    spec: {
      parallelism: 2,
      variants: [{ name: 'quick' }, { name: 'waits', parameters: { UNTIL: gate } }],
      template: {
        spec: { containers: [{ name: 'test', image: 'none', command: [process.execPath, '-e', PROGRAM] }] },
      },
      objective: { metrics: [{ name: 'm', goal: 'maximize' }] },
    },
  });
  const said: string[] = [];
  const stderr = anOutput((text) => {
    said.push(text);
    const halfDone = said.filter((line) => line.includes('1 of 2 trials done')).length;
    if (halfDone === 1) setBy = -7_200_000;
    if (halfDone === 2) writeFileSync(gate, '');
  });
  let exitCode: number | undefined;
  await runToEnd(
    { batchTest, directory: folder },
    { engine: 'local', output: 'json', dataDir: folder },
    {
      environment: { PATH: process.env.PATH },
      stdin: process.stdin,
      stdout: anOutput(() => {}),
      stderr,
      setExitCode: (code) => {
        exitCode = code;
      },
    },
  );
  expect(exitCode, said.join('')).toBe(0);
}, 90_000);
