import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import * as api from '../../../src/index.ts';
import { REPOSITORY } from '../../tools/markdown-page.ts';

/** What is generated of the declarations that the package ships, which `npm run verify` sees to. */
const reference = readFileSync(join(REPOSITORY, 'docs/reference/api.md'), 'utf8');

it('names no error as thrown that a caller cannot import', () => {
  const thrown = [...reference.matchAll(/(?:@|- )throws (.*)/g)].flatMap(([, text = '']) => [
    ...text.matchAll(/\b[A-Z]\w*Error\b/g),
  ]);
  const names = new Set(thrown.map(([name]) => name));
  expect(names.size).toBeGreaterThan(5);
  expect([...names].filter((name) => !(name in api))).toEqual([]);
});
