import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleProgram } from '../bundled-program.ts';
import type { Contender } from './contender.ts';
import { storedRows } from './stored-rows.ts';
import { PROGRAM } from './work.ts';

const PROGRAM_FILE = fileURLToPath(new URL('storing-spawn.mjs', import.meta.url));

/**
 * What storing costs whoever does it: child processes of Node, and one `insert` for each result into the same Postgres, with one table and no rules, before the next
 * program starts in its place.
 */
export const STORING_NODE: Contender = {
  name: 'bare Node, inserting',
  keeps: 'every result, inserted into Postgres one by one',
  versions: {},
  prepare: async () => undefined,
  launch({ trials, parallelism }, directory) {
    const dataDirectory = join(directory, 'data');
    const script = join(directory, 'storing-spawn.mjs');
    bundleProgram(PROGRAM_FILE, script, import.meta.url);
    return {
      command: process.execPath,
      args: [script, String(trials), String(parallelism), directory, dataDirectory, ...PROGRAM],
      witness: storedRows(dataDirectory, {
        isOneStored: 'select exists (select from results) as stored',
        all: 'select count(*)::int as count, max(stored_at) as last from results',
      }),
    };
  },
};
