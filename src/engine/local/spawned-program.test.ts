/** Both ways to start a program do the same: where one cannot be had the other takes its place, and nobody is to notice. */
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { LaunchFailure } from './launcher-protocol.ts';
import { nodeSpawn } from './node-spawn.ts';
import { posixSpawn } from './posix-spawn.ts';
import type { ProgramToSpawn, SpawnProgram } from './spawned-program.ts';

const directory = mkdtempSync(join(tmpdir(), 'batchtest-spawn-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const byPosix = posixSpawn();

it('posix_spawn is to be had on Linux', () => {
  expect(byPosix !== undefined).toBe(process.platform === 'linux');
});

const ways: readonly (readonly [string, SpawnProgram])[] = [
  ['posix_spawn', byPosix],
  ['Node', nodeSpawn],
].flatMap(([name, spawn]) => (typeof spawn === 'function' ? [[name as string, spawn as SpawnProgram]] : []));

describe.each(ways)('%s', (_, spawnProgram) => {
  it.each([
    ['an exit code', 'exit 7', 7],
    ['the largest exit code', 'exit 255', 255],
    ['success', 'true', 0],
    ['the end by a signal', 'kill -TERM $$', 143],
    ['the end by SIGKILL', 'kill -KILL $$', 137],
  ])('tells %s', async (_what, script, exitCode) => {
    expect(await outcomeOf({ args: ['-c', script] })).toMatchObject({ exitCode });
  });

  it('tells each end of many at once', async () => {
    const ends = await Promise.all(
      Array.from({ length: 40 }, (_unused, code) => outcomeOf({ args: ['-c', `exit ${code}`] })),
    );
    expect(ends.map(({ exitCode }) => exitCode)).toEqual(Array.from({ length: 40 }, (_unused, code) => code));
  });

  it('connects what the program writes, and gives it nothing to read', async () => {
    const { stdout, stderr } = await outcomeOf({ args: ['-c', 'echo out; echo err >&2; wc -c'] });
    expect([stdout, stderr]).toEqual(['out\n0\n', 'err\n']);
  });

  it('passes on no other descriptor of this process', async () => {
    const other = openSync(join(directory, 'not-for-the-program'), 'w');
    const { stdout } = await outcomeOf({ args: ['-c', 'ls -l /proc/$$/fd'] });
    closeSync(other);
    const files = stdout.split('\n').filter((line) => line.includes(directory));
    expect(files).toEqual([expect.stringMatching(/ 1 -> .*\.out$/), expect.stringMatching(/ 2 -> .*\.err$/)]);
    expect(stdout).toContain(' 0 -> /dev/null');
  });

  it('gives the program the arguments and the environment as they are, and no other', async () => {
    const { stdout } = await outcomeOf({
      command: '/usr/bin/env',
      args: ['-S', 'sh', '-c', 'printf "%s|" "$@"; env | grep -v ^PWD= | sort', 'sh', 'a b', '', 'ü'],
      environment: { PATH: '/usr/bin:/bin', TEXT: 'several\nlines = ü', EMPTY: '' },
    });
    expect(stdout).toMatch(/^a b\|\|ü\|/);
    const variables = stdout.slice(stdout.lastIndexOf('|') + 1).split('\n');
    expect(variables).toEqual(expect.arrayContaining(['EMPTY=', 'TEXT=several', 'lines = ü']));
    expect(stdout).not.toContain('HOME=');
  });

  it('starts the program in a session and a group of its own, in its folder', async () => {
    const folder = join(directory, 'a folder');
    mkdirSync(folder, { recursive: true });
    const { stdout, pid } = await outcomeOf({
      // pid (command) state parent group session
      args: ['-c', 'pwd; cut -d" " -f1,5,6 /proc/$$/stat'],
      workingDirectory: folder,
    });
    expect(stdout).toBe(`${folder}\n${pid} ${pid} ${pid}\n`);
  });

  it('leaves no signal ignored or blocked', async () => {
    const { stdout } = await outcomeOf({ args: ['-c', 'grep -E "^Sig(Blk|Ign)" /proc/self/status'] });
    const [blocked = '', ignored = ''] = stdout.split('\n').map((line) => line.split('\t')[1]);
    expect(BigInt(`0x${blocked}`)).toBe(0n);
    // glibc keeps signals 32 and 33 for its threads, and has every program that posix_spawn starts ignore them.
    expect(BigInt(`0x${ignored}`) & ~0x1_8000_0000n).toBe(0n);
  });

  it('finds a command in the folders of the PATH that the program gets, the first that may be run', async () => {
    for (const folder of ['none', 'first', 'second']) mkdirSync(join(directory, folder), { recursive: true });
    writeFileSync(join(directory, 'none/which-one'), '#!/bin/sh\necho none\n', { mode: 0o644 });
    writeFileSync(join(directory, 'first/which-one'), '#!/bin/sh\necho first\n', { mode: 0o755 });
    writeFileSync(join(directory, 'second/which-one'), '#!/bin/sh\necho second\n', { mode: 0o755 });
    const PATH = ['missing', 'none', 'first', 'second'].map((name) => join(directory, name)).join(':');
    const asked = { command: 'which-one', args: [] };
    expect(await outcomeOf({ ...asked, environment: { PATH } })).toMatchObject({ stdout: 'first\n' });
    // Folders that are not absolute are those of the program's own.
    const relative = { ...asked, environment: { PATH: 'missing:second' }, workingDirectory: directory };
    expect(await outcomeOf(relative)).toMatchObject({ stdout: 'second\n' });
    const outside = { ...asked, environment: { PATH: join(directory, 'none') } };
    expect(await outcomeOf(outside)).toMatchObject({ failure: { code: 'EACCES' } });
  });

  it('has sh run a script whose first line names no interpreter', async () => {
    const script = join(directory, 'plain');
    writeFileSync(script, 'echo "plain $1"\n', { mode: 0o755 });
    expect(await outcomeOf({ command: script, args: ['x y'] })).toMatchObject({ stdout: 'plain x y\n' });
    const environment = { PATH: `${directory}:/usr/bin:/bin` };
    expect(await outcomeOf({ command: 'plain', args: ['z'], environment })).toMatchObject({
      stdout: 'plain z\n',
    });
    expect(await outcomeOf({ command: './plain', args: [], workingDirectory: directory })).toMatchObject({
      stdout: 'plain \n',
    });
  });

  it.each([
    ['a command that is nowhere', { command: 'no-such-command' }, 'ENOENT', 'spawn no-such-command ENOENT'],
    ['a path that is nowhere', { command: '/no/such/command' }, 'ENOENT', 'spawn /no/such/command ENOENT'],
    ['a folder', { command: '/usr' }, 'EACCES', 'spawn /usr EACCES'],
    ['a path through a file', { command: '/etc/passwd/x' }, 'ENOTDIR', 'ENOTDIR'],
    [
      'a folder to run in that is nowhere',
      { workingDirectory: '/no/such' },
      'ENOENT',
      'spawn /bin/sh ENOENT',
    ],
    ['arguments that are too long', { args: ['x'.repeat(5_000_000)] }, 'E2BIG', 'E2BIG'],
    ['a NUL in an argument', { args: ['a\0b'] }, 'ERR_INVALID_ARG_VALUE', 'null bytes'],
    ['a NUL in the environment', { environment: { A: 'a\0b' } }, 'ERR_INVALID_ARG_VALUE', 'null bytes'],
    ['an empty command', { command: '' }, 'ERR_INVALID_ARG_VALUE', 'empty'],
  ])('tells why %s is not started', async (_what, asked, code, words) => {
    const { failure } = await outcomeOf(asked);
    expect(failure?.code).toBe(code);
    expect(failure?.message).toContain(words);
  });

  interface Outcome {
    readonly pid?: number;
    readonly exitCode?: number;
    readonly failure?: LaunchFailure;
    readonly stdout: string;
    readonly stderr: string;
  }

  let programs = 0;

  /** What becomes of a shell, unless another program is asked for. */
  async function outcomeOf(asked: Partial<ProgramToSpawn>): Promise<Outcome> {
    programs += 1;
    const logs = [join(directory, `${programs}.out`), join(directory, `${programs}.err`)] as const;
    const [stdout, stderr] = [openSync(logs[0], 'w'), openSync(logs[1], 'w')];
    const outcome = await new Promise<Pick<Outcome, 'pid' | 'exitCode' | 'failure'>>((resolve) => {
      spawnProgram(
        {
          command: '/bin/sh',
          args: [],
          workingDirectory: directory,
          environment: { PATH: '/usr/bin:/bin' },
          stdout,
          stderr,
          ...asked,
        },
        {
          failed: (failure) => resolve({ failure }),
          spawned: (pid) => (exitCode) => resolve({ pid, exitCode }),
        },
      );
    });
    closeSync(stdout);
    closeSync(stderr);
    return { ...outcome, stdout: readFileSync(logs[0], 'utf8'), stderr: readFileSync(logs[1], 'utf8') };
  }
});
