/** What a program is given in a container, and what it is not. */
import { expect, it } from 'vitest';
import { aWorld, EXECUTIONS, scripts } from './e2e-world.ts';

/** Reports the output of a command beside the result. */
const reporting = (command: string): string =>
  [
    `said=$(${command} 2>&1)`,
    `said=$(printf %s "$said" | tr '\\n"' '; ')`,
    'printf \'{"metrics":{"x":1},"outputs":{"said":"%s"}}\' "$said" >"$BATCHTEST_RESULT_FILE"',
  ].join('; ');

it('gives it a restricted container: no root, no capabilities, no token, a root that is read-only', async () => {
  const world = await aWorld('restricted');
  const uid = await world.create(
    scripts(
      world.images.shell,
      {
        user: reporting('id -u'),
        capabilities: reporting(
          "grep -E '^(Cap(Prm|Eff|Bnd)|NoNewPrivs|Seccomp):' /proc/self/status | tr -d '\\t'",
        ),
        token: reporting('ls -d /var/run/secrets /run/secrets'),
        root: reporting('touch /touched'),
      },
      { container: { securityContext: { readOnlyRootFilesystem: true } } },
    ),
  );
  await world.untilOver(uid);
  expect(await world.outputs(uid)).toEqual({
    user: { said: '65532' },
    capabilities: { said: expect.stringMatching(/^CapPrm:0+;CapEff:0+;CapBnd:0+;NoNewPrivs:1;Seccomp:2$/) },
    token: {
      said: expect.stringMatching(
        /^ls: \/var\/run\/secrets: No such file.*;ls: \/run\/secrets: No such file/,
      ),
    },
    root: { said: 'touch: /touched: Read-only file system' },
  });
});

it('puts parameters into its arguments, whatever is in them', async () => {
  const world = await aWorld('arguments');
  const parameters = { GREETING: 'a b', QUOTED: `"$(HOSTNAME)" '; exit 9` };
  const manifest = scripts(
    world.images.shell,
    {},
    {
      spec: { variants: [{ name: 'only', parameters }] },
      container: {
        command: [
          '/bin/sh',
          '-c',
          'said="$1|$2|$3"; [ "$said" = "a b|$QUOTED|\\$$(GREETING)" ] || exit 5; echo "{\\"metrics\\":{\\"x\\":$#}}" >"$BATCHTEST_RESULT_FILE"',
          'sh',
        ],
        args: ['$(GREETING)', '$(QUOTED)', '$$(GREETING)'],
      },
    },
  );
  const uid = await world.create(manifest);
  await world.untilOver(uid);
  expect(await world.attempts(uid)).toMatchObject([{ outcome: 'Succeeded', message: '', exit_code: 0 }]);
});

it.each(EXECUTIONS)(
  'calls a pod whose image cannot be had a failure of infrastructure, when it has had its time to start, with execution %s',
  async (execution) => {
    const world = await aWorld(`images-${execution.toLowerCase()}`);
    const absent = (image: string, imagePullPolicy: 'Never' | 'IfNotPresent', name: string) => ({
      ...scripts(
        image,
        { only: 'true' },
        {
          container: { imagePullPolicy },
          spec: { execution, trialStartDeadlineSeconds: 8, retryPolicy: { limit: 0 } },
        },
      ),
      metadata: { name },
    });
    const [unpullable, unloaded] = await Promise.all([
      // Nothing listens there: the pull fails at once, whatever this machine can reach.
      world.create(absent('127.0.0.1:1/absent:1', 'IfNotPresent', 'unpullable')),
      world.create(absent('example.invalid/absent:1', 'Never', 'unloaded')),
    ]);
    await Promise.all([world.untilOver(unpullable), world.untilOver(unloaded)]);
    expect(await world.attempts(unpullable)).toMatchObject([
      { outcome: 'Infrastructure', message: expect.stringMatching(/ErrImagePull|ImagePullBackOff/) },
    ]);
    expect(await world.attempts(unloaded)).toMatchObject([
      { outcome: 'Infrastructure', message: expect.stringContaining('ErrImageNeverPull') },
    ]);
  },
);
