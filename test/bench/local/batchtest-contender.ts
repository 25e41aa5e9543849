import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { VERSION } from '../../../src/version.ts';
import type { Contender } from './contender.ts';
import { type ResultQueries, storedRows } from './stored-rows.ts';
import { PROGRAM, type Work } from './work.ts';

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));
const RESULTS: ResultQueries = {
  isOneStored: 'select exists (select from batchtest.attempts) as stored',
  all: `select (select count(*)::int from batchtest.attempts where outcome = 'Succeeded') as count,
    (select finished_at from batchtest.runs) as last`,
};

const VARIANTS = ['a', 'b', 'c', 'd'];

/** `batchtest run` with a new data directory: what it starts includes the creation of its database. */
export const batchtestContender = (commandLine: readonly string[]): Contender => ({
  name: 'batchtest run',
  keeps: 'every result, committed to Postgres one by one',
  versions: { BatchTest: VERSION },
  async prepare() {
    const program = join(REPOSITORY, commandLine.at(-1) ?? '');
    if (!existsSync(program)) throw new Error(`${program} is missing: run npm run build first`);
  },
  launch(work, directory) {
    const manifest = join(directory, 'bench.json');
    const dataDirectory = join(directory, 'data');
    writeFileSync(manifest, JSON.stringify(manifestOf(work)));
    return {
      command: process.execPath,
      args: [
        ...commandLine.slice(0, -1),
        join(REPOSITORY, commandLine.at(-1) ?? ''),
        'run',
        manifest,
        '--data-dir',
        dataDirectory,
        '--quiet',
      ],
      witness: storedRows(dataDirectory, RESULTS),
    };
  },
});

const manifestOf = ({ trials, parallelism }: Work): unknown => ({
  apiVersion: 'batchtest.dev/v1alpha1',
  kind: 'BatchTest',
  metadata: { name: 'bench' },
  spec: {
    parallelism,
    repetitions: trials / VARIANTS.length,
    matrix: { parameters: [{ name: 'V', values: VARIANTS }] },
    template: {
      spec: {
        containers: [{ name: 'test', image: 'none', command: [...PROGRAM, '$(BATCHTEST_RESULT_FILE)'] }],
      },
    },
    objective: { metrics: [{ name: 'm', goal: 'maximize' }] },
  },
});
