import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { asAnyUser } from '../../../test/tools/any-user.ts';
import { attemptFiles, closeLogs, openLogs } from './attempt-files.ts';

it('are made anew where a killed attempt left a folder that it let nobody write to', async () => {
  await asAnyUser(() => {
    const directory = mkdtempSync(join(tmpdir(), 'batchtest-attempt-'));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    const files = attemptFiles(directory, 'a-0');
    closeLogs(openLogs(files));
    const module = join(files.artifacts, 'mod', 'x@v1');
    mkdirSync(module, { recursive: true });
    writeFileSync(join(module, 'go.mod'), '');
    for (const folder of [module, join(module, '..')]) chmodSync(folder, 0o555);

    closeLogs(openLogs(files));
    expect(readdirSync(files.artifacts)).toEqual([]);
  });
});
