/** The command line in the releases of Node that are supported beside that of these tests. */
import { expect, it, onTestFinished } from 'vitest';
import { NODE_MAJORS, nodeRelease } from '../tools/node-release.ts';
import { aDataDirectory, startCommand } from './cli/command-line.ts';

const MANIFEST = JSON.stringify({
  apiVersion: 'batchtest.dev/v1alpha1',
  kind: 'BatchTest',
  metadata: { name: 'versions' },
  spec: {
    matrix: { parameters: [{ name: 'X', values: ['1', '2'] }] },
    objective: { metrics: [{ name: 'x', goal: 'minimize' }] },
    template: {
      spec: {
        restartPolicy: 'Never',
        containers: [
          {
            name: 'test',
            image: 'example.invalid/shell',
            command: ['sh', '-c', 'echo "{\\"metrics\\":{\\"x\\":$X}}" >"$BATCHTEST_RESULT_FILE"'],
          },
        ],
      },
    },
  },
});

it.each(NODE_MAJORS)(
  'runs trials in Node %s, and says nothing beside the report',
  async (major) => {
    const data = aDataDirectory();
    onTestFinished(() => data.remove());
    const { exitCode, stdout, stderr } = await startCommand(
      ['run', '-', '--quiet', '-o', 'json', '--data-dir', data.path],
      { input: MANIFEST, node: await nodeRelease(major) },
    ).finished;
    expect(stderr).toBe('');
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ best: { name: '1' } });
  },
  120_000,
);
