/** The command line in the releases of Node that are supported beside that of these tests. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { aBatchTest } from '../builders/batch-test.ts';
import { kubeconfigText } from '../tools/kubeconfig.ts';
import { freeLoopbackPorts } from '../tools/loopback-port.ts';
import { NODE_MAJORS, nodeRelease } from '../tools/node-release.ts';
import { startCommand } from './cli/command-line.ts';
import { aBench } from './cli/recorded-program.ts';

const MANIFEST = aBatchTest({
  variants: [],
  matrix: { parameters: [{ name: 'X', values: ['1', '2'] }] },
  metrics: [{ name: 'x', goal: 'minimize' }],
  template: {
    spec: {
      containers: [
        {
          name: 'test',
          image: 'test:1',
          command: ['/bin/sh', '-c', 'echo "{\\"metrics\\":{\\"x\\":$X}}" >"$BATCHTEST_RESULT_FILE"'],
        },
      ],
    },
  },
});

it.each(NODE_MAJORS)(
  'runs trials in Node %s, and says nothing beside the report',
  async (major) => {
    const { exitCode, stdout, stderr } = await aBench().start(
      ['run', '-', '--quiet', '-o', 'json'],
      JSON.stringify(MANIFEST),
      await nodeRelease(major),
    ).finished;
    expect(stderr).toBe('');
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ best: { name: '1' } });
  },
  120_000,
);

it.each(NODE_MAJORS)(
  'reads a kubeconfig in Node %s, and says nothing but that the cluster cannot be reached',
  async (major) => {
    const bench = aBench();
    const kubeconfig = join(bench.folder, 'kubeconfig');
    const [port] = await freeLoopbackPorts(1);
    const cluster = { url: `https://127.0.0.1:${port}`, certificateAuthority: '', token: 'none' };
    writeFileSync(kubeconfig, kubeconfigText(cluster, 'somebody'));
    const command = startCommand(['status', 'none', '--kubeconfig', kubeconfig], {
      node: await nodeRelease(major),
    });
    const { exitCode, stderr } = await command.finished;
    expect(stderr).toMatch(/^[^\n]*ECONNREFUSED[^\n]*\n$/);
    expect(exitCode).toBe(3);
  },
  120_000,
);
