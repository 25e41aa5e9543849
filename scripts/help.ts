/** `npm run help`: one line for each verb. */
import { readFileSync } from 'node:fs';

const VERBS: Readonly<Record<string, string>> = {
  help: 'this list',
  generate: 'write everything that is generated from the source: the CRD, dashboards, references',
  verify: 'fail when something generated is not what the source would give now',
  build: 'compile src/ to dist/, and bundle the command line',
  lint: 'style, types, layers, unused code',
  test: 'unit, property, contract, integration and quick fault tests (starts a real control plane)',
  'test:faults': 'the tests of faults that take minutes: a kill at every write, pauses longer than a Lease',
  'test:e2e':
    'real pods on a real node of this machine, with the operator from the chart (Linux, as root; about 5 minutes)',
  'test:peers':
    'Argo Workflows and Kueue, built from their modules, do what bench:cluster asks of them, and Ray what bench:local does',
  bench: 'measure the budgets: each figure beside its budget',
  'bench:local': 'the local engine beside Ray, xargs and bare Node (some minutes)',
  'bench:cluster':
    'the operator beside other ways to run the same trials in a cluster (says at its start how long)',
  check: 'all that CI runs: verify, lint, build, test',
  prepare: 'run by npm after an install: build',
};

const { scripts } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
for (const verb of Object.keys(scripts)) {
  const text = VERBS[verb];
  if (text === undefined)
    throw new Error(`package.json has the script "${verb}", which scripts/help.ts does not describe`);
  process.stdout.write(`npm run ${verb.padEnd(13)} ${text}\n`);
}
