import { fileURLToPath } from 'node:url';
import type { Contender } from './contender.ts';
import { resultFiles } from './result-files.ts';
import { PROGRAM } from './work.ts';

/** Child processes of Node and nothing else: what all others are compared with. */
export const BARE_NODE: Contender = {
  name: 'bare Node',
  keeps: 'nothing',
  versions: {},
  prepare: async () => undefined,
  launch({ trials, parallelism }, directory) {
    const { folder, witness } = resultFiles(directory);
    const script = fileURLToPath(new URL('bare-spawn.mjs', import.meta.url));
    return {
      command: process.execPath,
      args: [script, String(trials), String(parallelism), folder, ...PROGRAM],
      witness,
    };
  },
};
