/** `batchtest parity FILE` without a cluster. */
import { describe, expect, it, vi } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { type FinishedCommand, runCommand } from './command-line.ts';

// Several calls of the command line, one after the other.
vi.setConfig({ testTimeout: 120_000 });

const manifest = (container: object, spec: object = {}) =>
  JSON.stringify({
    apiVersion: 'batchtest.dev/v1alpha1',
    kind: 'BatchTest',
    metadata: { name: 'cache' },
    spec: {
      variants: [
        { name: 'lru', parameters: { CACHE: 'lru' } },
        { name: 'fifo', parameters: { CACHE: 'fifo' } },
      ],
      template: { spec: { containers: [{ name: 'test', image: 'bench:1', ...container }] } },
      objective: { metrics: [{ name: 'x', goal: 'minimize' }] },
      ...spec,
    },
  });

const NO_CLUSTER = { KUBECONFIG: '/does/not/exist', KUBERNETES_SERVICE_HOST: '' };

const parity = (input: string, ...args: readonly string[]): Promise<FinishedCommand> =>
  runCommand(['parity', '-', ...args], { input, environment: NO_CLUSTER });

describe('batchtest parity FILE', () => {
  it('ends with 0 when both engines would run the same, and says that no cluster was asked', async () => {
    const { exitCode, stdout, stderr } = await parity(
      manifest({ command: ['bench'], args: ['--cache=$(CACHE)'] }),
    );
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(
      /^cache · 2 variants × 1 repetition = 2 trials\n✔ Same: both engines would run the same\n/,
    );
    expect(stdout).toContain('no API server was asked: kubeconfig /does/not/exist cannot be used');
  });

  it('ends with 1 and names what matters, in every format', async () => {
    const input = manifest(
      { command: ['bench'], volumeMounts: [{ name: 'data', mountPath: '/data' }] },
      { local: { env: { SEED: 'hunter2' } } },
    );
    const table = await parity(input);
    expect(table.exitCode).toBe(1);
    expect(table.stdout).toContain('✘ Different: 2 differences matter\n');
    expect(table.stdout).toMatch(
      /^! {2}spec\.template\.spec\.containers\[0\]\.volumeMounts {2}Ignored +Honoured\n {5}are not mounted locally/m,
    );
    expect(table.stdout).toContain('!  the variable SEED is set locally only (variant lru and 1 other)');
    // Values may be secrets.
    expect(table.stdout).not.toContain('hunter2');

    const json = JSON.parse((await parity(input, '-o', 'json')).stdout);
    expect(json).toMatchObject({
      name: 'cache',
      trials: 2,
      verdict: 'Different',
      server: { kind: 'NoCluster' },
    });
    expect(json.jobs).toHaveLength(2);
    expect(parse((await parity(input, '-o', 'yaml')).stdout)).toEqual(json);
    const markdown = await parity(input, '-o', 'markdown');
    expect(markdown.stdout).toMatch(/^### `cache`: 2 differences between the engines\n/);
    expect(markdown.stdout).toContain(
      '| **!** | `spec.template.spec.containers[0].volumeMounts` | Ignored | Honoured |',
    );
  });

  it('names what only the cluster can tell, which is no difference', async () => {
    const { exitCode, stdout } = await parity(
      manifest(
        {
          command: ['bench', '--user=$(USER_NAME)'],
          args: ['--token=$(TOKEN)'],
          env: [{ name: 'TOKEN', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }],
          envFrom: [{ configMapRef: { name: 'users' } }],
        },
        { local: { env: { TOKEN: 'dev', USER_NAME: 'me' } } },
      ),
    );
    expect(exitCode).toBe(0);
    expect(stdout).toContain('✔ Same: both engines would run the same\n');
    expect(stdout).toContain('spec.template.spec.containers[0].envFrom[0]  Ignored   Honoured\n');
    for (const what of [
      'the words of the command refer to',
      'the variable TOKEN has',
      'the variable USER_NAME has',
    ])
      expect(stdout).toContain(`\n   ${what} a `);
  });

  it('says that there is nothing to run locally, and what only a cluster refuses', async () => {
    const { stdout } = await parity(
      manifest({ image: 'bench:latest' }, { reusePolicy: 'Succeeded' }),
      '-o',
      'json',
    );
    const fields = JSON.parse(stdout).fields.filter(({ matters }: { matters: boolean }) => matters);
    expect(fields).toMatchObject([
      { field: 'spec.local.command', local: 'Refused' },
      { field: 'spec.template.spec.containers[0].image', local: 'Ignored', kubernetes: 'Refused' },
    ]);
  });

  it('prints the Job of each variant with --jobs', async () => {
    const { exitCode, stdout } = await parity(
      manifest({ args: ['--cache=$(CACHE)'] }),
      '--jobs',
      '-n',
      'team-a',
    );
    expect(exitCode).toBe(0);
    const jobs = parseAllDocuments(stdout).map((document) => document.toJS());
    expect(jobs).toMatchObject(
      ['lru', 'fifo'].map((variant) => ({
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: { namespace: 'team-a', annotations: { 'batchtest.dev/variant-name': variant } },
        spec: {
          backoffLimit: 0,
          template: {
            spec: { containers: [{ env: expect.arrayContaining([{ name: 'CACHE', value: variant }]) }] },
          },
        },
      })),
    );
  });

  it('prints Jobs that kubectl reads as they are meant, whatever the parameters hold', async () => {
    const variants = [{ name: 'cached', parameters: { CACHE: 'on', SINCE: '2024-01-01', LIMIT: '1_000' } }];
    const { stdout } = await parity(manifest({ command: ['bench'] }, { variants }), '--jobs');
    const [job] = parseAllDocuments(stdout, { version: '1.1' }).map((document) => document.toJS());
    expect(job.spec.template.spec.containers[0].env).toEqual(
      expect.arrayContaining([
        { name: 'CACHE', value: 'on' },
        { name: 'SINCE', value: '2024-01-01' },
        { name: 'LIMIT', value: '1_000' },
      ]),
    );
  });

  it('ends with 2 for an invalid manifest, and with 3 when the cluster that was asked for cannot be asked', async () => {
    expect((await parity('{}')).exitCode).toBe(2);
    const asked = await parity(manifest({ command: ['bench'] }), '--kubeconfig', '/missing');
    expect(asked).toMatchObject({ exitCode: 3, stdout: '' });
    expect(asked.stderr).toMatch(/^cluster: kubeconfig \/missing cannot be used/);
  });
});
