import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { pythonWith } from '../../tools/python-environment.ts';
import type { Contender } from './contender.ts';
import { resultFiles } from './result-files.ts';
import { PROGRAM } from './work.ts';

const REQUIREMENTS = fileURLToPath(new URL('ray/requirements.txt', import.meta.url));
const SCRIPT = fileURLToPath(new URL('ray/actor_pool.py', import.meta.url));

/** An ActorPool of Ray with an actor for each program at a time, on this machine and without the dashboard. */
export function rayContender(): Contender {
  let python = '';
  return {
    name: 'Ray ActorPool',
    keeps: 'nothing',
    versions: { Ray: readFileSync(REQUIREMENTS, 'utf8').trim().split('==')[1] ?? '' },
    async prepare() {
      python = await pythonWith(REQUIREMENTS);
    },
    launch({ trials, parallelism }, directory) {
      const { folder, witness } = resultFiles(directory);
      return {
        command: python,
        args: [SCRIPT, String(trials), String(parallelism), folder, ...PROGRAM],
        // It would tell its makers of each start.
        environment: { RAY_USAGE_STATS_ENABLED: '0' },
        witness,
      };
    },
  };
}
