/** Pages for whoever runs the operator, compared with what they tell of and with each other. */
import { expect, it } from 'vitest';
import { blocksUnder, markdownPage } from '../../tools/markdown-page.ts';

it('whoever has a Job of the chart migrate gives it more time than Helm does by itself', () => {
  const commands = blocksUnder(markdownPage('docs/install.md'), 'Roles of the database').filter(({ text }) =>
    text.includes('database.migration'),
  );
  expect(commands).not.toEqual([]);
  for (const { text } of commands) expect(text).toMatch(/^helm .* --timeout \d+h/m);
});
