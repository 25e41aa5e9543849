/** Results that programs of a local run push. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import * as z from 'zod';
import { openEmbeddedPostgres } from '../../../src/results/postgres/embedded/open-embedded-postgres.ts';
import { aBench, type Bench } from './recorded-program.ts';

vi.setConfig({ testTimeout: 120_000 });

const docs = readFileSync('docs/reference/test-program.md', 'utf8');
/** The way to push a result, as the reference shows it. */
const [, PUSH = ''] = /```sh\n(pause=1\n[\s\S]*?)```/.exec(docs) ?? [];

const report = z.object({
  run: z.object({ uid: z.string(), state: z.string() }),
  best: z.object({ name: z.string() }).nullable(),
  failures: z.array(z.object({ variant: z.string(), reason: z.string(), message: z.string() })),
});

/** A manifest whose variants run a script each, after which it pushes with `push FILE` as the reference shows it. */
function scripts(bench: Bench, byVariant: Readonly<Record<string, string>>, spec: object = {}): string {
  const cases = Object.entries(byVariant).map(([variant, script]) => `${variant}) ${script} ;;`);
  const program = [
    'bench=$1; folder=$(mktemp -d "$bench/trial-XXXXXX")',
    `push() {\n${PUSH.trim()}\n}`,
    `answer() { printf '{"metrics":{"m":%s},"outputs":{"trace":"%s"}}' "$1" "$2" > "$folder/result.json"; }`,
    `case $BATCHTEST_VARIANT in\n${cases.join('\n')}\nesac`,
  ].join('\n');
  // In a container's command `$$` is `$`, and what looks like a reference to a variable stays when there is none.
  const container = {
    ...{ name: 'test', image: 'test:1' },
    command: ['/bin/sh', '-c', program, 'sh', bench.folder],
  };
  const manifest: unknown = JSON.parse(
    bench.manifest(Object.fromEntries(Object.keys(byVariant).map((name) => [name, 'good'])), {
      results: { push: true },
      variants: Object.keys(byVariant).map((name) => ({ name, parameters: { NAME: name } })),
      template: { spec: { containers: [container] } },
      ...spec,
    }),
  );
  return JSON.stringify(manifest);
}

async function ran(bench: Bench, manifest: string, ...options: readonly string[]) {
  const finished = await bench.run(['run', '-', '--quiet', '-o', 'json', ...options], manifest);
  return { ...finished, report: report.parse(JSON.parse(finished.stdout)) };
}

async function rows(bench: Bench, text: string): Promise<readonly unknown[]> {
  const server = await openEmbeddedPostgres({ dataDir: bench.folder });
  const client = new pg.Client(server.connection);
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
    await server.close();
  }
}

const reasons = ({ failures }: z.infer<typeof report>) =>
  Object.fromEntries(failures.map(({ variant, reason }) => [variant, reason]));

describe('a program of a local run', () => {
  it('pushes a result that no result file could hold, as the reference shows it', async () => {
    const bench = aBench();
    const { exitCode, stderr, report } = await ran(
      bench,
      scripts(bench, {
        small: `answer 1 x; push`,
        large: 'answer 2 "$(head -c 900000 /dev/zero | tr "\\\\0" x)"; push; push',
        file: `answer 3 x; cat "$folder/result.json" > "$BATCHTEST_RESULT_FILE"`,
      }),
    );
    expect(exitCode, stderr).toBe(0);
    expect(report).toMatchObject({ run: { state: 'Complete' }, best: { name: 'file' } });
    expect(
      await rows(
        bench,
        `select value::float8, length(outputs->>'trace') as length from batchtest.attempts
         join batchtest.metrics using (run_uid, variant_id, repetition, attempt) where metrics.name = 'm' order by value`,
      ),
    ).toEqual([
      { value: 1, length: 1 },
      { value: 2, length: 900_000 },
      { value: 3, length: 1 },
    ]);
    expect(await rows(bench, 'select from batchtest.pushed_results')).toEqual([]);
    const left = readdirSync(join(bench.folder, 'runs', report.run.uid));
    expect(left.filter((file) => file.endsWith('.token'))).toEqual([]);
  });

  it('is told what is wrong with what it pushed, and its attempt says why it has no result', async () => {
    const bench = aBench();
    const { exitCode, report } = await ran(
      bench,
      scripts(bench, {
        both: `answer 1 x; push; cat "$folder/result.json" > "$BATCHTEST_RESULT_FILE"`,
        neither: 'true',
        other: `answer 1 x; push; answer 2 x; push`,
        fails: `answer 1 x; push; exit 3`,
        bad: `echo '{"metrics":{"m":"1"}}' > "$folder/result.json"; push`,
        long: 'answer 2 "$(head -c 9000 /dev/zero | tr "\\\\0" x)"; push',
        lacks: `echo '{"metrics":{"n":1}}' > "$folder/result.json"; push`,
      }),
      '--result-limit',
      '8Ki',
    );
    expect(exitCode).toBe(1);
    expect(reasons(report)).toEqual({
      both: 'TwoResults',
      neither: 'NoResult',
      other: 'NonZeroExitCode',
      fails: 'NonZeroExitCode',
      bad: 'NonZeroExitCode',
      long: 'NonZeroExitCode',
      lacks: 'MetricMissing',
    });
    const said = Object.fromEntries(report.failures.map(({ variant, message }) => [variant, message]));
    expect(said.other).toContain('another result of this attempt is stored, which stands');
    expect(said.bad).toContain('metric \\"m\\" must be a number, not a string');
    expect(said.long).toContain('the result is longer than the limit of 8192 bytes');
  });

  it('has a token that only this user can read and that is its own', async () => {
    const bench = aBench();
    const { exitCode, stderr } = await ran(
      bench,
      scripts(bench, {
        mode: `[ "$(ls -l "$BATCHTEST_TOKEN_FILE" | cut -c1-10)" = -rw------- ] && answer 1 x && push`,
        stranger: `echo wrong > "$folder/wrong"; t=$BATCHTEST_TOKEN_FILE; BATCHTEST_TOKEN_FILE=$folder/wrong; answer 1 x; push | grep -q TokenNotValid || exit 4; BATCHTEST_TOKEN_FILE=$t; push`,
      }),
    );
    expect(exitCode, stderr).toBe(0);
  });

  it('is started anew by a resumed run, and its earlier start does not stand in its way', async () => {
    const bench = aBench();
    const manifest = scripts(bench, {
      quick: 'answer 1 x; push',
      waits: `answer "$(ls "$bench" | grep -c again)" x; push; touch "$bench/pushed"; while [ ! -e "$bench/gate" ]; do sleep 0.05; done`,
    });
    const command = bench.start(['run', '-', '-o', 'json'], manifest);
    await command.untilStderr('best so far quick');
    await expect.poll(() => existsSync(join(bench.folder, 'pushed')), { timeout: 60_000 }).toBe(true);
    command.kill('SIGKILL');
    await command.finished;
    // What it measures and pushes from now on is something else.
    await bench.run(['list']);
    writeFileSync(join(bench.folder, 'again'), '');
    bench.openGate();
    const resumed = await bench.run(['run', '--resume', '--quiet', '-o', 'json']);
    expect(resumed.exitCode, resumed.stderr).toBe(0);
    expect(
      await rows(bench, `select value::float8 from batchtest.metrics where name = 'm' order by value`),
    ).toEqual([{ value: 1 }, { value: 1 }]);
    expect(await rows(bench, 'select from batchtest.pushed_results')).toEqual([]);
  });

  it('is told of no server when its manifest does not ask for one', async () => {
    const bench = aBench();
    const manifest = scripts(
      bench,
      {
        plain: `env | grep -E "BATCHTEST_(RESULT_URL|TOKEN_FILE)" && exit 5; answer 1 x; cat "$folder/result.json" > "$BATCHTEST_RESULT_FILE"`,
      },
      { results: { push: false } },
    );
    const { exitCode, stderr } = await ran(bench, manifest);
    expect(exitCode, stderr).toBe(0);
  });
});

describe('the way to push that the reference shows', () => {
  /** @param isPatient false: what it sleeps takes no time */
  const pushedTo = async (answers: readonly RequestListener[], isPatient = true) => {
    const folder = mkdtempSync(join(tmpdir(), 'batchtest-push-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'bin');
    mkdirSync(path);
    if (!isPatient) writeFileSync(join(path, 'sleep'), '#!/bin/sh\n', { mode: 0o755 });
    const tokens: (string | undefined)[] = [];
    const answer: RequestListener = (request, response) => {
      tokens.push(request.headers.authorization);
      writeFileSync(join(folder, 'token'), `token-${tokens.length + 1}`);
      answers[tokens.length - 1]?.(request, response);
    };
    const server = createServer(answer).on('checkContinue', answer);
    onTestFinished(() => void server.close());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the server listens on no port');
    writeFileSync(join(folder, 'token'), 'token-1');
    // Of a size for which curl asks before it sends, so that there may be an answer before the last one.
    writeFileSync(join(folder, 'result.json'), `{"outputs":{"x":"${'x'.repeat(2_000_000)}"}}`);
    const { status, stdout } = await new Promise<{ status: number; stdout: string }>((resolve) => {
      const environment = {
        PATH: `${path}:${process.env.PATH}`,
        folder,
        BATCHTEST_TOKEN_FILE: 'token',
        BATCHTEST_RESULT_URL: `http://127.0.0.1:${address.port}/v1/result`,
      };
      const program = execFile('sh', ['-euc', PUSH], { cwd: folder, env: environment }, (_, out) =>
        resolve({ status: program.exitCode ?? -1, stdout: out }),
      );
    });
    return { status, stdout, tokens };
  };
  const answering =
    (status: number, text = ''): RequestListener =>
    (request, response) => {
      if (status === 200) response.writeContinue();
      if (status === 200) request.resume().on('end', () => response.writeHead(status).end(text));
      else response.writeHead(status, { connection: 'close' }).end(text);
    };

  it('sends it again when nobody answers, or not now, with the token of the moment', async () => {
    const { status, tokens } = await pushedTo([
      ({ socket }) => socket.destroy(),
      (request, response) => {
        response.writeContinue();
        request.once('data', () => request.socket.destroy());
      },
      answering(503),
      answering(200),
    ]);
    expect(status).toBe(0);
    expect(tokens).toEqual([1, 2, 3, 4].map((count) => `Bearer token-${count}`));
  });

  it('goes on for as long as it is told to', async () => {
    const notNow = [408, 429, 500, 503].flatMap((code) => Array.from({ length: 5 }, () => answering(code)));
    const { status, tokens } = await pushedTo([...notNow, answering(200)], false);
    expect(status).toBe(0);
    expect(tokens).toHaveLength(21);
  });

  it('ends with the answer when it is refused', async () => {
    const { status, stdout, tokens } = await pushedTo([answering(409, '{"reason":"RunOver"}')]);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '{"reason":"RunOver"}' });
    expect(tokens).toHaveLength(1);
  });
});

it('refuses a result limit that is out of bounds', async () => {
  const bench = aBench();
  for (const size of ['1Ki', '17Mi', 'much']) {
    const { exitCode, stderr } = await bench.run(['run', '-', '--result-limit', size], '');
    expect(exitCode).toBe(2);
    expect(stderr).toContain('It must be a size from 4Ki to 16Mi');
  }
});
