import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { benchmarkFiles } from '../../bench/benchmarks-page.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'batchtest-benchmarks-page-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

it('says how a part is measured that was not, then shows it with its plots', async () => {
  const before = await benchmarkFiles(root);
  expect([...before.keys()]).toEqual(['docs/benchmarks.md']);
  for (const part of ['cluster', 'local'])
    expect(before.get('docs/benchmarks.md')).toContain(
      `Not measured yet: \`npm run bench:${part} -- --json docs/benchmarks/${part}.json\``,
    );

  await mkdir(join(root, 'docs/benchmarks'), { recursive: true });
  for (const [result, json] of [
    ['benchmark-result.json', 'cluster.json'],
    ['local-result.json', 'local.json'],
  ])
    await copyFile(
      fileURLToPath(new URL(`./${result}`, import.meta.url)),
      join(root, `docs/benchmarks/${json}`),
    );
  const after = await benchmarkFiles(root);
  const page = after.get('docs/benchmarks.md') ?? '';
  const shown = [...page.matchAll(/!\[.*\]\((.*)\)/g)].map(([, path]) => `docs/${path}`);
  expect([...after.keys()].sort()).toEqual([...shown, 'docs/benchmarks.md'].sort());
  expect(page).not.toContain('Not measured');
});
