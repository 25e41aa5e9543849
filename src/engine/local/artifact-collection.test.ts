import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fileUriOf } from '../../core/file-uri.ts';
import { ArtifactCollector } from './artifact-collection.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'batchtest-collection-'));
});
afterEach(() => {
  chmodSync(directory, 0o755);
  rmSync(directory, { recursive: true, force: true });
});

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('the files that a program left', () => {
  it('are told at once when there are none, also when it removed the folder', async () => {
    const nothing = { kind: 'Files', directory: `${fileUriOf(directory)}/`, files: [] };
    expect(new ArtifactCollector().collect(directory)).toEqual(nothing);
    rmSync(directory, { recursive: true });
    expect(new ArtifactCollector().collect(directory)).toEqual(nothing);
    mkdirSync(directory);
  });

  it('are the regular ones, in all folders, with size, digest and media type; no link and no FIFO', async () => {
    mkdirSync(join(directory, 'plots/2026'), { recursive: true });
    writeFileSync(join(directory, 'plots/2026/p 1.svg'), '<svg/>');
    writeFileSync(join(directory, 'empty'), '');
    symlinkSync('/etc/passwd', join(directory, 'link.txt'));
    symlinkSync('/etc', join(directory, 'folder'));
    execFileSync('mkfifo', [join(directory, 'fifo')]);
    expect(await new ArtifactCollector().collect(directory)).toEqual({
      kind: 'Files',
      directory: `${fileUriOf(directory)}/`,
      files: [
        {
          path: 'empty',
          uri: fileUriOf(join(directory, 'empty')),
          size: 0,
          sha256: sha256(''),
          mediaType: 'application/octet-stream',
        },
        {
          path: 'plots/2026/p 1.svg',
          uri: fileUriOf(join(directory, 'plots/2026/p 1.svg')),
          size: 6,
          sha256: sha256('<svg/>'),
          mediaType: 'image/svg+xml',
        },
      ],
    });
  });

  it('are refused when there are too many', async () => {
    for (let index = 0; index < 257; index += 1) writeFileSync(join(directory, String(index)), '');
    expect(await new ArtifactCollector().collect(directory)).toEqual({
      kind: 'Refused',
      reason: 'ArtifactsTooMany',
      message: 'there are more than 256 files in $BATCHTEST_ARTIFACTS_DIR, which is the limit',
    });
  });

  it('are refused when they are too large, before they are read', async () => {
    writeFileSync(join(directory, 'large'), '');
    truncateSync(join(directory, 'large'), 1_024 ** 3 + 1);
    expect(await new ArtifactCollector().collect(directory)).toEqual({
      kind: 'Refused',
      reason: 'ArtifactsTooLarge',
      message: 'the files in $BATCHTEST_ARTIFACTS_DIR are larger than 1024 MiB together',
    });
  });

  it('are refused when a name is not UTF-8, with the reason, and taken with the replacement character in it', async () => {
    writeFileSync(join(directory, 'a \ufffd'), '');
    expect(await new ArtifactCollector().collect(directory)).toMatchObject({ files: [{ path: 'a \ufffd' }] });
    writeFileSync(Buffer.from(`${directory}/r\xe9sum.txt`, 'latin1'), '');
    expect(await new ArtifactCollector().collect(directory)).toEqual({
      kind: 'Refused',
      reason: 'ArtifactNameNotText',
      message:
        'the name of r\ufffdsum.txt in $BATCHTEST_ARTIFACTS_DIR is not UTF-8, so no URI can tell of it: give it another name',
    });
  });
});
