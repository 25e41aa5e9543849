import { describe, expect, it } from 'vitest';
import { commandsFor } from './commands.ts';
import { processContext } from './process-context.ts';

const namesFor = async (first: string | undefined): Promise<readonly string[]> =>
  (await commandsFor(first)).map((commandOf) => commandOf(processContext()).name());

describe('the commands that a call loads', () => {
  it('are the one that it names', async () => {
    for (const name of await namesFor(undefined)) expect(await namesFor(name)).toEqual([name]);
  });

  it.each(['--help', 'help', 'runn', 'constructor'])('are all of them for %s', async (first) => {
    expect(await namesFor(first)).toEqual(await namesFor(undefined));
  });
});
