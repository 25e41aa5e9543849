/** Runs commands of the documentation as they are written there, in a folder that looks like a clone of the repository. */
import { execFile } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { BATCHTEST_PROGRAM } from './batchtest-program.ts';
import { REPOSITORY } from './markdown-page.ts';

export interface Clone {
  readonly folder: string;
  /** Where its `batchtest` keeps what it stores. */
  readonly dataDirectory: string;
  /** Writes a file, and the folders that it is in. */
  write(file: string, text: string): Promise<void>;
  /** Standard output of a shell that runs the commands and ends with the first that fails. */
  run(commands: string, environment?: Readonly<Record<string, string>>): Promise<string>;
  remove(): Promise<void>;
}

/**
 * Makes the folder. `npx batchtest` starts the command line there, with a data directory of its own; the examples are copies,
 * which a test may change.
 * @param programs further programs that are found on its PATH, by name
 */
export async function makeClone(programs: Readonly<Record<string, string>> = {}): Promise<Clone> {
  const folder = await mkdtemp(join(tmpdir(), 'batchtest-clone-'));
  await chmod(folder, 0o755);
  const dataDirectory = join(folder, '.data');
  const bin = join(folder, '.bin');
  await Promise.all([mkdir(dataDirectory), mkdir(bin)]);
  for (const entry of await readdir(REPOSITORY))
    if (entry !== 'examples' && !entry.startsWith('.'))
      await symlink(join(REPOSITORY, entry), join(folder, entry));
  const isInstalled = (path: string) => /\/(\.venv|__pycache__)$/.test(path);
  await cp(join(REPOSITORY, 'examples'), join(folder, 'examples'), {
    recursive: true,
    filter: (path) => !isInstalled(path),
  });
  await writeFile(
    join(bin, 'npx'),
    `#!/bin/sh\nshift\nexec '${process.execPath}' '${BATCHTEST_PROGRAM}' "$@" --data-dir '${dataDirectory}'\n`,
    { mode: 0o755 },
  );
  for (const [name, path] of Object.entries(programs)) await symlink(path, join(bin, name));
  const { DATABASE_URL: _, ...inherited } = process.env;
  return {
    folder,
    dataDirectory,
    async write(file, text) {
      const path = join(folder, file);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text);
    },
    async run(commands, environment = {}) {
      const { stdout } = await promisify(execFile)('sh', ['-euc', commands], {
        cwd: folder,
        env: { ...inherited, ...environment, PATH: `${bin}:${process.env.PATH}` },
        maxBuffer: 16 * 1024 * 1024,
      });
      return stdout;
    },
    remove: () => rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 }),
  };
}

/** The commands, without those of programs that the machine of the tests need not have. */
export const without = (commands: string, programs: readonly string[]): string =>
  commands
    .split('\n')
    .filter((line) => !programs.includes(line.split(' ')[0] ?? ''))
    .join('\n');
