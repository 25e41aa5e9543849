import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { isSupervised, pipePath } from './client-pipe.ts';

test('a server has its supervisor until that has gone, also while it shuts down', () => {
  const directory = mkdtempSync(join(tmpdir(), 'batchtest-pipe-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  expect(isSupervised(directory)).toBe(false);
  execFileSync('mkfifo', [pipePath(directory)]);
  expect(isSupervised(directory)).toBe(false);

  const supervisor = openSync(pipePath(directory), constants.O_RDONLY | constants.O_NONBLOCK);
  expect(isSupervised(directory)).toBe(true);
  renameSync(pipePath(directory), join(directory, 'closing'));
  expect(isSupervised(directory)).toBe(true);

  closeSync(supervisor);
  expect(isSupervised(directory)).toBe(false);
});
