import { expect, it } from 'vitest';
import { processContext } from '../process-context.ts';
import { operatorCommand } from './operator.ts';

it('the help of the operator shows times as they are written', () => {
  const command = operatorCommand(processContext());
  expect(command.helpInformation()).toMatch(/--deletion-patience [\s\S]*?\(default:\s+5m\)/);
  expect(command.opts().deletionPatience).toBe(300_000);
});
