/** How programs end for real: their exit codes, the signals and the memory limit that end them, and what the kubelet makes of what they wrote. */
import { describe, expect, it } from 'vitest';
import { aWorld, EXECUTIONS, scripts } from './e2e-world.ts';

const RESULT = `echo '{"metrics":{"x":1}}' >"$BATCHTEST_RESULT_FILE"`;
/** A text of that many letters. */
const letters = (count: number): string => `$(head -c ${count} /dev/zero | tr '\\0' a)`;

describe.each(EXECUTIONS)('with execution %s', (execution) => {
  it('stores exit codes, signals and lack of memory as what they are', async () => {
    const world = await aWorld(`endings-${execution.toLowerCase()}`);
    const uid = await world.create(
      scripts(
        world.images.shell,
        {
          'exit-code': 'echo wrong >&2; exit 7',
          'long-log': `echo "${letters(4000)}"; echo last; exit 1`,
          'out-of-memory': 'x=x; while :; do x=$x$x; done',
          'result-and-exit-code': `${RESULT}; exit 3`,
          success: RESULT,
          // The first process of a container takes no signal of its own that it does not handle: here the sandbox is the first.
          term: 'kill -TERM $$',
          trap: 'kill -TRAP $$; kill -SEGV $$',
        },
        {
          spec: { execution },
          pod: { shareProcessNamespace: true },
          container: { resources: { limits: { memory: '32Mi' } } },
        },
      ),
    );
    await world.untilOver(uid);
    expect(await world.attempts(uid)).toMatchObject([
      {
        variant: 'exit-code',
        outcome: 'TestFailed',
        reason: 'NonZeroExitCode',
        message: 'exit code 7: wrong',
        exit_code: 7,
      },
      {
        variant: 'long-log',
        outcome: 'TestFailed',
        // The kubelet keeps the last 2048 bytes.
        message: expect.stringMatching(/^exit code 1: a{1500,2048}\nlast$/),
      },
      {
        variant: 'out-of-memory',
        outcome: 'TestFailed',
        reason: 'OOMKilled',
        message: 'ran out of memory and was killed (exit code 137)',
        exit_code: 137,
      },
      {
        variant: 'result-and-exit-code',
        outcome: 'TestFailed',
        reason: 'NonZeroExitCode',
        message: 'exit code 3: {"metrics":{"x":1}}',
        exit_code: 3,
      },
      { variant: 'success', outcome: 'Succeeded', reason: 'Completed', message: '', exit_code: 0 },
      {
        variant: 'term',
        outcome: 'TestFailed',
        reason: 'Signalled',
        message: 'exit code 143 (SIGTERM)',
        exit_code: 143,
      },
      { variant: 'trap', outcome: 'TestFailed', exit_code: 133 },
    ]);
  });

  it('stores as a result what is one, and says what is wrong with anything else', async () => {
    const world = await aWorld(`results-${execution.toLowerCase()}`);
    const uid = await world.create(
      scripts(
        world.images.shell,
        {
          binary: `printf '\\377\\376\\000\\200' >"$BATCHTEST_RESULT_FILE"`,
          'largest-result': `printf '{"metrics":{"x":1},"outputs":{"text":"%s"}}' "${letters(4055)}" >"$BATCHTEST_RESULT_FILE"`,
          'no-result': 'true',
          'not-utf-8': `printf '{"metrics":{"x":1},"outputs":{"text":"\\377"}}' >"$BATCHTEST_RESULT_FILE"`,
          'too-long': `printf '{"metrics":{"x":1},"outputs":{"text":"%s"}}' "${letters(9000)}" >"$BATCHTEST_RESULT_FILE"`,
        },
        { spec: { execution } },
      ),
    );
    await world.untilOver(uid);
    expect(await world.attempts(uid)).toMatchObject([
      { variant: 'binary', outcome: 'ResultInvalid', reason: 'ResultUnusable' },
      { variant: 'largest-result', outcome: 'Succeeded' },
      {
        variant: 'no-result',
        outcome: 'ResultInvalid',
        reason: 'NoResult',
        message: 'the program wrote no result to $BATCHTEST_RESULT_FILE',
      },
      { variant: 'not-utf-8', outcome: 'Succeeded' },
      { variant: 'too-long', outcome: 'ResultInvalid', message: expect.stringContaining('4096') },
    ]);
    // A byte that is no UTF-8 becomes a replacement character on the way.
    expect(await world.outputs(uid)).toMatchObject({ 'not-utf-8': { text: '\uFFFD' } });
  });

  it('says where a result was cut that is longer than its share of what the kubelet tells of a pod', async () => {
    const world = await aWorld(`shares-${execution.toLowerCase()}`);
    const { shell } = world.images;
    const ofBytes = (bytes: number): string =>
      `printf '{"metrics":{"x":1},"outputs":{"text":"%s"}}' "${letters(bytes - 41)}" >"$BATCHTEST_RESULT_FILE"`;
    const uid = await world.create(
      scripts(
        shell,
        { 'just-short': ofBytes(3_072), 'too-long': ofBytes(3_073) },
        {
          spec: { execution },
          pod: {
            initContainers: ['one', 'two', 'three'].map((name) => ({
              name,
              image: shell,
              command: ['/bin/sh', '-c', 'true'],
            })),
          },
        },
      ),
    );
    await world.untilOver(uid);
    expect(await world.attempts(uid)).toMatchObject([
      { variant: 'just-short', outcome: 'Succeeded' },
      {
        variant: 'too-long',
        outcome: 'ResultInvalid',
        message: expect.stringContaining('reaches the limit of 3072 bytes and was probably cut off there'),
      },
    ]);
  });
});
