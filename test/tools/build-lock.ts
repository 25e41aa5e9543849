import { randomUUID } from 'node:crypto';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { isRunning } from './supervised-process.ts';

const LOCK_POLL_MS = 500;
const LOCK_DEADLINE_MS = 45 * 60_000;

/**
 * Waits until no other process builds. A lock whose owner is dead is taken over; should two processes take it over in
 * the same instant, both build, which is slower and never wrong, as each program is renamed into place when complete.
 * Returns the function that releases the lock; throws when it stays held for longer than any build takes.
 */
export async function acquireBuildLock(
  lockFile: string,
  report: (line: string) => void,
): Promise<() => Promise<void>> {
  const deadline = performance.now() + LOCK_DEADLINE_MS;
  // Linked into place with its content, so that no reader sees a lock without its owner.
  const ownLock = `${lockFile}-${randomUUID()}`;
  await writeFile(ownLock, String(process.pid));
  try {
    for (let waited = false; ; waited = true) {
      if (await linkUnlessPresent(ownLock, lockFile)) return () => rm(lockFile, { force: true });

      const owner = Number.parseInt(await readFile(lockFile, 'utf8').catch(() => ''), 10);
      if (Number.isSafeInteger(owner) && !isRunning(owner)) {
        await rm(lockFile, { force: true });
        continue;
      }
      if (performance.now() > deadline) {
        throw new Error(
          `process ${owner} has held ${lockFile} for ${LOCK_DEADLINE_MS / 60_000} minutes; delete it if nothing builds`,
        );
      }
      if (!waited) report(`process ${owner} builds the control plane for the tests; waiting for it`);
      await sleep(LOCK_POLL_MS);
    }
  } finally {
    await rm(ownLock, { force: true });
  }
}

async function linkUnlessPresent(from: string, to: string): Promise<boolean> {
  return link(from, to).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') return false;
      throw error;
    },
  );
}
