import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { fileUriOf } from '../core/file-uri.ts';
import { describeArtifactStore } from './artifact-store.testsuite.ts';
import { FileArtifactStore } from './file-artifact-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'batchtest-artifacts-'));
const root = join(folder, 'root');
mkdirSync(root);
writeFileSync(join(folder, 'outside'), 'x');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describeArtifactStore('FileArtifactStore', async () => ({
  store: new FileArtifactStore(root),
  put: async (path, content) => {
    const file = join(root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    return fileUriOf(file);
  },
  outside: [
    fileUriOf(join(folder, 'outside')),
    `${fileUriOf(root)}/../outside`,
    `${fileUriOf(root)}/%2e%2e/outside`,
    `${fileUriOf(root)}/a%2F..%2F..%2Foutside`,
    fileUriOf(root),
    `${fileUriOf(root)}-beside`,
  ],
  dispose: async () => undefined,
}));

describe('FileArtifactStore', () => {
  const store = new FileArtifactStore(root);
  const opened = (path: string) => store.open(fileUriOf(join(root, path)), new AbortController().signal);

  it('follows no link, neither to a file nor through a folder', async () => {
    symlinkSync(join(folder, 'outside'), join(root, 'link'));
    symlinkSync(folder, join(root, 'folder-link'));
    expect(await opened('link')).toBeUndefined();
    expect(await opened('folder-link/outside')).toBeUndefined();
  });

  it('opens no folder, and waits for no FIFO', async () => {
    mkdirSync(join(root, 'folder'));
    execFileSync('mkfifo', [join(root, 'fifo')]);
    expect(await opened('folder')).toBeUndefined();
    expect(await opened('fifo')).toBeUndefined();
  });
});
