/** `$(NAME)` and `$$` in a container's args: expanded by Kubernetes in a cluster, by the local engine without one. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { jobManifest } from '../../../src/engine/kubernetes/job-manifest.ts';
import { aRun } from '../../builders/run.ts';
import { aDataDirectory, runCommand } from './command-line.ts';

const data = aDataDirectory();
afterAll(() => data.remove());

/**
 * What is written in the manifest, and what Kubernetes hands to the program: the rules of Expand in its
 * third_party/forked/golang/expansion.
 */
const ARGUMENTS: readonly (readonly [written: string, given: string])[] = [
  ['$$', '$'],
  ['$$$$', '$$'],
  ['$$$', '$$'],
  ['cost: 5$$ each', 'cost: 5$ each'],
  ['$(CACHE)', 'lru'],
  ['$$(CACHE)', '$(CACHE)'],
  ['$$$(CACHE)', '$lru'],
  ['$$$$(CACHE)', '$$(CACHE)'],
  ['$(CACHE)$(CACHE)', 'lrulru'],
  ['$(UNKNOWN)', '$(UNKNOWN)'],
  ['$(CACHE', '$(CACHE'],
  ['$$(CACHE', '$(CACHE'],
  ['$CACHE ${ 100$', '$CACHE ${ 100$'],
  ['$()', '$()'],
];
const args = ARGUMENTS.map(([written]) => written);

const PROGRAM =
  "require('node:fs').writeFileSync(process.env.BATCHTEST_RESULT_FILE, JSON.stringify({ metrics: { m: 1 }, outputs: { given: process.argv.slice(1) } }))";
const template = {
  spec: {
    containers: [
      { name: 'test', image: 'example.com/bench:1', command: [process.execPath, '-e', PROGRAM, '--'], args },
    ],
  },
};
const variants = [{ name: 'only', parameters: { CACHE: 'lru' } }];

describe('references in args', () => {
  it('reach a program of the local engine as Kubernetes would expand them', async () => {
    const manifest = {
      apiVersion: 'batchtest.dev/v1alpha1',
      kind: 'BatchTest',
      metadata: { name: 'references' },
      spec: { variants, template, objective: { metrics: [{ name: 'm', goal: 'maximize' }] } },
    };
    const { exitCode, stderr } = await runCommand(['run', '-', '--quiet', '--data-dir', data.path], {
      input: JSON.stringify(manifest),
    });
    expect(exitCode, stderr).toBe(0);
    const runs = join(data.path, 'runs');
    const [result = ''] = readdirSync(runs, { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('result.json'),
    );
    const { outputs } = JSON.parse(readFileSync(join(runs, result), 'utf8'));
    expect(outputs.given).toEqual(ARGUMENTS.map(([, given]) => given));
  });

  it('are in the Job as they are written, for Kubernetes to expand', () => {
    const run = aRun({ namespace: 'team-a', variants, template });
    const [trial] = run.trials;
    if (trial === undefined) throw new Error('the run has no trial');
    const job = jobManifest({ run, trial, attempt: 1, name: 'references-0', deadlineSeconds: 60 });
    expect(job.spec?.template.spec?.containers[0]?.args).toEqual(args);
  });
});
