import { randomUUID } from 'node:crypto';
import { access, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { acquireBuildLock } from './build-lock.ts';

const UNFINISHED = 'unfinished-';

/**
 * Path of a directory in this user's cache. It is made once, by one process at a time, and is there only when it is complete.
 * @param kind what directories are made in the same way; one of them is made at a time
 * @param name tells it from others of its kind: whatever its content depends on is part of it
 * @param make makes it at another path, from which it is moved
 */
export async function cachedDirectory(
  kind: string,
  name: string,
  make: (path: string) => Promise<unknown>,
): Promise<string> {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'batchtest', kind);
  const directory = join(cache, name);
  if (await isThere(directory)) return directory;
  await mkdir(cache, { recursive: true });
  const release = await acquireBuildLock(join(cache, 'build.lock'), () => undefined);
  try {
    // Of a process that was killed.
    for (const entry of await readdir(cache))
      if (entry.startsWith(UNFINISHED)) await rm(join(cache, entry), { recursive: true, force: true });
    if (await isThere(directory)) return directory;
    const unfinished = join(cache, `${UNFINISHED}${randomUUID()}`);
    await make(unfinished);
    await rename(unfinished, directory);
    return directory;
  } finally {
    await release();
  }
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
