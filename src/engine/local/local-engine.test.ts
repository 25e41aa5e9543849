import { execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BatchTestManifest } from '../../api/v1alpha1/schema.ts';
import { batchTestSchema } from '../../api/v1alpha1/schema.ts';
import { isLive, type ObservedAttempt, type Termination } from '../../core/attempt.ts';
import { defineRun, type RunDefinition } from '../../core/run.ts';
import {
  describeEngine,
  type ProgramBehaviour,
  requestFor,
  shown,
  untilAnnounced,
} from '../engine.testsuite.ts';
import type { Engine } from '../engine.ts';
import { escapeReferences } from '../program-environment.ts';
import { AttemptTokens } from './attempt-tokens.ts';
import { createLocalEngine, type LocalEngineOptions } from './local-engine.ts';

const DEADLINE_MS = 20_000;
const folder = mkdtempSync(join(tmpdir(), 'batchtest-local-engine-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const createEngine = (options: Partial<LocalEngineOptions> = {}): Engine =>
  createLocalEngine({
    runsDirectory: join(folder, 'runs'),
    manifestDirectory: folder,
    environment: process.env,
    instanceId: randomUUID(),
    now: Date.now,
    ...options,
  });

type Spec = BatchTestManifest['spec'];
type Container = Spec['template']['spec'] extends infer P
  ? P extends { containers: (infer C)[] }
    ? C
    : never
  : never;

interface RunOptions {
  readonly local?: Spec['local'];
  readonly container?: Partial<Container>;
  readonly graceSeconds?: number;
  readonly parameters?: Record<string, string>;
  readonly variantName?: string;
  readonly trials?: number;
  readonly push?: boolean;
}

function aRun({ trials = 1, parameters = {}, variantName = 'a', ...options }: RunOptions): RunDefinition {
  const grace =
    options.graceSeconds === undefined ? {} : { terminationGracePeriodSeconds: options.graceSeconds };
  const manifest: BatchTestManifest = {
    apiVersion: 'batchtest.dev/v1alpha1',
    kind: 'BatchTest',
    metadata: { name: 'sample' },
    spec: {
      repetitions: trials,
      variants: [{ name: variantName, parameters }],
      objective: { metrics: [{ name: 'x', goal: 'minimize' }] },
      template: { spec: { containers: [{ name: 'test', image: 'none', ...options.container }], ...grace } },
      ...(options.local === undefined ? {} : { local: options.local }),
      ...(options.push === undefined ? {} : { results: { push: options.push } }),
    },
  };
  return defineRun(batchTestSchema.parse(manifest), { uid: randomUUID(), engine: 'local' });
}

/** A run of a shell script. Its process is found in the process table by `mark`, its last argument. */
const aRunOfScript = (script: string, options: RunOptions & { readonly mark?: string } = {}): RunDefinition =>
  aRun({
    ...options,
    local: {
      command: ['/bin/sh', '-c', escapeReferences(script), options.mark ?? 'script'],
      ...options.local,
    },
  });

/**
 * Process groups in which a process has `mark` in its command line, as ps tells. Groups, because a shell that is about to run
 * another program is there twice for a moment; zombies do not count.
 */
function groupsOf(mark: string): readonly number[] {
  const groups = execFileSync('ps', ['-A', '-ww', '-o', 'pgid=,stat=,args='], { encoding: 'utf8' })
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, state, ...args]) => !state?.startsWith('Z') && args.includes(mark))
    .map(([group]) => Number(group));
  return [...new Set(groups)];
}

const isAlive = (pid: number): boolean => {
  try {
    const state = execFileSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    return state !== '' && !state.startsWith('Z');
  } catch {
    return false;
  }
};

const marks = new Map<RunDefinition, string>();

/** The programs of a run without a mark cannot be told from others of this machine. */
function markOf(run: RunDefinition): string {
  const mark = marks.get(run);
  if (mark === undefined) throw new Error(`run ${run.uid} has no mark`);
  return mark;
}

function aBehavingRun(trials: number, behaviour: ProgramBehaviour): RunDefinition {
  const { runMs, exitCode, resultText, lastWords } = behaviour;
  const mark = `mark-${randomUUID()}`;
  const script = [
    // The words of the program come as parameters: a shell would have to be asked to take them literally.
    resultText === undefined ? '' : 'printf %s "$WORDS" > "$BATCHTEST_RESULT_FILE"',
    `sleep ${runMs / 1_000}`,
    lastWords === undefined ? '' : 'echo "$WORDS" >&2',
    `exit ${exitCode}`,
  ].join('\n');
  const run = aRunOfScript(script, { trials, mark, parameters: { WORDS: resultText ?? lastWords ?? '' } });
  marks.set(run, mark);
  return run;
}

describeEngine('the local engine', {
  createEngine: async () => createEngine(),
  aRun: async (trials, behaviour) => aBehavingRun(trials, behaviour),
  aRunThatCannotStart: async () => {
    const mark = `mark-${randomUUID()}`;
    const run = aRun({ local: { command: ['no-such-command-anywhere', mark] } });
    marks.set(run, mark);
    return run;
  },
  removeAsSomebodyElse: async (run, name) => {
    for (const group of groupsOf(markOf(run))) process.kill(group, 'SIGKILL');
    const directory = join(folder, 'runs', run.uid);
    for (const file of readdirSync(directory)) if (file.startsWith(`${name}.`)) rmSync(join(directory, file));
  },
  liveProgramsOf: async (run) => groupsOf(markOf(run)).length,
  // They are children of the engine's process: a later engine could not learn their exit codes.
  attemptsOutliveEngine: false,
  deadlineMs: DEADLINE_MS,
});

describe('the local engine', () => {
  let engine: Engine;

  beforeEach(() => {
    engine = createEngine();
  });
  afterEach(() => engine.close());

  const start = async (run: RunDefinition, index = 0): Promise<void> =>
    expect(await engine.startAttempt(requestFor(run, index))).toEqual({ kind: 'Started' });

  const endOf = (run: RunDefinition, index = 0): Promise<Termination> =>
    untilAnnounced(
      engine,
      run,
      'the program has ended',
      () => {
        const state = shown(engine, run, index)?.state;
        return state?.kind === 'Ended' ? state.termination : undefined;
      },
      DEADLINE_MS,
    );

  const untilGone = (run: RunDefinition): Promise<true> =>
    untilAnnounced(engine, run, 'gone', () => (shown(engine, run) ? undefined : true), DEADLINE_MS);

  const runToEnd = async (run: RunDefinition): Promise<Termination> => {
    await start(run);
    return endOf(run);
  };

  const directoryOf = (run: RunDefinition): string => join(folder, 'runs', run.uid);
  const stemOf = (run: RunDefinition): string => join(directoryOf(run), requestFor(run).name);
  const stdoutOf = (run: RunDefinition): string => readFileSync(`${stemOf(run)}.stdout.log`, 'utf8');

  /** What the program has written to a file in its run's directory. */
  const written = async (run: RunDefinition, name: string): Promise<string> => {
    const file = join(directoryOf(run), name);
    await expect
      .poll(() => existsSync(file) && readFileSync(file, 'utf8').endsWith('\n'), { timeout: DEADLINE_MS })
      .toBe(true);
    return readFileSync(file, 'utf8');
  };

  /** The program's own view of its environment. */
  const environmentOf = async (run: RunDefinition): Promise<Record<string, string>> => {
    await runToEnd(run);
    return JSON.parse(stdoutOf(run));
  };
  const PRINT_ENVIRONMENT = [process.execPath, '-e', 'console.log(JSON.stringify(process.env))'];
  const PRINT_ARGUMENTS = [
    process.execPath,
    '-e',
    'console.log(JSON.stringify(process.argv.slice(1)))',
    '--',
  ];

  describe('what it runs', () => {
    it('says that spec.local.command is needed when nothing tells what to run', async () => {
      const outcome = await engine.startAttempt(requestFor(aRun({ container: { args: ['--fast'] } })));
      expect(outcome).toMatchObject({ kind: 'Refused', reason: 'CommandMissing' });
      expect(outcome).toHaveProperty('message', expect.stringContaining('set spec.local.command'));
    });

    it("is the container's command and args when there is no local command", async () => {
      const run = aRun({ container: { command: ['/bin/sh', '-c'], args: ['exit 4'] } });
      expect(await runToEnd(run)).toMatchObject({ exitCode: 4 });
    });

    it("is the local command with the container's args, unless there are local ones", async () => {
      const container = { command: ['/never/run'], args: ['theirs', '$(LEVEL)'] };
      const parameters = { LEVEL: '9' };
      const inherited = aRun({ container, parameters, local: { command: PRINT_ARGUMENTS } });
      await runToEnd(inherited);
      expect(stdoutOf(inherited)).toBe('["theirs","9"]\n');
      const replaced = aRun({ container, parameters, local: { command: PRINT_ARGUMENTS, args: ['own'] } });
      await runToEnd(replaced);
      expect(stdoutOf(replaced)).toBe('["own"]\n');
    });

    it('passes on parameters of any form, in args and in the environment, without a shell', async () => {
      const odd = ' a  b\t"c" \'d\' `e` $(f) $$ ; rm -rf . \n naïve 日本 🎯 \\';
      const args = aRun({
        parameters: { ODD: odd },
        local: { command: PRINT_ARGUMENTS, args: ['$(ODD)', '$$(ODD)', '$(NONE)'] },
      });
      await runToEnd(args);
      expect(JSON.parse(stdoutOf(args))).toEqual([odd, '$(ODD)', '$(NONE)']);
      const variantName = '"quoted" \'name\' 日本 $(x)';
      const environment = await environmentOf(
        aRun({ parameters: { ODD: odd }, variantName, local: { command: PRINT_ENVIRONMENT } }),
      );
      expect(environment).toMatchObject({
        ODD: odd,
        BATCHTEST_VARIANT: variantName,
        BATCHTEST_PARAMETERS: JSON.stringify({ ODD: odd }),
        BATCHTEST_REPETITION: '0',
      });
    });

    it("runs in the manifest's folder, or in the one that is given relative to it", async () => {
      mkdirSync(join(folder, 'sub folder'), { recursive: true });
      const inManifestFolder = aRunOfScript('pwd -P');
      await runToEnd(inManifestFolder);
      const inSubfolder = aRunOfScript('pwd -P', { local: { workingDir: 'sub folder' } });
      await runToEnd(inSubfolder);
      const [outer, inner] = [inManifestFolder, inSubfolder].map((run) => stdoutOf(run).trim());
      expect(inner).toBe(`${outer}/sub folder`);
    });

    it.each([
      [
        'a command that is on no PATH',
        { command: ['no-such-command'] },
        'CommandNotFound',
        'is in none of the folders of PATH',
      ],
      ['a path that does not exist', { command: ['./no-such-file'] }, 'CommandNotFound', 'does not exist'],
      [
        'a script without its interpreter',
        { command: ['./lost-interpreter'] },
        'CommandNotFound',
        'interpreter',
      ],
      [
        'a file that is not executable',
        { command: ['./not-executable'] },
        'CommandNotExecutable',
        'may not be executed',
      ],
      [
        'a folder to run in that does not exist',
        { command: ['true'], workingDir: 'nowhere' },
        'WorkingDirectoryMissing',
        'nowhere',
      ],
      [
        'a file to run in',
        { command: ['true'], workingDir: 'not-executable' },
        'WorkingDirectoryMissing',
        'not-executable',
      ],
      [
        'arguments that are too long',
        { command: ['true', 'x'.repeat(3_000_000)] },
        'ArgumentsTooLong',
        'longer than this system takes',
      ],
      ['a link to itself', { command: ['./circle'] }, 'StartFailed', 'ELOOP (too many symbolic links'],
      ['a name that is too long', { command: [`./${'x'.repeat(300)}`] }, 'StartFailed', 'ENAMETOOLONG'],
      ['a NUL character', { command: ['true', 'a\0b'] }, 'InvalidArgument', 'null bytes'],
    ])('refuses %s, and says so', async (_, local, reason, words) => {
      writeFileSync(join(folder, 'not-executable'), '#!/bin/sh\n', { mode: 0o644 });
      writeFileSync(join(folder, 'lost-interpreter'), '#!/no/such/interpreter\n');
      chmodSync(join(folder, 'lost-interpreter'), 0o755);
      if (!existsSync(join(folder, 'circle')) && local.command[0] === './circle')
        symlinkSync('circle', join(folder, 'circle'));
      const run = aRun({ local });
      const outcome = await engine.startAttempt(requestFor(run));
      expect(outcome).toMatchObject({ kind: 'Refused', reason });
      expect(outcome).toHaveProperty('message', expect.stringContaining(words));
      expect(engine.observe(run)).toEqual([]);
      expect(readdirSync(directoryOf(run), { recursive: true })).toEqual(['artifacts']);
    });

    it.runIf(process.getuid?.() !== 0)('refuses a folder to run in that its user may not enter', async () => {
      mkdirSync(join(folder, 'closed'), { mode: 0o600 });
      const run = aRun({ local: { command: ['true'], workingDir: 'closed' } });
      expect(await engine.startAttempt(requestFor(run))).toMatchObject({
        kind: 'Refused',
        reason: 'WorkingDirectoryNotPermitted',
      });
    });

    it('refuses what it cannot make logs for', async () => {
      writeFileSync(join(folder, 'a-file'), '');
      const broken = createEngine({ runsDirectory: join(folder, 'a-file', 'runs') });
      const run = aRunOfScript('exit 0');
      expect(await broken.startAttempt(requestFor(run))).toMatchObject({
        kind: 'Refused',
        reason: 'FilesNotMade',
        message: expect.stringMatching(/^the log of .* cannot be made: ENOTDIR/),
      });
      expect(broken.observe(run)).toEqual([]);
      await broken.close();
    });

    it('refuses to start anything once three launchers in a row have ended by themselves', async () => {
      // What loads the launcher's source here ends without it.
      const broken = createEngine({ environment: { ...process.env, TSX_TSCONFIG_PATH: '/no/such/file' } });
      const run = aRunOfScript('exit 0');
      const outcomes = [];
      for (let time = 0; time < 5; time += 1) outcomes.push(await broken.startAttempt(requestFor(run)));
      expect(outcomes.filter(({ kind }) => kind === 'Postponed').length).toBeLessThan(3);
      expect(outcomes.at(-1)).toEqual({
        kind: 'Refused',
        reason: 'LauncherFailed',
        message: expect.stringMatching(
          /was ended by exit code \d+, \d times in a row before it had done anything/,
        ),
      });
      expect(broken.observe(run)).toEqual([]);
      await broken.close();
    });

    it('does not fail when a program made it impossible to remove its token', async () => {
      const tokens = new AttemptTokens();
      const pushing = createEngine({ push: { url: 'http://127.0.0.1:9/', tokens } });
      // As root may do everything else, the folder is no folder any more.
      const run = aRunOfScript('D=$(dirname "$BATCHTEST_RESULT_FILE"); rm -r "$D"; echo > "$D"', {
        push: true,
      });
      await pushing.startAttempt(requestFor(run));
      await untilAnnounced(
        pushing,
        run,
        'it has ended',
        () => (shown(pushing, run)?.state.kind === 'Ended' ? true : undefined),
        DEADLINE_MS,
      );
      await pushing.removeAttempts(run, [requestFor(run).name]);
      expect(pushing.observe(run)).toEqual([]);
      expect(await pushing.startAttempt(requestFor(run))).toMatchObject({
        kind: 'Refused',
        reason: 'FilesNotMade',
      });
      await pushing.close();
    });
  });

  describe('the environment', () => {
    it('is inherited, but for what leads to the result store or comes from an outer BatchTest', async () => {
      await engine.close();
      engine = createEngine({
        environment: {
          ...process.env,
          KEPT: 'yes',
          DATABASE_URL: 'postgres://secret',
          PGPASSWORD: 'secret',
          PGHOST: 'secret',
          BATCHTEST_OUTER: 'secret',
        },
      });
      const environment = await environmentOf(aRun({ local: { command: PRINT_ENVIRONMENT } }));
      expect(environment.KEPT).toBe('yes');
      expect(Object.values(environment).filter((value) => value.includes('secret'))).toEqual([]);
    });

    it('has the options of Node that this process was given, wherever they lead from: the launcher does not', async () => {
      await engine.close();
      writeFileSync(join(folder, 'beside.cjs'), '');
      engine = createEngine({ environment: { ...process.env, NODE_OPTIONS: '--require ./beside.cjs' } });
      const { NODE_OPTIONS } = await environmentOf(aRun({ local: { command: PRINT_ENVIRONMENT } }));
      expect(NODE_OPTIONS).toBe('--require ./beside.cjs');
    });

    it('takes BATCHTEST_ variables before parameters, these before local.env, and that before the container', async () => {
      await engine.close();
      engine = createEngine({
        environment: { ...process.env, A: 'parent', B: 'parent', C: 'parent', D: 'parent' },
      });
      const run = aRun({
        parameters: { A: 'parameter' },
        container: {
          env: [
            { name: 'A', value: 'container' },
            { name: 'B', value: 'container' },
            { name: 'C', value: 'container' },
            { name: 'SECRET', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
            { name: 'UNSET', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
            { name: 'MIX', value: '$(A)-$(B)-$(C)-$(SECRET)-$(D)' },
          ],
        },
        local: { command: PRINT_ENVIRONMENT, env: { A: 'local', B: 'local', SECRET: 'local' } },
      });
      const environment = await environmentOf(run);
      expect(environment).toMatchObject({
        A: 'parameter',
        B: 'local',
        C: 'container',
        D: 'parent',
        SECRET: 'local',
      });
      expect(environment).not.toHaveProperty('UNSET');
      // What this machine happens to set is no part of the manifest, so it is not referred to.
      expect(environment.MIX).toBe('parameter-local-container-local-$(D)');
    });

    it.runIf(existsSync('/proc/self/fd'))(
      'opens nothing for a program but its input and output',
      async () => {
        const list = 'ls /proc/$$/fd; readlink /proc/$$/fd/0';
        const expected = execFileSync('/bin/sh', ['-c', list], {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'pipe'],
        });
        await start(aRunOfScript('sleep 600'));
        const run = aRunOfScript(list);
        await runToEnd(run);
        expect(stdoutOf(run)).toBe(expected);
      },
    );
  });

  describe('the artifacts directory', () => {
    it('is an empty folder of the attempt, whatever an earlier process left there, and its files are told of', async () => {
      const run = aRunOfScript(
        'ls -A "$BATCHTEST_ARTIFACTS_DIR"; echo hi > "$BATCHTEST_ARTIFACTS_DIR/out.txt"; echo "$1"',
        { local: { args: ['$(BATCHTEST_ARTIFACTS_DIR)'] } },
      );
      const directory = join(directoryOf(run), 'artifacts', requestFor(run).name);
      mkdirSync(join(directory, 'deep'), { recursive: true });
      expect(await runToEnd(run)).toMatchObject({
        exitCode: 0,
        artifacts: {
          kind: 'Files',
          directory: `file://${directory}/`,
          files: [{ path: 'out.txt', uri: `file://${directory}/out.txt`, size: 3, mediaType: 'text/plain' }],
        },
      });
      expect(stdoutOf(run)).toBe(`${directory}\n`);
    });

    it('is read after the end of its program, which neither its removal nor a deadline can change any more', async () => {
      // A sparse file takes no space, and long enough to read for it to be seen.
      const run = aRunOfScript('truncate -s 400M "$BATCHTEST_ARTIFACTS_DIR/model.bin"', { trials: 2 });
      const untilRead = (index: number) =>
        untilAnnounced(
          engine,
          run,
          'what it left is read',
          () => {
            const state = shown(engine, run, index)?.state;
            return state?.kind === 'Running' && state.endedAt !== undefined ? state : undefined;
          },
          DEADLINE_MS,
        );
      await start(run, 0);
      const { since, endedAt } = await untilRead(0);
      expect(endedAt).toBeGreaterThanOrEqual(since);
      expect(isLive(shown(engine, run, 0) as ObservedAttempt)).toBe(true);
      expect(await endOf(run, 0)).toMatchObject({
        exitCode: 0,
        artifacts: { files: [{ path: 'model.bin', size: 400 * 1_024 ** 2 }] },
      });
      expect(shown(engine, run, 0)?.state).toMatchObject({ kind: 'Ended', at: endedAt });
      await start(run, 1);
      await untilRead(1);
      await engine.removeAttempts(run, [requestFor(run, 1).name]);
      expect(shown(engine, run, 1)).toBeUndefined();
    });

    it('is not looked into when the program failed', async () => {
      const run = aRunOfScript('echo hi > "$BATCHTEST_ARTIFACTS_DIR/out.txt"; exit 1');
      expect(await runToEnd(run)).not.toHaveProperty('artifacts');
    });
  });

  describe('the result file', () => {
    it.each([
      ['a folder', 'mkdir "$BATCHTEST_RESULT_FILE"'],
      ['a FIFO', 'mkfifo "$BATCHTEST_RESULT_FILE"'],
      ['a symbolic link', 'echo "{}" > real.json; ln -s "$PWD/real.json" "$BATCHTEST_RESULT_FILE"'],
      ['a dangling link', 'ln -s nowhere "$BATCHTEST_RESULT_FILE"'],
      ['a link to an endless device', 'ln -s /dev/zero "$BATCHTEST_RESULT_FILE"'],
      ['nothing', ':'],
    ])('counts for nothing when it is %s', async (_, script) => {
      expect(await runToEnd(aRunOfScript(`${script}; exit 0`))).toMatchObject({
        exitCode: 0,
        message: '',
        truncated: false,
      });
    });

    it('may hold 4,096 bytes', async () => {
      const run = aRunOfScript('head -c 4096 /dev/zero | tr "\\0" x > "$BATCHTEST_RESULT_FILE"');
      expect(await runToEnd(run)).toMatchObject({ message: 'x'.repeat(4_096), truncated: false });
    });

    it('is truncated, to its end as by a kubelet, when it is longer', async () => {
      const run = aRunOfScript(
        '{ printf a; head -c 4096 /dev/zero | tr "\\0" x; } > "$BATCHTEST_RESULT_FILE"',
      );
      expect(await runToEnd(run)).toMatchObject({ message: 'x'.repeat(4_096), truncated: true });
    });

    it('is not read whole when it is huge', async () => {
      const run = aRunOfScript(
        'dd if=/dev/null of="$BATCHTEST_RESULT_FILE" bs=1 seek=1000000000 2>/dev/null',
      );
      const termination = await runToEnd(run);
      expect(termination).toMatchObject({ exitCode: 0, truncated: true });
      expect(termination.message).toHaveLength(4_096);
    });

    it('is decoded with replacement characters when it is not UTF-8', async () => {
      const run = aRunOfScript('printf "\\377\\376{\\303" > "$BATCHTEST_RESULT_FILE"');
      expect(await runToEnd(run)).toMatchObject({ exitCode: 0, message: '\ufffd\ufffd{\ufffd' });
    });

    it.each([
      ['alone', ['result.json']],
      ['with its logs', ['result.json', 'stdout.log', 'stderr.log']],
    ])('of an earlier process, which was not recorded, is not taken for this one, %s', async (_, left) => {
      const run = aRunOfScript('exit 0');
      mkdirSync(directoryOf(run), { recursive: true });
      for (const file of left) writeFileSync(`${stemOf(run)}.${file}`, '{"metrics":{"x":1}}');
      expect(await runToEnd(run)).toMatchObject({ exitCode: 0, message: '' });
      expect(stdoutOf(run)).toBe('');
    });

    it('is taken whatever an earlier process left in its place', async () => {
      const run = aRunOfScript('echo "{}" > "$BATCHTEST_RESULT_FILE"; echo done');
      for (const file of ['result.json', 'stdout.log', 'stderr.log'])
        mkdirSync(join(`${stemOf(run)}.${file}`, 'deep'), { recursive: true });
      expect(await runToEnd(run)).toMatchObject({ exitCode: 0, message: '{}\n' });
      expect(stdoutOf(run)).toBe('done\n');
    });

    it('is taken though somebody removed the directory of the run since the attempt before', async () => {
      const run = aRunOfScript('echo "{}" > "$BATCHTEST_RESULT_FILE"', { trials: 2 });
      await runToEnd(run);
      rmSync(directoryOf(run), { recursive: true });
      await start(run, 1);
      expect(await endOf(run, 1)).toMatchObject({ exitCode: 0, message: '{}\n' });
    });
  });

  describe('the message of a program that failed without a result', () => {
    it('is the end of its output, errors last, at most 2,048 bytes', async () => {
      const run = aRunOfScript('head -c 5000 /dev/zero | tr "\\0" o; echo "the error" >&2; exit 1');
      const { message } = await runToEnd(run);
      expect(message).toBe(`${'o'.repeat(2_048 - 10)}the error\n`);
    });

    it('is at most 80 lines', async () => {
      const run = aRunOfScript('i=0; while [ $i -lt 200 ]; do i=$((i+1)); echo $i; done; exit 1');
      const { message } = await runToEnd(run);
      expect(message.trimEnd().split('\n')).toEqual(
        Array.from({ length: 80 }, (_, index) => String(121 + index)),
      );
    });

    it('does not begin with a piece of a character', async () => {
      // 684 characters of 3 bytes: the last 2,048 bytes begin inside one.
      const run = aRunOfScript('i=0; while [ $i -lt 684 ]; do i=$((i+1)); printf 日; done; exit 1');
      const { message } = await runToEnd(run);
      expect(message).toBe('日'.repeat(682));
    });

    it('is empty when it succeeded', async () => {
      expect(await runToEnd(aRunOfScript('echo output'))).toMatchObject({ exitCode: 0, message: '' });
    });
  });

  describe('the end of a program', () => {
    it.each([
      ['SIGKILL', 137],
      ['SIGTERM', 143],
      ['SIGSEGV', 139],
      ['SIGABRT', 134],
    ])('by %s is exit code %i', async (signal, exitCode) => {
      expect(await runToEnd(aRunOfScript(`kill -${signal.slice(3)} $$`))).toMatchObject({
        kind: 'Exited',
        exitCode,
      });
    });

    it('ends what it left running in the background, before it is shown', async () => {
      const run = aRunOfScript('sleep 600 & echo $! > "$(dirname "$BATCHTEST_RESULT_FILE")/child"; exit 0');
      expect(await runToEnd(run)).toMatchObject({ exitCode: 0 });
      expect(isAlive(Number(await written(run, 'child')))).toBe(false);
    });
  });

  describe('removing a live attempt', () => {
    it('ends grandchildren as well', async () => {
      const run = aRunOfScript(
        '(sleep 600 & echo $! > "$(dirname "$BATCHTEST_RESULT_FILE")/grandchild"; wait) & wait',
      );
      await start(run);
      const grandchild = Number(await written(run, 'grandchild'));
      expect(isAlive(grandchild)).toBe(true);
      await engine.removeAttempts(run, [requestFor(run).name]);
      await untilGone(run);
      expect(isAlive(grandchild)).toBe(false);
    });

    it('lets a program clean up within its grace period', async () => {
      const here = '$(dirname "$BATCHTEST_RESULT_FILE")';
      const run = aRunOfScript(
        `trap 'echo cleaned > "${here}/cleaned"; exit 0' TERM; echo > "${here}/ready"; while :; do sleep 0.05; done`,
      );
      await start(run);
      await written(run, 'ready');
      await engine.removeAttempts(run, [requestFor(run).name]);
      expect(shown(engine, run)?.state).toEqual({ kind: 'Stopping' });
      await untilGone(run);
      expect(readFileSync(join(directoryOf(run), 'cleaned'), 'utf8')).toBe('cleaned\n');
    });

    it('asks grandchildren as well, not only the program itself', async () => {
      const here = '$(dirname "$BATCHTEST_RESULT_FILE")';
      const grandchild = `trap 'echo cleaned > "${here}/cleaned"; exit 0' TERM; echo > "${here}/ready"; while :; do sleep 0.05; done`;
      const run = aRunOfScript(`trap : TERM; (${grandchild}) & wait; wait`);
      await start(run);
      await written(run, 'ready');
      await engine.removeAttempts(run, [requestFor(run).name]);
      await untilGone(run);
      expect(readFileSync(join(directoryOf(run), 'cleaned'), 'utf8')).toBe('cleaned\n');
    });

    const IGNORES_TERM =
      'trap "" TERM; echo > "$(dirname "$BATCHTEST_RESULT_FILE")/ready"; while :; do sleep 0.05; done';

    it.each([
      ["the template's grace period", 1, undefined],
      ['a grace period of 0, at once', 0, undefined],
      ["the engine's own grace period", 3_600, 100],
    ])('kills a program that ignores SIGTERM after %s', async (_, graceSeconds, killGraceMs) => {
      await engine.close();
      engine = createEngine(killGraceMs === undefined ? {} : { killGraceMs });
      const mark = `mark-${randomUUID()}`;
      const run = aRunOfScript(IGNORES_TERM, { graceSeconds, mark });
      await start(run);
      await written(run, 'ready');
      await engine.removeAttempts(run, [requestFor(run).name]);
      await untilGone(run);
      expect(groupsOf(mark)).toEqual([]);
    });

    it('keeps its logs', async () => {
      const run = aRunOfScript(
        'echo "what it did"; echo > "$(dirname "$BATCHTEST_RESULT_FILE")/ready"; sleep 600',
      );
      await start(run);
      await written(run, 'ready');
      await engine.removeAttempts(run, [requestFor(run).name]);
      await untilGone(run);
      expect(stdoutOf(run)).toBe('what it did\n');
    });
  });

  describe('once it is closed', () => {
    it('starts nothing', async () => {
      await engine.close();
      await expect(engine.startAttempt(requestFor(aRunOfScript('exit 0')))).rejects.toThrow(/closed/);
    });

    it.runIf(existsSync('/proc/self/environ'))(
      'has ended programs that left their process group',
      async () => {
        const script = `${process.execPath} -e '
        const { spawn } = require("node:child_process");
        const daemon = spawn("sleep", ["600"], { detached: true, stdio: "ignore" });
        require("node:fs").writeFileSync(process.argv[1], daemon.pid + "\\n");
        daemon.unref();
      ' "$(dirname "$BATCHTEST_RESULT_FILE")/daemon"`;
        const run = aRunOfScript(script);
        await runToEnd(run);
        const daemon = Number(await written(run, 'daemon'));
        expect(isAlive(daemon)).toBe(true);
        await engine.close();
        await expect.poll(() => isAlive(daemon), { timeout: DEADLINE_MS }).toBe(false);
      },
    );
  });

  it('ends what its launcher had started when that was killed, and goes on with another one', async () => {
    const mark = randomUUID();
    await engine.close();
    engine = createEngine({ instanceId: mark });
    const launchers = () => groupsOf(`BATCHTEST_ENGINE=${mark}`);
    const run = aRunOfScript(
      '(setsid sleep 600 & echo $! > "$(dirname "$BATCHTEST_RESULT_FILE")/child"; wait) & wait',
      { trials: 2 },
    );
    await start(run);
    const child = Number(await written(run, 'child'));
    const [first] = launchers();
    if (first === undefined) throw new Error('there is no launcher');
    process.kill(first, 'SIGKILL');
    expect(await endOf(run)).toMatchObject({
      kind: 'Lost',
      reason: 'LauncherLost',
      message: 'the process that starts programs was ended by SIGKILL',
    });
    // Only where /proc shows environments can one be found that has left its group.
    if (existsSync('/proc/self/environ')) await expect.poll(() => isAlive(child)).toBe(false);
    else process.kill(child, 'SIGKILL');
    await start(run, 1);
    expect(launchers().filter((group) => group !== first)).toHaveLength(1);
    await engine.close();
    expect(launchers()).toEqual([]);
    expect(engine.observe(run)).toHaveLength(1);
  });

  const mayBecomeOthers = process.platform === 'linux' && process.getuid?.() === 0 && isMainThread;

  it.runIf(mayBecomeOthers && existsSync('/usr/bin/setpriv'))(
    'says of a program of another user that it cannot be ended, and ends it once it can be',
    async () => {
      const run = aRunOfScript('exec setpriv --reuid=1234 --clear-groups sleep 600', { graceSeconds: 0 });
      await start(run);
      // Before that it is the same user's.
      const isOthers = () => execFileSync('ps', ['-A', '-o', 'uid=,args=']).includes('1234 sleep 600');
      await expect.poll(isOthers, { timeout: DEADLINE_MS }).toBe(true);
      try {
        // Whoever is neither root nor the program's user.
        process.seteuid?.(65_534);
        await engine.removeAttempts(run, [requestFor(run).name]);
        expect(shown(engine, run)?.state).toEqual({
          kind: 'Stopping',
          message: expect.stringMatching(/^process \d+ cannot be ended: it runs as another user$/),
        });
      } finally {
        process.seteuid?.(0);
      }
      await untilGone(run);
    },
  );

  it.runIf(mayBecomeOthers && existsSync('/usr/bin/setpriv'))(
    'closes though a program cannot be ended, and says which',
    async () => {
      const left: string[] = [];
      const closing = createEngine({ onLeftRunning: (what) => left.push(what) });
      const run = aRunOfScript('exec setpriv --reuid=1235 --clear-groups sleep 600', { graceSeconds: 0 });
      await closing.startAttempt(requestFor(run));
      const isOthers = () => execFileSync('ps', ['-A', '-o', 'uid=,args=']).includes('1235 sleep 600');
      await expect.poll(isOthers, { timeout: DEADLINE_MS }).toBe(true);
      try {
        process.seteuid?.(65_534);
        await closing.close();
      } finally {
        process.seteuid?.(0);
      }
      expect(left).toEqual([
        expect.stringMatching(/^programs may still run of sample-a-\w+ \(process \d+ cannot be ended: /),
      ]);
      // The launcher of this test is root's, and ends it.
      await expect.poll(isOthers, { timeout: DEADLINE_MS }).toBe(false);
    },
    60_000,
  );

  it('has seen, after a pause of its process, only what it has read since', async () => {
    const here = '$(dirname "$BATCHTEST_RESULT_FILE")';
    const run = aRunOfScript(`echo $$ > "${here}/pid"; while [ ! -e "${here}/paused" ]; do sleep 0.05; done`);
    await start(run);
    const pid = Number(await written(run, 'pid'));
    const wait = (ms: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
    const isThere = (): boolean => {
      try {
        return process.kill(pid, 0);
      } catch {
        return false;
      }
    };
    // Nothing of this process goes on meanwhile; the launcher does, and collects the program before it tells of its end.
    writeFileSync(join(directoryOf(run), 'paused'), '');
    while (isThere()) wait(10);
    wait(500);
    const pausedUntil = Date.now();
    expect(shown(engine, run)?.state.kind).not.toBe('Ended');
    expect(engine.seenUntil(run, pausedUntil)).toBeLessThan(pausedUntil);
    await expect.poll(() => engine.seenUntil(run, Date.now())).toBeGreaterThanOrEqual(pausedUntil);
    expect(shown(engine, run)?.state.kind).toBe('Ended');
  });

  it('tells when a program started by its own clock, which the launcher does not have', async () => {
    const now = () => Date.now() - 3_600_000;
    const behind = createEngine({ now });
    const run = aRunOfScript('sleep 600', { graceSeconds: 0 });
    const askedAt = now();
    await behind.startAttempt(requestFor(run));
    const state = shown(behind, run)?.state;
    await behind.close();
    const since = state?.kind === 'Running' ? state.since : undefined;
    // Two clocks are read for it, one after the other.
    expect(since).toBeGreaterThanOrEqual(askedAt - 100);
    expect(since).toBeLessThanOrEqual(now());
  });

  it('ends an attempt that is removed while it is being started', async () => {
    const run = aRunOfScript('sleep 600');
    const starting = start(run);
    await engine.removeAttempts(run, [requestFor(run).name]);
    expect(shown(engine, run)?.state).toEqual({ kind: 'Stopping' });
    await starting;
    await untilGone(run);
  });

  it('ends what is being started when it is closed', async () => {
    const mark = `mark-${randomUUID()}`;
    const run = aRunOfScript('sleep 600', { mark });
    const starting = start(run);
    await engine.close();
    await starting;
    expect(groupsOf(mark)).toEqual([]);
    expect(engine.observe(run)).toEqual([]);
  });

  it('postpones a start while the machine has no more files to open, and starts once it has', async () => {
    const fileUrl = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
    const source = `
      import { closeSync, openSync } from 'node:fs';
      import { createLocalEngine } from ${fileUrl('./local-engine.ts')};
      import { batchTestSchema } from ${fileUrl('../../api/v1alpha1/schema.ts')};
      import { attemptName } from ${fileUrl('../../core/attempt.ts')};
      import { defineRun } from ${fileUrl('../../core/run.ts')};
      const { runsDirectory, instanceId, uid, manifest } = JSON.parse(process.argv[1]);
      const run = defineRun(batchTestSchema.parse(manifest), { uid, engine: 'local' });
      const start = (index) => {
        const trial = run.trials[index];
        return engine.startAttempt({ run, trial, attempt: 1, name: attemptName(run, trial, 1), deadlineSeconds: 60 });
      };
      const takeAllFiles = () => {
        const taken = [];
        try {
          for (;;) taken.push(openSync('/dev/null'));
        } catch {
          return () => taken.forEach((descriptor) => closeSync(descriptor));
        }
      };
      const outcomes = [];
      const giveBack = takeAllFiles();
      const engine = createLocalEngine({
        runsDirectory, manifestDirectory: '/', environment: process.env, instanceId, now: Date.now,
      });
      outcomes.push(await start(0), engine.observe(run).length);
      giveBack();
      outcomes.push(await start(0), engine.observe(run).length);
      await engine.close();
      console.log(JSON.stringify(outcomes));
    `;
    const uid = randomUUID();
    const argument = JSON.stringify({
      runsDirectory: join(folder, 'runs'),
      instanceId: uid,
      uid,
      manifest: aRunOfScript('sleep 600').manifest,
    });
    const command = [process.execPath, '--import', 'tsx', '--input-type=module', '--eval', source, argument];
    const output = execFileSync('/bin/sh', ['-c', 'ulimit -n 200; exec "$@"', 'limited', ...command], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
    });
    const postponed = {
      kind: 'Postponed',
      reason: 'ResourceShortage',
      message: expect.stringMatching(/cannot start/),
      retryAfterMs: 1_000,
    };
    const started = { kind: 'Started' };
    expect(JSON.parse(output)).toEqual([postponed, 0, started, 1]);
  });

  // Only where /proc shows environments can a program be found whose start was not yet written down.
  describe.runIf(existsSync('/proc/self/environ'))('when its process is killed by SIGKILL', () => {
    const fileUrl = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
    const LONG_PROGRAMS = [
      'sleep 600',
      '(sleep 600 & wait) & wait',
      'trap "" TERM; while :; do sleep 0.1; done',
      'setsid sleep 600 & sleep 600',
    ];
    /** Starts the long programs, then short ones one after the other until it is killed. */
    const PARENT = `
      import { createLocalEngine } from ${fileUrl('./local-engine.ts')};
      import { batchTestSchema } from ${fileUrl('../../api/v1alpha1/schema.ts')};
      import { attemptName } from ${fileUrl('../../core/attempt.ts')};
      import { defineRun } from ${fileUrl('../../core/run.ts')};
      const { runsDirectory, instanceId, uid, manifest } = JSON.parse(process.argv[1]);
      const engine = createLocalEngine({
        runsDirectory, manifestDirectory: '/', environment: process.env, instanceId, now: Date.now,
      });
      const run = defineRun(batchTestSchema.parse(manifest), { uid, engine: 'local' });
      const start = (trial, attempt) =>
        engine.startAttempt({ run, trial, attempt, name: attemptName(run, trial, attempt), deadlineSeconds: 60 });
      const isShort = ({ variant }) => variant.parameters.SCRIPT === ':';
      for (const trial of run.trials) if (!isShort(trial)) await start(trial, 1);
      const short = run.trials.find(isShort);
      let attempt = 0;
      const next = () => start(short, (attempt += 1));
      engine.onChange(() => {
        for (const { state, name } of engine.observe(run))
          if (state.kind === 'Ended') engine.removeAttempts(run, [name]).then(next);
      });
      for (let slot = 0; slot < 3; slot += 1) await next();
    `;

    const marked = (instanceId: string): readonly string[] =>
      readdirSync('/proc').filter((entry) => {
        if (!/^[0-9]+$/.test(entry)) return false;
        try {
          return readFileSync(`/proc/${entry}/environ`, 'latin1').includes(
            `BATCHTEST_ENGINE=${instanceId}\0`,
          );
        } catch {
          return false;
        }
      });

    // At another moment each time: in the middle of a spawn, before it, after it.
    it.each([0, 1, 3, 7, 15, 31])(
      'F38: leaves nothing running, killed %i ms after its programs came up',
      async (delayMs) => {
        const [instanceId, uid] = [randomUUID(), randomUUID()];
        const { manifest } = aRun({ local: { command: ['/bin/sh', '-c', 'eval "$SCRIPT"'] } });
        const variants = [...LONG_PROGRAMS, ':'].map((SCRIPT, index) => ({
          name: `program ${index}`,
          parameters: { SCRIPT },
        }));
        const argument = JSON.stringify({
          runsDirectory: join(folder, 'runs'),
          instanceId,
          uid,
          manifest: { ...manifest, spec: { ...manifest.spec, variants } },
        });
        const parent = spawn(
          process.execPath,
          ['--import', 'tsx', '--input-type=module', '--eval', PARENT, argument],
          { cwd: import.meta.dirname, stdio: ['ignore', 'ignore', 'inherit'] },
        );
        try {
          // One process of the first program, three of the second, two of the third and three of the last.
          await expect
            .poll(() => marked(instanceId).length, { timeout: DEADLINE_MS })
            .toBeGreaterThanOrEqual(9);
          await new Promise((resolve) => setTimeout(resolve, delayMs));
        } finally {
          parent.kill('SIGKILL');
        }
        await expect.poll(() => marked(instanceId), { timeout: DEADLINE_MS }).toEqual([]);
        await expect
          .poll(() => groupsOf(`BATCHTEST_ENGINE=${instanceId}`), { timeout: DEADLINE_MS })
          .toEqual([]);
      },
    );
  });
});
