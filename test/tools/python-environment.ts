import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cachedDirectory } from './cached-directory.ts';

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
  const environment = await cachedDirectory('python', digest.slice(0, 16), (path) =>
    make(path, requirementsFile),
  );
  // What runs is bin/python, which finds its packages by its own place; only the scripts beside it name the place they were made in.
  return join(environment, 'bin', 'python');
}

async function make(path: string, requirementsFile: string): Promise<void> {
  await output('python3', ['-m', 'venv', path]).catch((cause: unknown) => {
    throw new Error(
      'python3 -m venv does not work: install what it needs (Debian: apt install python3-venv)',
      { cause },
    );
  });
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirementsFile];
  await output(join(path, 'bin', 'python'), pip);
}

async function output(command: string, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(command, args, { timeout: INSTALLATION_LIMIT_MS });
  return stdout;
}
