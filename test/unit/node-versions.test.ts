/** The command line in the releases of Node that are supported beside that of these tests. */
import { expect, it } from 'vitest';
import { aBatchTest } from '../builders/batch-test.ts';
import { NODE_MAJORS, nodeRelease } from '../tools/node-release.ts';
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
