import { closeSync, openSync } from 'node:fs';
import { nodeSpawn } from '../../src/engine/local/node-spawn.ts';
import { posixSpawn } from '../../src/engine/local/posix-spawn.ts';
import type { SpawnProgram } from '../../src/engine/local/spawned-program.ts';
import type { Figure } from './figure.ts';

const PROGRAMS = 500;

/** What it takes to start a program, for who starts it. */
export async function benchSpawning(): Promise<readonly Figure[]> {
  const byPosix = posixSpawn();
  if (byPosix === undefined) return [];
  // The first ones of each are not counted: Node's code is not compiled yet.
  await startingMs(byPosix);
  await startingMs(nodeSpawn);
  const [posix, node] = [await startingMs(byPosix), await startingMs(nodeSpawn)];
  return [
    {
      name: 'start a program by posix_spawn, processor time',
      value: posix,
      unit: 'ms',
      budget: { atMost: 0.3 },
    },
    {
      name: '– of what Node takes to start it',
      value: (100 * posix) / node,
      unit: '%',
      budget: { atMost: 50 },
    },
  ];
}

/** Processor time of this process for one program, in milliseconds. */
async function startingMs(spawnProgram: SpawnProgram): Promise<number> {
  const output = openSync('/dev/null', 'w');
  const before = process.cpuUsage();
  for (let program = 0; program < PROGRAMS; program += 1)
    await new Promise<void>((resolve, reject) => {
      spawnProgram(
        {
          command: '/bin/true',
          args: [],
          workingDirectory: '/',
          environment: {},
          stdout: output,
          stderr: output,
        },
        { failed: ({ message }) => reject(new Error(message)), spawned: () => () => resolve() },
      );
    });
  const { user, system } = process.cpuUsage(before);
  closeSync(output);
  return (user + system) / 1_000 / PROGRAMS;
}
