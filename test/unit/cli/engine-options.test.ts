import { expect, it } from 'vitest';
import { runCommand } from './command-line.ts';

const MANIFEST = `
apiVersion: batchtest.dev/v1alpha1
kind: BatchTest
metadata: { name: cache }
spec:
  variants: [{ name: a }, { name: b }]
  objective: { metrics: [{ name: x, goal: minimize }] }
  template: { spec: { containers: [{ name: test, image: bench, command: ['true'] }] } }
`;

const OF_A_CLUSTER = 'is for runs in a cluster: --engine kubernetes';
const OF_LOCAL_RUNS = 'is for local runs: the operator of a cluster has its own';

it.each([
  [['-n', 'team-a'], `--namespace ${OF_A_CLUSTER}`],
  [['--kubeconfig', 'config'], `--kubeconfig ${OF_A_CLUSTER}`],
  [['--engine', 'kubernetes', '--notify-token-file', 'token'], `--notify-token-file ${OF_LOCAL_RUNS}`],
  [['--engine', 'kubernetes', '--artifact-store', 's3://bucket'], `--artifact-store ${OF_LOCAL_RUNS}`],
  [['--engine', 'kubernetes', '--result-limit', '1Mi'], `--result-limit ${OF_LOCAL_RUNS}`],
  [['--engine', 'kubernetes', '--metrics-port', '0'], `--metrics-port ${OF_LOCAL_RUNS}`],
])('run %j is refused, because the other engine alone has a use for it', async (args, message) => {
  const { exitCode, stdout, stderr } = await runCommand(['run', '-', ...args], { input: MANIFEST });
  expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 2, stdout: '', stderr: `${message}\n` });
});
