/** Workflows for GitHub, which nothing else here runs: their syntax, their expressions, and what they must have. */
import { execFile, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { resolveGoTool } from '../tools/go-tools.ts';
import { REPOSITORY } from '../tools/markdown-page.ts';

const FOLDER = '.github/workflows';
const workflows = readdirSync(join(REPOSITORY, FOLDER));

interface Step {
  readonly id?: string;
  readonly if?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly with?: Readonly<Record<string, unknown>>;
}

interface Job {
  readonly uses?: string;
  readonly 'timeout-minutes'?: number;
  readonly needs?: readonly string[];
  readonly permissions?: Readonly<Record<string, string>>;
  readonly steps?: readonly Step[];
}

let actionlint: string;
beforeAll(async () => {
  actionlint = await resolveGoTool('actionlint');
}, 600_000);

describe.each(workflows)('%s', (name) => {
  const text = readFileSync(join(REPOSITORY, FOLDER, name), 'utf8');

  it('is a workflow as GitHub knows them', async () => {
    // Shellcheck and pyflakes, which it runs where they are, are no prerequisites.
    const args = ['-no-color', '-shellcheck=', '-pyflakes=', join(FOLDER, name)];
    const problems = await promisify(execFile)(actionlint, args, { cwd: REPOSITORY }).then(
      () => '',
      ({ stdout, stderr }: { readonly stdout?: string; readonly stderr?: string }) => `${stdout}${stderr}`,
    );
    expect(problems).toBe('');
  });

  it('gives its token no more than to read, where no job asks for more', () => {
    expect(parse(text).permissions).toEqual({ contents: 'read' });
  });

  it('ends nothing but earlier runs of itself', () => {
    // In a workflow that is called, github.workflow is the one that calls.
    const { concurrency } = parse(text);
    if (concurrency !== undefined)
      expect(concurrency.group).toBe(`${name.replace('.yml', '')}-\${{ github.ref }}`);
  });

  it('ends every job by a deadline', () => {
    // What another workflow does has the deadlines of that.
    const jobs: readonly Job[] = Object.values(parse(text).jobs);
    for (const job of jobs.filter(({ uses }) => uses === undefined))
      expect(job['timeout-minutes']).toBeLessThanOrEqual(90);
  });

  it('installs packages of a list that is not as old as the machine', () => {
    const jobs: readonly Job[] = Object.values(parse(text).jobs);
    for (const { steps = [] } of jobs) {
      const commands = steps.map(({ run = '' }) => run).join('\n');
      const [before, ...installations] = commands.split(/^.*apt-get install/m);
      if (installations.length > 0) expect(before).toMatch(/^sudo apt-get update$/m);
    }
  });

  it('runs only scripts that are there', () => {
    const files = [...text.matchAll(/\b(?:run: (\.ci\/\S+)|tsx (\S+))/g)].map(
      ([, one, other]) => one ?? other ?? '',
    );
    for (const file of files) expect(readFileSync(join(REPOSITORY, file), 'utf8')).not.toBe('');
  });
});

it('are for checks, what is installed, the quickstart on kind, and releases', () => {
  expect([...workflows].sort()).toEqual(['check.yml', 'dependencies.yml', 'kind.yml', 'release.yml']);
});

it('checks on every version of Node that is supported', () => {
  const { jobs } = parse(readFileSync(join(REPOSITORY, FOLDER, 'check.yml'), 'utf8'));
  expect(jobs.check.strategy.matrix.node).toEqual(['20', '22', '24']);
});

it('asks the cluster of the quickstart what is wrong when that failed, as later there is none to ask', () => {
  const { jobs } = parse(readFileSync(join(REPOSITORY, FOLDER, 'kind.yml'), 'utf8'));
  const steps: readonly Step[] = jobs.quickstart.steps;
  const asking = steps.filter(({ if: condition }) => condition?.includes('failure()'));
  const quickstart = steps.find(({ run }) => run?.includes('test/e2e/kind.ts'));
  expect(asking.map((step) => step.if)).toEqual([
    `failure() && steps.${quickstart?.id}.outcome == 'failure'`,
  ]);
});

describe('a release', () => {
  const read = (path: string): string => readFileSync(join(REPOSITORY, path), 'utf8');
  const jobs: Readonly<Record<string, Job>> = parse(read(join(FOLDER, 'release.yml'))).jobs;
  const manifest = JSON.parse(read('package.json'));
  const stepsOf = ({ steps = [] }: Job): readonly Step[] => steps;

  it('publishes what every check passed, under a tag that is its version', () => {
    const called = Object.entries(jobs).flatMap(([name, { uses }]) =>
      uses === undefined ? [] : [[name, uses]],
    );
    expect(called).toEqual([
      ['check', './.github/workflows/check.yml'],
      ['kind', './.github/workflows/kind.yml'],
    ]);
    const publishing = Object.entries(jobs).filter(
      ([, job]) =>
        Object.values(job.permissions ?? {}).includes('write') || JSON.stringify(job).includes('secrets.'),
    );
    expect(publishing.map(([name, { needs }]) => [name, needs])).toEqual([
      ['image', ['check', 'kind', 'version']],
      ['package', ['check', 'kind', 'version']],
    ]);
  });

  it.each([
    [`v${manifest.version}`, 0],
    [manifest.version, 1],
    ['v999.0.0', 1],
  ])('compares the tag %s with the version', (tag, exitCode) => {
    const [compare] = Object.values(jobs)
      .flatMap(stepsOf)
      .filter(({ run }) => run?.includes('GITHUB_REF_NAME'));
    // As GitHub runs it.
    const { status } = spawnSync('bash', ['-e', '-c', compare?.run ?? ''], {
      cwd: REPOSITORY,
      env: { ...process.env, GITHUB_REF_NAME: tag },
    });
    expect(status).toBe(exitCode);
  });

  it('pushes the image under the tag that the chart asks for', () => {
    const names = stepsOf(jobs.image ?? {}).find(({ uses }) => uses?.startsWith('docker/metadata-action@'));
    expect(names?.with?.tags).toBe('type=semver,pattern={{version}}');
    const { version, appVersion } = parse(read('charts/batchtest/Chart.yaml'));
    expect({ version, appVersion }).toEqual({ version: manifest.version, appVersion: manifest.version });
  });

  it.each([
    ['the newest of its line', 'v24.3.0', 0],
    ['followed by one of last week', 'v24.2.0', 0],
    ['followed by one of two months ago', 'v24.1.0', 1],
    ['none that was released', 'v24.9.0', 1],
  ])('looks whether the base is still updated: its Node is %s', async (_, node, exitCode) => {
    const folder = await mkdtemp(join(tmpdir(), 'batchtest-releases-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10);
    // In the form of https://nodejs.org/dist/index.json.
    const releases = [
      { version: 'v26.1.0', date: daysAgo(40) },
      { version: 'v24.3.0', date: daysAgo(7) },
      { version: 'v24.2.0', date: daysAgo(60) },
      { version: 'v24.1.0', date: daysAgo(90) },
    ];
    await writeFile(join(folder, 'index.json'), JSON.stringify(releases));
    const look = stepsOf(jobs.image ?? {}).find(({ env }) => env?.NODE_OF_BASE !== undefined);
    // As GitHub runs it.
    const { status } = spawnSync('bash', ['-e', '-c', look?.run ?? ''], {
      env: { ...process.env, RELEASES: pathToFileURL(join(folder, 'index.json')).href, NODE_OF_BASE: node },
    });
    expect(status).toBe(exitCode);
  });

  it('gives npm its token for a registry: it looks at none otherwise', () => {
    for (const job of Object.values(jobs)) {
      const steps = stepsOf(job);
      if (!steps.some(({ env }) => env?.NODE_AUTH_TOKEN !== undefined)) continue;
      const node = steps.find(({ uses }) => uses?.startsWith('actions/setup-node@'));
      expect(node?.with?.['registry-url']).toBe('https://registry.npmjs.org');
    }
    expect(JSON.stringify(jobs)).toContain('NODE_AUTH_TOKEN');
  });

  it('has the package name the repository from which it is published, as its provenance does', () => {
    const { image } = parse(read('charts/batchtest/values.yaml'));
    expect(`git+https://github.com/${image.repository.replace('ghcr.io/', '')}.git`).toBe(
      manifest.repository.url,
    );
  });
});
