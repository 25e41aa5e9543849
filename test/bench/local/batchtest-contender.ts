import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BATCHTEST_PROGRAM, requireBatchtestProgram } from '../../tools/batchtest-program.ts';
import { measuredVersion } from '../measured-version.ts';
import type { Contender } from './contender.ts';
import { type ResultQueries, storedRows } from './stored-rows.ts';
import { PROGRAM, type Work } from './work.ts';

const RESULTS: ResultQueries = {
  isOneStored: 'select exists (select from batchtest.attempts) as stored',
  all: `select (select count(*)::int from batchtest.attempts where outcome = 'Succeeded') as count,
    (select finished_at from batchtest.runs) as last`,
};

const VARIANTS = ['a', 'b', 'c', 'd'];

/** `batchtest run` with a new data directory: what it starts includes the creation of its database. */
export const BATCHTEST_RUN: Contender = {
  name: 'batchtest run',
  keeps: 'every result, committed to Postgres one by one',
  versions: { BatchTest: measuredVersion() },
  async prepare() {
    requireBatchtestProgram();
  },
  launch(work, directory) {
    const manifest = join(directory, 'bench.json');
    const dataDirectory = join(directory, 'data');
    writeFileSync(manifest, JSON.stringify(manifestOf(work)));
    return {
      command: process.execPath,
      args: [BATCHTEST_PROGRAM, 'run', manifest, '--data-dir', dataDirectory, '--quiet'],
      witness: storedRows(dataDirectory, RESULTS),
    };
  },
};

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
