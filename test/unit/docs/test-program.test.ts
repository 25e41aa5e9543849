/** The test programs of docs/reference/test-program.md, run as they are written there. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { blocksUnder, type CodeBlock, markdownPage } from '../../tools/markdown-page.ts';
import { aDataDirectory, runCommand } from '../cli/command-line.ts';

const page = markdownPage('docs/reference/test-program.md');
const MANIFEST = 'batchtest.yaml';
/** The first build of a Go program fills Go's cache. */
const LIMIT = { timeout: 180_000 };

const data = aDataDirectory();
afterAll(() => data.remove());

interface ReportedVariant {
  readonly parameters: Readonly<Record<string, string>>;
  readonly metrics: Readonly<Record<string, { readonly n: number; readonly mean: number }>>;
}

/** The one block of these that there is. */
function only(blocks: readonly CodeBlock[], what: string): CodeBlock {
  const [block, ...others] = blocks;
  if (block === undefined || others.length > 0)
    throw new Error(`expected one ${what}, there are ${blocks.length}`);
  return block;
}

/** Does in a new folder what the page says: writes the files, builds the program, and runs the manifest with further levels. */
async function runAsWritten(language: string, levels: readonly string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'batchtest-program-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  chmodSync(folder, 0o755);
  const blocks = blocksUnder(page, language);
  const program = only(
    blocks.filter(({ file }) => file !== undefined),
    `program in ${language}`,
  );
  writeFileSync(join(folder, program.file ?? ''), program.text);
  for (const { text } of blocks.filter((block) => block.language === 'console'))
    execFileSync('sh', ['-ec', text.replace(/^\$ /gm, '')], { cwd: folder, encoding: 'utf8' });

  const manifest = parse(
    only(
      page.blocks.filter(({ file }) => file === MANIFEST),
      MANIFEST,
    ).text,
  );
  for (const { text } of blocks.filter((block) => block.language === 'yaml'))
    Object.assign(manifest.spec, parse(text));
  manifest.spec.matrix.parameters[0].values.push(...levels);
  const file = join(folder, MANIFEST);
  writeFileSync(file, JSON.stringify(manifest));
  const run = await runCommand(['run', file, '-o', 'json', '--quiet', '--data-dir', data.path]);
  return { ...run, matrix: JSON.parse(run.stdout).matrix as readonly ReportedVariant[] };
}

describe.each([
  { language: 'Node.js', metrics: ['bytes', 'duration_seconds', 'milliseconds'] },
  { language: 'Python', metrics: ['bytes', 'duration_seconds', 'milliseconds'] },
  { language: 'Shell', metrics: ['bytes', 'duration_seconds'] },
  { language: 'Go', metrics: ['bytes', 'duration_seconds', 'milliseconds'] },
])('the program in $language', ({ language, metrics }) => {
  it('measures every level', LIMIT, async () => {
    const { exitCode, stderr, stdout, matrix } = await runAsWritten(language, []);
    expect(exitCode, stderr + stdout).toBe(0);
    const byLevel = Object.fromEntries(matrix.map((row) => [row.parameters.LEVEL, row]));
    expect(Object.keys(byLevel)).toEqual(['1', '6', '9']);
    for (const row of matrix) {
      expect(Object.keys(row.metrics).sort()).toEqual(metrics);
      for (const metric of metrics) expect(row.metrics[metric], metric).toMatchObject({ n: 2 });
    }
    const bytes = (level: string) => byLevel[level]?.metrics.bytes?.mean ?? Number.NaN;
    expect(bytes('9')).toBeGreaterThan(100_000);
    expect(bytes('9')).toBeLessThan(bytes('1'));
  });

  it('fails for a level that there is not, and says so', LIMIT, async () => {
    const { exitCode, stdout } = await runAsWritten(language, ['11']);
    expect(exitCode).toBe(1);
    const failure = {
      variant: '11',
      attempt: 1,
      outcome: 'TestFailed',
      message: 'exit code 1: LEVEL is "11"; expected 1 to 9',
    };
    expect(JSON.parse(stdout).failures).toMatchObject([failure, failure]);
  });
});

it('has a program in each language that the page promises', () => {
  const programs = page.blocks.filter(({ file }) => file !== undefined && file !== MANIFEST);
  expect(programs.map(({ language }) => language)).toEqual(['js', 'python', 'sh', 'go']);
});
