/** .ci/run with stand-ins for npm and npx: which suites it runs, what it says of those that it does not, and how it ends. */
import { execFile, execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { REPOSITORY } from '../tools/markdown-page.ts';

/** What the script does itself, of this machine. There is no apt-get among them, so it installs nothing. */
const PROGRAMS = ['bash', 'dirname', 'ls', 'mkdir'];

interface Machine {
  /** In the words of the shell: what `npm run …` is, with `$2` as its name, and `npm ci`. */
  readonly npmRun?: string;
  readonly npmCi?: string;
  /** Likewise, test/tools/real-node/machine-check.ts. */
  readonly machineCheck?: string;
  readonly arePeersBuilt?: boolean;
  readonly secondsBefore?: number;
}

interface Run {
  readonly exitCode: number;
  /** Lines of standard output. */
  readonly said: readonly string[];
}

async function run(machine: Machine): Promise<Run> {
  const {
    npmRun = 'true',
    npmCi = 'true',
    machineCheck = 'true',
    arePeersBuilt = true,
    secondsBefore = 0,
  } = machine;
  const folder = mkdtempSync(join(tmpdir(), 'batchtest-ci-run-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const [programs, cache] = [join(folder, 'programs'), join(folder, 'cache')];
  for (const place of [programs, cache]) mkdirSync(place);
  cpSync(join(REPOSITORY, '.ci/run'), join(folder, '.ci/run'));
  for (const peer of arePeersBuilt ? ['argo', 'kueue'] : [])
    mkdirSync(join(cache, 'batchtest', peer, 'pins'), { recursive: true });
  for (const program of PROGRAMS) symlinkSync(found(program), join(programs, program));
  symlinkSync(process.execPath, join(programs, 'node'));
  const standIn = (name: string, text: string) =>
    writeFileSync(join(programs, name), `#!${found('bash')}\n${text}\n`, { mode: 0o755 });
  // Only root prepares the machine for a real node.
  standIn('id', 'echo 1000');
  standIn('npx', machineCheck);
  // Each suite passes two tests, and fails none.
  standIn(
    'npm',
    `if [ "$1" = ci ]; then ${npmCi}; exit; fi
     mkdir -p node_modules/.cache
     echo '{"numPassedTests":2,"numFailedTests":0}' >"\${TEST_RESULTS:-node_modules/.cache/test-results.json}"
     ${npmRun}`,
  );
  const { exitCode, stdout } = await promisify(execFile)(join(folder, '.ci/run'), {
    env: { PATH: programs, XDG_CACHE_HOME: cache, SECONDS: String(secondsBefore) },
  }).then(
    (ended) => ({ exitCode: 0, stdout: ended.stdout }),
    (failed) => ({ exitCode: failed.code, stdout: failed.stdout }),
  );
  return { exitCode, said: stdout.trimEnd().split('\n') };
}

const found = (program: string): string =>
  execFileSync('/bin/sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).trim();

it('ends with the counts of all suites', async () => {
  expect(await run({})).toEqual({ exitCode: 0, said: ['8 passed, 0 failed'] });
});

it('says at its end what a machine lacks that cannot host a real node, and passes', async () => {
  expect(await run({ machineCheck: 'printf "root; Linux"; exit 1' })).toEqual({
    exitCode: 0,
    said: [
      'left out: test:e2e (this machine cannot host a real node; it lacks: root; Linux)',
      '6 passed, 0 failed',
    ],
  });
});

it('fails when it cannot be told what the machine lacks', async () => {
  expect(await run({ machineCheck: 'echo SyntaxError >&2; exit 9' })).toEqual({
    exitCode: 9,
    said: [
      'left out: test:e2e (test/tools/real-node/machine-check.ts failed with exit code 9 and named nothing that this machine lacks)',
      '6 passed, 1 failed',
    ],
  });
});

it('says at its end what it had no time for, or would have to build first', async () => {
  expect(await run({ secondsBefore: 40 * 60, arePeersBuilt: false })).toEqual({
    exitCode: 0,
    said: [
      'left out: test:faults (lack of time)',
      'left out: test:peers (Argo Workflows and Kueue are not built, which would take too long)',
      '4 passed, 0 failed',
    ],
  });
});

it('runs nothing more after a check that failed, and says so', async () => {
  expect(await run({ npmRun: '[ "$2" != check ] || exit 3' })).toEqual({
    exitCode: 3,
    said: [
      'failed: npm run check (exit code 3)',
      'left out: test:faults, test:e2e and test:peers (what comes before them failed)',
      '2 passed, 1 failed',
    ],
  });
});

it('has something failed on its last line also when nothing was counted', async () => {
  expect(await run({ npmCi: 'exit 7' })).toEqual({
    exitCode: 7,
    said: [
      'failed: npm ci --no-audit --no-fund (exit code 7)',
      'left out: test:faults, test:e2e and test:peers (what comes before them failed)',
      '0 passed, 1 failed',
    ],
  });
});

it('counts the tests that failed, where they were counted', async () => {
  const counts = `echo '{"numPassedTests":5,"numFailedTests":3}' >node_modules/.cache/test-results.json`;
  expect(await run({ npmRun: `[ "$2" != check ] || { ${counts}; exit 1; }` })).toEqual({
    exitCode: 1,
    said: [
      'failed: npm run check (exit code 1)',
      'left out: test:faults, test:e2e and test:peers (what comes before them failed)',
      '5 passed, 3 failed',
    ],
  });
});

it('fails with a suite that fails, and runs the others all the same', async () => {
  expect(await run({ npmRun: '[ "$2" != test:faults ] || exit 4' })).toEqual({
    exitCode: 4,
    said: ['failed: npm run test:faults (exit code 4)', '8 passed, 1 failed'],
  });
});
