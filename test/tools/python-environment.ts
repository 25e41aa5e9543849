import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { access, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { acquireBuildLock } from './build-lock.ts';

const UNFINISHED = 'unfinished-';
const INSTALLATION_LIMIT_MS = 10 * 60_000;

/**
 * Path of a Python that has the packages of a requirements file. Its virtual environment is made once for each content of that file and
 * version of Python, in this user's cache, by one process at a time; it is there only when it is complete.
 * @throws Error that says what to install where `python3` cannot make one
 */
export async function pythonWith(requirementsFile: string): Promise<string> {
  const version = await output('python3', ['-c', 'import sys; print(sys.version)']).catch(
    (cause: unknown) => {
      throw new Error(
        'python3 cannot be run: install Python 3.11 or later (Debian: apt install python3 python3-venv)',
        {
          cause,
        },
      );
    },
  );
  const digest = createHash('sha256')
    .update(await readFile(requirementsFile))
    .update(version)
    .digest('hex');
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'batchtest', 'python');
  const environment = join(cache, digest.slice(0, 16));
  const python = join(environment, 'bin', 'python');
  if (await isThere(python)) return python;
  await mkdir(cache, { recursive: true });
  const release = await acquireBuildLock(join(cache, 'build.lock'), () => undefined);
  try {
    for (const entry of await readdir(cache))
      if (entry.startsWith(UNFINISHED)) await rm(join(cache, entry), { recursive: true, force: true });
    if (!(await isThere(python))) await make(environment, requirementsFile, cache);
  } finally {
    await release();
  }
  return python;
}

async function make(environment: string, requirementsFile: string, cache: string): Promise<void> {
  const unfinished = join(cache, `${UNFINISHED}${randomUUID()}`);
  await output('python3', ['-m', 'venv', unfinished]).catch((cause: unknown) => {
    throw new Error(
      'python3 -m venv does not work: install what it needs (Debian: apt install python3-venv)',
      { cause },
    );
  });
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirementsFile];
  await output(join(unfinished, 'bin', 'python'), pip);
  // What runs is bin/python, which finds its packages by its own place; only the scripts beside it name the place they were made in.
  await rename(unfinished, environment);
}

async function output(command: string, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(command, args, { timeout: INSTALLATION_LIMIT_MS });
  return stdout;
}

const isThere = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );
