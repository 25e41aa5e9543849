/**
 * As bare-spawn.mjs, with each result inserted into a Postgres of a new data directory before another program starts in its place.
 *
 * node --import tsx storing-spawn.ts TRIALS PARALLELISM FOLDER DATA_DIRECTORY PROGRAM [ARGS…]
 */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { openEmbeddedPostgres } from '../../../src/results/postgres/embedded/open-embedded-postgres.ts';

const [trials, parallelism, folder, dataDir = '', program = '', ...args] = process.argv.slice(2);
const server = await openEmbeddedPostgres({ dataDir });
const pool = new pg.Pool({ ...server.connection, max: Number(parallelism) });
await pool.query(
  'create table results (trial int primary key, result jsonb not null, stored_at timestamptz not null default clock_timestamp())',
);
let left = Number(trials);
const worker = async () => {
  while (left > 0) {
    left -= 1;
    const trial = left;
    const file = `${folder}/${trial}.json`;
    await new Promise<void>((resolve, reject) => {
      const child = spawn(program, [...args, file], { stdio: 'ignore' });
      child.on('error', reject);
      child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`exit code ${code}`))));
    });
    await pool.query({
      name: 'store',
      text: 'insert into results (trial, result) values ($1, $2)',
      values: [trial, await readFile(file, 'utf8')],
    });
  }
};
await Promise.all(Array.from({ length: Number(parallelism) }, worker));
await pool.end();
await server.close();
