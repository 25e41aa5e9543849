import { readdir, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { isSupervised } from './client-pipe.ts';
import { buildDirectoryPrefix } from './cluster.ts';
import type { Layout } from './layout.ts';

/** Longer than any process needs to fill its directory, so that none in use is taken for a leftover. */
const ABANDONED_AFTER_MS = 10 * 60_000;

/** Removes what crashed processes left behind: unfinished clusters and copies, directories of dead servers. */
export async function removeLeftovers(layout: Layout): Promise<void> {
  const unfinishedCluster = basename(buildDirectoryPrefix(layout.clusterDirectory));
  await Promise.all([
    removeAbandoned(layout.postgresDirectory, (path) => basename(path).startsWith(unfinishedCluster)),
    removeAbandoned(layout.binariesDirectory, (path) => basename(path).includes('.copy-')),
    removeAbandoned(layout.runDirectory, (path) => !isSupervised(path)),
  ]);
}

async function removeAbandoned(parent: string, isLeftover: (path: string) => boolean): Promise<void> {
  for (const name of await readdir(parent).catch(() => [])) {
    const path = join(parent, name);
    // Whatever vanishes meanwhile was removed by somebody who had the same idea.
    const modified = await stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => Date.now(),
    );
    if (Date.now() - modified < ABANDONED_AFTER_MS || !isLeftover(path)) continue;
    await rm(path, { recursive: true, force: true });
  }
}
