import { randomUUID } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { ResultStore } from '../results/result-store.ts';
import { openResultStore } from './result-store.ts';

/** More than a person has at work in one data directory. */
const COMMANDS = 12;
/** As a busy command has: ten for statements, and one that holds its run. */
const CONNECTIONS_OF_ONE = 11;

test('the embedded server has a connection for all that many busy commands ask for', async () => {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'batchtest-commands-'));
  await chmod(dataDirectory, 0o755);
  const stores: ResultStore[] = [];
  onTestFinished(async () => {
    for (const store of stores) await store.close();
    await rm(dataDirectory, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 });
  });
  for (let command = 0; command < COMMANDS; command++)
    stores.push(await openResultStore({ kind: 'embedded', dataDirectory }));

  // Each hold keeps a connection.
  const holds = await Promise.all(
    stores.flatMap((store) => Array.from({ length: CONNECTIONS_OF_ONE }, () => store.holdRun(randomUUID()))),
  );
  expect(holds.filter((hold) => hold !== undefined)).toHaveLength(COMMANDS * CONNECTIONS_OF_ONE);
  for (const hold of holds) await hold?.release();
}, 60_000);
