import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EmbeddedPostgresError } from '../results/postgres/embedded/embedded-postgres-error.ts';
import { hasRun, prepareRunDirectory, prepareRunsDirectory } from './runs-directory.ts';

let dataDirectory: string;
let runsDirectory: string;
beforeEach(async () => {
  dataDirectory = mkdtempSync(join(tmpdir(), 'batchtest-runs-'));
  runsDirectory = await prepareRunsDirectory(dataDirectory);
});
afterEach(() => rmSync(dataDirectory, { recursive: true, force: true }));

describe('the folder of a run', () => {
  it('is created with the files that it is to have, and then its run is one of the data directory', async () => {
    expect(hasRun(runsDirectory, 'a')).toBe(false);
    await prepareRunDirectory(dataDirectory, 'a', { told: 'text' });
    await prepareRunDirectory(dataDirectory, 'a');
    expect(hasRun(runsDirectory, 'a')).toBe(true);
    expect(readFileSync(join(runsDirectory, 'a/told'), 'utf8')).toBe('text');
  });

  it.each<readonly [what: string, code: string, make: () => void]>([
    ['a file is in its place', 'EEXIST', () => writeFileSync(join(runsDirectory, 'a'), '')],
    [
      'a folder is in the place of a file',
      'EISDIR',
      () => mkdirSync(join(runsDirectory, 'a/told'), { recursive: true }),
    ],
  ])('cannot be used when %s, in words for a person', async (_, code, make) => {
    make();
    const refusal = await prepareRunDirectory(dataDirectory, 'a', { told: 'text' }).catch(
      (error: unknown) => error,
    );
    expect(refusal).toBeInstanceOf(EmbeddedPostgresError);
    expect(refusal).toMatchObject({
      reason: 'DataDirectoryUnusable',
      message: expect.stringContaining(`data directory ${dataDirectory} cannot be used: ${code}: `),
    });
  });
});
