/** The tables of faults, of guarantees and of the threat model name tests that are there. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const fromRepository = (path: string): Promise<string> =>
  readFile(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8');

interface Row {
  readonly fault: string;
  readonly text: string;
  readonly tests: readonly { readonly file: string; readonly name: string }[];
}

async function rows(): Promise<readonly Row[]> {
  const lines = (await fromRepository('docs/reference/faults.md')).split('\n');
  return lines.flatMap((line) => {
    const fault = /^\| (F\d+) \|/.exec(line)?.[1];
    if (fault === undefined) return [];
    return [{ fault, text: line, tests: testsNamedIn(line) }];
  });
}

const testsNamedIn = (text: string): Row['tests'] =>
  [...text.matchAll(/`([^`]+\.(?:test|testsuite)\.ts)`: “([^”]+)”/g)].map(([, file = '', name = '']) => ({
    file,
    name,
  }));

it('the table of faults has each of F1 to F40 once, with a test or the reason why there is none', async () => {
  const table = await rows();
  expect(table.map(({ fault }) => fault)).toEqual(Array.from({ length: 40 }, (_, index) => `F${index + 1}`));
  const unexplained = table.filter(
    ({ text, tests }) => tests.length === 0 && !/Does not apply: |Not covered: /.test(text),
  );
  expect(unexplained.map(({ fault }) => fault)).toEqual([]);
});

it('each fault that applies has a test that bears its number', async () => {
  const without = (await rows()).filter(
    ({ fault, text, tests }) =>
      !text.includes('Does not apply: ') && !tests.some(({ name }) => name.startsWith(`${fault}: `)),
  );
  expect(without.map(({ fault }) => fault)).toEqual([]);
});

it.each(['docs/reference/faults.md', 'docs/reference/guarantees.md', 'docs/threat-model.md'])(
  'each test that %s names exists',
  async (table) => {
    const named = testsNamedIn(await fromRepository(table));
    expect(named.length).toBeGreaterThan(0);
    const missing: string[] = [];
    for (const { file, name } of named) {
      const source = await fromRepository(file).catch(() => '');
      if (!["'", '"', '`'].some((quote) => source.includes(`${quote}${name}${quote}`)))
        missing.push(`${file}: ${name}`);
    }
    expect(missing).toEqual([]);
  },
);

it('each guarantee is shown by a test', async () => {
  const promises = (await fromRepository('docs/reference/guarantees.md'))
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| promise '));
  expect(promises.length).toBeGreaterThan(15);
  expect(promises.filter((line) => testsNamedIn(line).length === 0)).toEqual([]);
});

it('each claim of the threat model is shown by a test', async () => {
  const claims = (await fromRepository('docs/threat-model.md'))
    .split('\n')
    .filter((line) => line.startsWith('| **'));
  expect(claims.length).toBeGreaterThan(10);
  expect(claims.filter((line) => testsNamedIn(line).length === 0)).toEqual([]);
});
