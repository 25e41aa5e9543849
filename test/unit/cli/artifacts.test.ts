/** Artifacts, the outbox and notifications of local runs, as a user of the command line sees them. */
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startWebhook, type Webhook } from '../../tools/webhook.ts';
import { aDataDirectory, runCommand } from './command-line.ts';

const DEADLINE = { timeout: 120_000 };

let folder: string;
let webhook: Webhook;
const data = aDataDirectory();
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'batchtest-cli-artifacts-'));
  webhook = await startWebhook();
});
afterAll(async () => {
  await webhook.close();
  data.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** A manifest of one variant whose program is this shell script; its path. */
function aManifest(name: string, script: string): string {
  const file = join(folder, `${name}.json`);
  const manifest = {
    apiVersion: 'batchtest.dev/v1alpha1',
    kind: 'BatchTest',
    metadata: { name },
    spec: {
      variants: [{ name: 'only' }],
      template: { spec: { containers: [{ name: 'test', image: 'none' }] } },
      local: { command: ['sh', '-c', script.replaceAll('$', '$$$$')] },
      objective: { metrics: [{ name: 'x', goal: 'minimize' }] },
    },
  };
  writeFileSync(file, JSON.stringify(manifest));
  return file;
}

const RESULT = (artifacts: readonly unknown[]): string =>
  `printf %s '${JSON.stringify({ metrics: { x: 1 }, artifacts })}' > "$BATCHTEST_RESULT_FILE"`;

const batchtest = (...args: string[]) => runCommand([...args, '--data-dir', data.path]);

const reportOf = async (name: string) => JSON.parse((await batchtest('report', name, '-o', 'json')).stdout);

describe('the artifacts of a local run', () => {
  it(
    'are the files in $BATCHTEST_ARTIFACTS_DIR, verified when the run is over, and deleted with it',
    DEADLINE,
    async () => {
      const manifest = aManifest(
        'files',
        `ls -A "$BATCHTEST_ARTIFACTS_DIR" | grep . && exit 9
       mkdir "$BATCHTEST_ARTIFACTS_DIR/plots"
       echo one > "$BATCHTEST_ARTIFACTS_DIR/plots/one.svg"
       echo two > "$BATCHTEST_ARTIFACTS_DIR/two.txt"
       ${RESULT([{ name: 'second', uri: 'two.txt' }])}`,
      );
      const run = await batchtest('run', manifest, '-q');
      expect(run).toMatchObject({ exitCode: 0, stderr: '' });
      expect(run.stdout).toContain('✔ 2 artifacts verified\n');
      const { run: stored, verification } = await reportOf('files');
      expect(verification).toEqual({
        artifacts: { tracked: 2, pending: 0, verified: 2, mismatched: 0, missing: 0 },
        results: { pending: 0, verified: 1, mismatched: 0, missing: 0 },
        problems: [],
      });
      const kept = join(data.path, 'runs', stored.uid, 'artifacts');
      expect(
        readdirSync(kept, { recursive: true }).filter((path) => /\.(svg|txt)$/.test(String(path))),
      ).toHaveLength(2);
      await batchtest('prune', '--older-than', '0s', '--workflow', 'files');
      expect(existsSync(kept)).toBe(false);
    },
  );

  it('may be in S3, which is not accompanied by a warning of the SDK in Node 20', DEADLINE, async () => {
    const manifest = aManifest('quiet', RESULT([]));
    const run = await batchtest('run', manifest, '-q', '--artifact-store', 's3://bucket/prefix');
    expect(run).toMatchObject({ exitCode: 0, stderr: '' });
  });

  it('that are not what the result says are told of, and do not fail the run', DEADLINE, async () => {
    const manifest = aManifest(
      'wrong',
      `echo x > "$BATCHTEST_ARTIFACTS_DIR/x"
       ${RESULT([
         { name: 'differs', uri: 'x', sha256: 'ab'.repeat(32) },
         { name: 'gone', uri: 'gone' },
         { name: 'other', uri: 'file:///etc/hostname' },
       ])}`,
    );
    const run = await batchtest('run', manifest, '-q');
    expect(run.exitCode).toBe(0);
    expect(run.stdout).toContain(
      '✘ 0 of 3 artifacts verified, 1 not what the result tells, 2 missing\n  only repetition 0: differs: Mismatch: its SHA-256 is not the one that the result tells\n',
    );
    expect(run.stdout).toContain('only repetition 0: gone: Missing: there is no such file\n');
    expect(run.stdout).toContain('only repetition 0: other: Missing: not in a configured artifact store\n');
    const { stdout: junit } = await batchtest('report', 'wrong', '-o', 'junit');
    expect(junit).toContain('<property name="batchtest.artifacts.mismatched" value="1"/>');
    const { stdout: markdown } = await batchtest('report', 'wrong', '-o', 'markdown');
    expect(markdown).toContain('**0 of 3 artifacts verified, 1 not what the result tells, 2 missing**');
    const { stdout: html } = await batchtest('report', 'wrong', '-o', 'html');
    expect(html).toContain('its SHA-256 is not the one that the result tells');
  });

  it(
    'may be named by what is not UTF-8, as Python tells it: there is no such file, and the run ends',
    DEADLINE,
    async () => {
      const manifest = aManifest('latin', RESULT([{ name: 'menu', uri: 'caf\udce9.txt' }]));
      const run = await batchtest('run', manifest, '-q');
      expect(run.exitCode, run.stderr).toBe(0);
      expect(run.stdout).toContain('only repetition 0: menu: Missing: there is no such file\n');
    },
  );

  it('that are too many make the result invalid, and it says so', DEADLINE, async () => {
    const manifest = aManifest(
      'many',
      `for i in $(seq 257); do : > "$BATCHTEST_ARTIFACTS_DIR/$i"; done; ${RESULT([])}`,
    );
    const run = await batchtest('run', manifest, '-q');
    expect(run.exitCode).toBe(1);
    expect(run.stdout).toContain(
      'there are more than 256 files in $BATCHTEST_ARTIFACTS_DIR, which is the limit',
    );
  });
});

describe('an artifact in a store that could not be read', () => {
  it(
    'is not missing for a run that was not given the store, and waits for one that is',
    DEADLINE,
    async () => {
      const store = await startWebhook();
      const environment = {
        AWS_ENDPOINT_URL_S3: store.origin,
        AWS_REGION: 'us-east-1',
        AWS_ACCESS_KEY_ID: 'any',
        AWS_SECRET_ACCESS_KEY: 'any',
      };
      const runWithStore = (name: string, artifacts: readonly unknown[]) =>
        runCommand(
          [
            ...['run', aManifest(name, RESULT(artifacts)), '-q', '--data-dir', data.path],
            ...['--artifact-store', 's3://bucket/prefix'],
          ],
          { environment },
        );
      store.answer(403);
      const run = await runWithStore('stored', [{ name: 'model', uri: 's3://bucket/prefix/model', size: 0 }]);
      expect(run.exitCode, run.stderr).toBe(0);

      /** By one run after the other, until the back-off of what is tried again is over. */
      const verificationBy = (run: () => Promise<unknown>) =>
        expect.poll(
          async () => {
            await run();
            return (await reportOf('stored')).verification;
          },
          { timeout: 60_000 },
        );
      const storeless = aManifest('storeless', RESULT([]));
      await verificationBy(() => batchtest('run', storeless, '-q')).toMatchObject({
        artifacts: { tracked: 1, pending: 1, missing: 0 },
        problems: [{ state: 'Pending', reason: 'in no artifact store of the local run that looked for it' }],
      });

      store.answer(200, { 'content-length': '0' });
      await verificationBy(() => runWithStore('with-the-store', [])).toMatchObject({
        artifacts: { pending: 0, verified: 1 },
      });
      await store.close();
    },
  );
});

describe('a notification', () => {
  it(
    'that could not be delivered is listed, and delivered by the next local run with a URL',
    DEADLINE,
    async () => {
      const manifest = aManifest('notified', RESULT([]));
      webhook.answer(500);
      const secret = `${webhook.origin}/canary-path`;
      const run = await batchtest('run', manifest, '-q', '--notify-url', secret);
      expect(run.exitCode).toBe(0);
      expect(run.stderr).toBe(
        'not everything was verified or notified: the next local run that has the same URLs and artifact stores tries again, and batchtest outbox list tells what\n',
      );
      const listed = await batchtest('outbox', 'list');
      expect(listed.stdout).toMatch(
        /RunFinished {2}Pending .* notified .*\n {2}http:\/\/127\.0\.0\.1:\d+ answered 500\n$/,
      );
      expect(`${run.stdout}${run.stderr}${listed.stdout}`).not.toContain('canary');

      webhook.answer(204);
      // Whom to tell is no business of a run that tells nobody.
      await batchtest('run', aManifest('untold', RESULT([])), '-q');
      expect((await batchtest('outbox', 'list')).stdout).toContain('RunFinished');

      // In the environment a URL is not seen in the list of processes.
      const next = await runCommand(['run', aManifest('next', RESULT([])), '-q', '--data-dir', data.path], {
        environment: { BATCHTEST_NOTIFY_URLS: secret },
      });
      expect(next.exitCode).toBe(0);
      const about = webhook.received.map(({ body }) => body);
      expect(about).toContainEqual(expect.objectContaining({ subject: 'next' }));
      const told = about.filter((body) => JSON.stringify(body).includes('"subject":"notified"'));
      expect(told.length).toBeGreaterThanOrEqual(2);
      expect(told.at(-1)).toEqual(told[0]);
      expect((await batchtest('outbox', 'list')).stdout).toBe('Everything is delivered.\n');
      expect(JSON.parse((await batchtest('outbox', 'list', '-o', 'json')).stdout)).toEqual({ messages: [] });
    },
  );

  it('goes to no URL that cannot be used, and to none for a run of a cluster', DEADLINE, async () => {
    const manifest = aManifest('refused', RESULT([]));
    expect(await batchtest('run', manifest, '--notify-url', 'ftp://canary')).toMatchObject({
      exitCode: 2,
      stderr: 'the URL of --notify-url cannot be used: it must begin with https:// or http://, not ftp:\n',
    });
    expect(
      await batchtest('run', manifest, '--engine', 'kubernetes', '--notify-url', webhook.origin),
    ).toMatchObject({
      exitCode: 2,
      stderr: '--notify-url is for local runs: the operator of a cluster has its own\n',
    });
  });
});

describe('batchtest outbox retry', () => {
  it('says what it wants, and which messages are not dead', DEADLINE, async () => {
    expect(await batchtest('outbox', 'retry')).toMatchObject({
      exitCode: 2,
      stderr: 'name the messages to retry, or say --all: batchtest outbox list --dead shows them\n',
    });
    expect(await batchtest('outbox', 'retry', '999999')).toMatchObject({
      exitCode: 2,
      stdout: '',
      stderr: 'not dead, or not there: 999999 (batchtest outbox list --dead shows those that are)\n',
    });
    expect(await batchtest('outbox', 'retry', '--all')).toMatchObject({
      exitCode: 0,
      stdout: '0 messages will be tried again\n',
    });
    const { exitCode, stderr } = await batchtest('outbox', 'retry', 'x');
    expect(exitCode).toBe(2);
    expect(stderr).toContain('It must be the number of a message.');
  });
});
