/** Pages for whoever runs the operator, compared with what they tell of and with each other. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { operatorCommand } from '../../../src/cli/commands/operator.ts';
import { processContext } from '../../../src/cli/process-context.ts';
import { blocksUnder, markdownPage, REPOSITORY } from '../../tools/markdown-page.ts';

const pageText = (page: string): string => readFileSync(join(REPOSITORY, 'docs', page), 'utf8');

/** What is in backquotes in the first column of the table that begins with this line. */
function firstColumn(page: string, firstLine: string): readonly string[] {
  const [, after] = pageText(page).split(`${firstLine}\n`);
  const [table = ''] = (after ?? '').split('\n\n');
  const cells = table.split('\n').map((line) => line.split(' | ')[0] ?? '');
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word));
}

it('the table of options has all that the operator has, and no other', () => {
  const told = firstColumn('reference/operator.md', '| option | default | |').flatMap(
    (text) => /--[a-z-]+/.exec(text) ?? [],
  );
  const { options } = operatorCommand(processContext());
  expect(told.toSorted()).toEqual(options.map(({ long }) => long).toSorted());
});

it('both tables of what a run waits for have the same reasons', () => {
  const ofOperator = firstColumn(
    'reference/operator.md',
    '| reason of `Progressing` | what the run waits for |',
  );
  const ofAnyRun = firstColumn('reference/run-control.md', '| reason | |');
  // Of a local run alone.
  expect([...ofOperator, 'CannotBeEnded'].toSorted()).toEqual(ofAnyRun.toSorted());
  expect(ofOperator).toEqual(expect.arrayContaining(['FinalizerNotSet', 'TargetMet']));
});

it('whoever has a Job of the chart migrate gives it more time than Helm does by itself', () => {
  const commands = blocksUnder(markdownPage('docs/install.md'), 'Roles of the database').filter(({ text }) =>
    text.includes('database.migration'),
  );
  expect(commands).not.toEqual([]);
  for (const { text } of commands) expect(text).toMatch(/^helm .* --timeout \d+h/m);
});
