import { expect, it } from 'vitest';
import { runCommand } from './command-line.ts';

it.each([
  [['wait', '']],
  [['status', ' ']],
  [['status', 'cache', '-n', '']],
  [['cancel', '', '--engine', 'kubernetes']],
  [['report', '']],
  [['report', '--compare', '']],
  [['rerun', '']],
  [['parity', '', '5c1b671f']],
  [['run', 'batchtest.yaml', '--engine', 'kubernetes', '-n', '']],
  [['operator', '-n', 'team-a', '']],
])('an unset variable is told of at once in %j', async (args) => {
  const { exitCode, stdout, stderr } = await runCommand(args);
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  expect(stderr).toContain('It must name something, and is empty.');
});
