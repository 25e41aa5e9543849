/** Workflows for GitHub, which nothing else here runs: their syntax, their expressions, and what they must have. */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { resolveGoTool } from '../tools/go-tools.ts';
import { REPOSITORY } from '../tools/markdown-page.ts';

const FOLDER = '.github/workflows';
const workflows = readdirSync(join(REPOSITORY, FOLDER));

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
