/** The local part of docs/quickstart.md, as it is written there. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Clone, makeClone, without } from '../../tools/documented-commands.ts';
import { blocksUnder, markdownPage } from '../../tools/markdown-page.ts';

const blocks = blocksUnder(markdownPage('docs/quickstart.md'), 'On this machine');

let clone: Clone;
beforeAll(async () => {
  clone = await makeClone();
});
afterAll(() => clone?.remove());

it('compares compressors, keeps the results, and runs a test of the reader’s own', {
  timeout: 600_000,
}, async () => {
  const outputs: string[] = [];
  for (const { file, language, text } of blocks)
    if (file !== undefined) await clone.write(file, text);
    // What `npm ci` installs is what these tests run with.
    else if (language === 'sh') outputs.push(await clone.run(without(text, ['npm'])));
  const [firstRun, stored, ownRun, ...others] = outputs;
  expect(others).toEqual([]);
  expect(firstRun).toContain('55 of 55 trials succeeded');
  expect(firstRun).toContain('★ brotli-11 is best');
  expect(stored).toMatch(/compression +.*Complete/);
  expect(stored).toContain('| ★ 1 | `brotli-11` |');
  expect(ownRun).toContain('10 of 10 trials succeeded');
  expect(ownRun).toMatch(/★ (set|array) is best/);
  expect(ownRun).toContain('vs array');
});
