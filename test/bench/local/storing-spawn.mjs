/**
 * As bare-spawn.mjs, with each result inserted into a Postgres of a new data directory before another program starts in its place.
 *
 * Bundled before it is run: node storing-spawn.mjs TRIALS PARALLELISM FOLDER DATA_DIRECTORY PROGRAM [ARGS…]
 */
import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { openEmbeddedPostgres } from '../../../src/results/postgres/embedded/open-embedded-postgres.ts';
import { runPrograms } from './spawned-programs.mjs';

const [trials, parallelism, folder, dataDir, ...program] = process.argv.slice(2);
const server = await openEmbeddedPostgres({ dataDir });
const pool = new pg.Pool({ ...server.connection, max: Number(parallelism) });
await pool.query(
  'create table results (trial int primary key, result jsonb not null, stored_at timestamptz not null default clock_timestamp())',
);
await runPrograms(
  { trials: Number(trials), parallelism: Number(parallelism), folder, program },
  async (trial, file) => {
    await pool.query({
      name: 'store',
      text: 'insert into results (trial, result) values ($1, $2)',
      values: [trial, await readFile(file, 'utf8')],
    });
  },
);
// end() is over before the connections are closed: the server, which is ended next, tells those that it ends, and without a listener that ends this process.
pool.on('error', () => undefined);
await pool.end();
await server.close();
