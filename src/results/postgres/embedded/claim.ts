import { lstat, readlink, rm, symlink } from 'node:fs/promises';
import { errorCode } from '../../../error-code.ts';
import { commandLineOf } from './command-line.ts';
import { EmbeddedPostgresError } from './embedded-postgres-error.ts';

/** `initdb` needs half a second; a claim this old belongs to a process whose id was given out again. */
const EXPIRES_MS = 20_000;

/** The right to build the database and to start its server, so that processes do not do the same work at once. */
export interface Claim {
  release(): Promise<void>;
}

/**
 * Takes the claim, or returns undefined while another process has it.
 *
 * It saves work and keeps apart two servers that recover from the same crash; it does not protect the data. When it
 * goes wrong, the rename of a finished cluster and the lock file and shared memory of Postgres still let one win.
 *
 * @throws EmbeddedPostgresError when the directory cannot be written.
 */
export async function takeClaim(path: string): Promise<Claim | undefined> {
  const owner = `${process.pid} ${await processNamespace()}`;
  try {
    // A link is made and filled in one step, unlike a file.
    await symlink(owner, path);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') {
      throw new EmbeddedPostgresError('DataDirectoryUnusable', `cannot write ${path}: ${error}`, {
        cause: error,
      });
    }
    if (await isAbandoned(path)) await rm(path, { force: true });
    return undefined;
  }
  return {
    async release() {
      const holder = await readlink(path).catch(() => undefined);
      if (holder === owner) await rm(path, { force: true });
    },
  };
}

async function isAbandoned(path: string): Promise<boolean> {
  try {
    const [owner, { mtimeMs }] = await Promise.all([readlink(path), lstat(path)]);
    if (Date.now() - mtimeMs > EXPIRES_MS) return true;
    const [pid, namespace] = owner.split(' ');
    // In another container it means another process, or none.
    return namespace === (await processNamespace()) && (await commandLineOf(Number(pid))) === '';
  } catch {
    // It was released meanwhile.
    return false;
  }
}

/** Where process ids have the meaning that they have here: a container has its own. Elsewhere than on Linux there is one. */
const processNamespace = (): Promise<string> => readlink('/proc/self/ns/pid').catch(() => 'only');
