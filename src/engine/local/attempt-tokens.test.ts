import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { aRun } from '../../../test/builders/run.ts';
import { requestFor, shown, untilAnnounced } from '../engine.testsuite.ts';
import { AttemptTokens } from './attempt-tokens.ts';
import { createLocalEngine } from './local-engine.ts';

const DEADLINE_MS = 20_000;
const PROGRAM = 'cat "$BATCHTEST_TOKEN_FILE" > told; while [ ! -e gate ]; do sleep 0.05; done';

it('a token is that of one start of a program, which may push nothing more once it has ended', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'batchtest-tokens-'));
  const tokens = new AttemptTokens();
  const engine = createLocalEngine({
    runsDirectory: join(folder, 'runs'),
    manifestDirectory: folder,
    environment: process.env,
    instanceId: randomUUID(),
    push: { url: 'http://127.0.0.1:1/v1/result', tokens },
    now: Date.now,
  });
  onTestFinished(async () => {
    await engine.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const run = aRun({
    uid: randomUUID(),
    variants: 1,
    spec: { results: { push: true }, local: { command: ['/bin/sh', '-c', PROGRAM] } },
  });
  const request = requestFor(run);
  const file = join(folder, 'runs', run.uid, `${request.name}.token`);
  expect(await engine.startAttempt(request)).toEqual({ kind: 'Started' });
  await expect
    .poll(() => existsSync(join(folder, 'told')) && readFileSync(join(folder, 'told'), 'utf8'), {
      timeout: DEADLINE_MS,
    })
    .toMatch(/^[\w-]{43}$/);
  const token = readFileSync(join(folder, 'told'), 'utf8');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const startId = shown(engine, run)?.startId;
  expect(startId).toBeDefined();
  const start = {
    variantId: request.trial.variant.id,
    repetition: 0,
    attempt: 1,
    startId,
  };
  expect(tokens.find(token)).toEqual({ runUid: run.uid, start, hasEnded: false });
  expect(tokens.find(`${token}x`)).toBeUndefined();

  writeFileSync(join(folder, 'gate'), '');
  const ended = await untilAnnounced(
    engine,
    run,
    'it has ended',
    () => (shown(engine, run)?.state.kind === 'Ended' ? shown(engine, run) : undefined),
    DEADLINE_MS,
  );
  expect(ended.startId).toBe(startId);
  expect(tokens.find(token)).toEqual({ runUid: run.uid, start, hasEnded: true });
  expect(existsSync(file)).toBe(false);
  await engine.removeAttempts(run, [request.name]);
  expect(tokens.find(token)).toBeUndefined();
});
