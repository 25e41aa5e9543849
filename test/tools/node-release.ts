import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cachedDirectory } from './cached-directory.ts';

/** By major version: releases of Node that are supported beside the oldest, which the tests usually run in. */
const RELEASES: Readonly<Record<number, string>> = { 22: '22.23.5', 24: '24.22.3' };

/** Major versions that {@link nodeRelease} has. */
export const NODE_MAJORS: readonly number[] = Object.keys(RELEASES).map(Number);

const INSTALLATION_LIMIT_MS = 10 * 60_000;

/** Path of the program of a release of Node, from npm's package of its binary; kept in this user's cache. */
export async function nodeRelease(major: number): Promise<string> {
  const version = RELEASES[major];
  if (version === undefined)
    throw new Error(`no release of Node ${major} is pinned, only of ${NODE_MAJORS.join(' and ')}`);
  const name = `node-${process.platform}-${process.arch}`;
  const directory = await cachedDirectory('node', `${name}-${version}`, async (path) => {
    await mkdir(path);
    const options = ['--ignore-scripts', '--no-audit', '--no-fund'];
    await promisify(execFile)('npm', ['install', '--prefix', path, ...options, `${name}@${version}`], {
      timeout: INSTALLATION_LIMIT_MS,
    });
  });
  return join(directory, 'node_modules', name, 'bin', 'node');
}
