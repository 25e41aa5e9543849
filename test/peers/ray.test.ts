/** Ray as it competes in `npm run bench:local`. It is installed from PyPI the first time. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { rayContender } from '../bench/local/ray-contender.ts';
import { PROGRAM } from '../bench/local/work.ts';

/** Writes how many actors there are, by the name that Ray gives to their processes: each program sees it at its own start. */
const COUNT_ACTORS = ['/bin/sh', '-c', 'grep -l "^ray::Runner" /proc/[0-9]*/cmdline 2>&- | wc -l >"$0"'];

it('begins its first program when all of its actors are ready: the rate counts from the first result', {
  timeout: 900_000,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'batchtest-ray-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const ray = rayContender();
  await ray.prepare();
  const { command, args, environment } = ray.launch({ trials: 8, parallelism: 4 }, directory);
  const program = [...args.slice(0, -PROGRAM.length), ...COUNT_ACTORS];
  await promisify(execFile)(command, program, { env: { ...process.env, ...environment } });
  const folder = join(directory, 'results');
  const counts = readdirSync(folder).map((name) => Number(readFileSync(join(folder, name), 'utf8')));
  expect(counts).toHaveLength(8);
  // More are those that an actor has just forked, and that are not yet the program.
  expect(Math.min(...counts)).toBe(4);
});
