import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { access, mkdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Releases of Node that are supported beside the oldest, which the tests usually run in. */
const RELEASES = { 22: '22.23.5', 24: '24.22.3' } as const;

export type NodeMajor = `${keyof typeof RELEASES}`;

const INSTALLATION_LIMIT_MS = 10 * 60_000;

/** Path of the program of a release of Node, from npm's package of its binary; kept in this user's cache, where it is there only when it is complete. */
export async function nodeRelease(major: NodeMajor): Promise<string> {
  const version = RELEASES[major];
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'batchtest', 'node');
  const directory = join(cache, version);
  const name = `node-${process.platform}-${process.arch}`;
  const program = join(directory, 'node_modules', name, 'bin', 'node');
  if (await isThere(program)) return program;
  const unfinished = join(cache, `unfinished-${randomUUID()}`);
  await mkdir(unfinished, { recursive: true });
  try {
    await promisify(execFile)(
      'npm',
      [
        'install',
        '--prefix',
        unfinished,
        '--ignore-scripts',
        '--no-audit',
        '--no-fund',
        `${name}@${version}`,
      ],
      { timeout: INSTALLATION_LIMIT_MS },
    );
    await rename(unfinished, directory);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    // Another test run was faster.
    if (!(await isThere(program))) throw error;
  }
  return program;
}

const isThere = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );
