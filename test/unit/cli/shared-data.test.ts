/** Data that every trial of a local run reads. */
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import * as z from 'zod';
import { aBench, type Bench } from './recorded-program.ts';

vi.setConfig({ testTimeout: 120_000 });

const docs = readFileSync('docs/reference/shared-data.md', 'utf8');
/** The manifest that the reference shows. */
const [, EXAMPLE = ''] = /```yaml\n(apiVersion: [\s\S]*?)```/.exec(docs) ?? [];

const report = z.object({
  run: z.object({ uid: z.string(), state: z.string(), reason: z.string(), message: z.string() }),
  best: z.object({ name: z.string() }).nullable(),
  gates: z.array(z.object({ result: z.string(), reason: z.string() })),
  gate: z.string().nullable(),
  matrix: z.array(
    z.object({
      variant: z.string(),
      rank: z.number().nullable(),
      metrics: z.record(z.string(), z.object({ mean: z.number() })),
    }),
  ),
});

/** The example with another script, in a file beside its corpus; the path of the file. */
function anExample(bench: Bench, script?: string, spec: object = {}): string {
  const corpus = join(bench.folder, 'corpus');
  mkdirSync(join(corpus, 'more'), { recursive: true });
  writeFileSync(join(corpus, 'a.txt'), 'one two\nthree\n');
  const manifest = z.looseObject({ spec: z.looseObject({ template: z.any() }) }).parse(parse(EXAMPLE));
  if (script !== undefined) manifest.spec.template.spec.containers[0].args = [script];
  Object.assign(manifest.spec, spec);
  const file = join(bench.folder, 'batchtest.yaml');
  writeFileSync(file, stringify(manifest));
  return file;
}

const run = async (bench: Bench, file: string) => {
  const finished = await bench.run(['run', file, '--quiet', '-o', 'json']);
  return { ...finished, report: () => report.parse(JSON.parse(finished.stdout)) };
};

const MEASURE = `echo '{"metrics": {"count": 1}}' > "$BATCHTEST_RESULT_FILE"`;

it('is found by its name, as the reference shows it', async () => {
  const bench = aBench();
  const file = anExample(bench, undefined);
  const { exitCode, stderr, report } = await run(bench, file);
  expect(exitCode, stderr).toBe(0);
  const means = Object.fromEntries(
    report().matrix.map(({ variant, metrics }) => [variant, metrics.count?.mean]),
  );
  expect(means).toEqual({ lines: 2, words: 3 });
});

it('is told as one JSON object too, and also a file can be shared', async () => {
  const bench = aBench();
  writeFileSync(join(bench.folder, 'model.bin'), 'x');
  const script = `echo "$BATCHTEST_SHARED_DATA" > "$PWD/told-$BATCHTEST_VARIANT"; cat "$BATCHTEST_SHARED_DATA_MY_MODEL" && ${MEASURE}`;
  const sharedData = [
    { name: 'corpus', mountPath: '/data', configMap: { name: 'c' }, local: 'corpus' },
    { name: 'my-model', mountPath: '/model', persistentVolumeClaim: { claimName: 'm' }, local: 'model.bin' },
  ];
  const { exitCode, stderr } = await run(bench, anExample(bench, script, { sharedData }));
  expect(exitCode, stderr).toBe(0);
  expect(JSON.parse(readFileSync(join(bench.folder, 'told-lines'), 'utf8'))).toEqual({
    corpus: join(bench.folder, 'corpus'),
    'my-model': join(bench.folder, 'model.bin'),
  });
});

it('F40: fails the run, whatever its trials measured, when a program has changed what all of them read', async () => {
  const bench = aBench();
  const script = `${MEASURE}; cd "$BATCHTEST_SHARED_DATA_CORPUS" && echo more >> more/link`;
  const file = anExample(bench, script, { comparison: { gates: [{ metric: 'count', max: 2 }] } });
  writeFileSync(join(bench.folder, 'outside'), 'outside\n');
  symlinkSync('../../outside', join(bench.folder, 'corpus', 'more', 'link'));
  const { exitCode, report } = await run(bench, file);
  expect(exitCode).toBe(1);
  expect(report().run).toMatchObject({ state: 'Failed', reason: 'SharedDataChanged' });
  expect(report().run.message).toContain(
    `shared data has changed while the run was under way: corpus (${join(bench.folder, 'corpus')})`,
  );
  // What it measured can be looked at.
  expect(report().matrix).toMatchObject([
    { rank: null, metrics: { count: { mean: 1 } } },
    { rank: null, metrics: { count: { mean: 1 } } },
  ]);
  // But nothing is called a result.
  expect(report()).toMatchObject({
    best: null,
    gate: 'Failed',
    gates: [
      {
        result: 'NotEvaluable',
        reason: 'shared data changed meanwhile, so what was measured cannot be compared',
      },
    ],
  });
  const told = await bench.run(['report']);
  expect(told.stdout).toContain('No best variant: its shared data changed, so what was measured cannot be');
  expect(told.stdout).not.toContain('★');
});

it('is not known to have been the same for a run that was cancelled, so nothing of it is taken over', async () => {
  const bench = aBench();
  const script = `case $BATCHTEST_VARIANT in words) while [ ! -e "$PWD/gate" ]; do sleep 0.05; done ;; esac; ${MEASURE}`;
  const command = bench.start(['run', anExample(bench, script)]);
  await command.untilStderr('best so far lines');
  writeFileSync(join(bench.folder, 'corpus', 'a.txt'), 'changed');
  command.kill('SIGINT');
  expect((await command.finished).exitCode).toBe(4);
  bench.openGate();
  const again = await bench.document('rerun', '--failed', '--quiet');
  expect(again).toMatchObject({ run: { state: 'Complete', trials: { succeeded: 2, reused: 0 } } });
  const onceMore = await bench.document('rerun', '--failed', '--quiet');
  expect(onceMore).toMatchObject({ run: { state: 'Complete', trials: { succeeded: 2, reused: 2 } } });
});

it('is refused when it is not there, cannot be data, or is not said to be anywhere', async () => {
  const bench = aBench();
  const file = anExample(bench, MEASURE);
  const withLocal = (local: string | undefined) =>
    anExample(bench, MEASURE, {
      sharedData: [
        {
          name: 'corpus',
          mountPath: '/data',
          configMap: { name: 'c' },
          ...(local === undefined ? {} : { local }),
        },
      ],
    });
  expect(await run(bench, withLocal('nowhere'))).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining(
      `spec.sharedData[0].local "nowhere" is not there: expected a folder or a file at ${join(bench.folder, 'nowhere')}`,
    ),
  });
  expect(await run(bench, withLocal(undefined))).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining(
      'spec.sharedData[0].local is missing: say which folder or file takes the place of corpus locally',
    ),
  });
  expect(await run(bench, withLocal('/dev/zero'))).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining(
      'spec.sharedData: corpus cannot be read: /dev/zero is neither a file nor a folder',
    ),
  });
  expect(await run(bench, withLocal('corpus/a.txt/more'))).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('spec.sharedData[0].local "corpus/a.txt/more" is not there: '),
  });
  symlinkSync('circle', join(bench.folder, 'circle'));
  const circle = await run(bench, withLocal('circle'));
  expect(circle).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('spec.sharedData[0].local "circle" cannot be read: ELOOP: '),
  });
  expect(circle.stderr).not.toMatch(/^\s+at /m);
  expect(file).toBeDefined();
});

it('is warned of when args name the path that only a pod has', async () => {
  const bench = aBench();
  const { exitCode, stderr } = await run(bench, anExample(bench, `ls /data/corpus; ${MEASURE}`));
  expect(exitCode).toBe(0);
  expect(stderr).toContain(
    'warning: spec.template.spec.containers[0] names /data/corpus, which is not there locally; $(BATCHTEST_SHARED_DATA_CORPUS) is the path in both',
  );
});

it('must be what it was when the run began, for the run to be resumed', async () => {
  const bench = aBench();
  const script = `case $BATCHTEST_VARIANT in words) while [ ! -e "$PWD/gate" ]; do sleep 0.05; done ;; esac; ${MEASURE}`;
  const file = anExample(bench, script);
  const command = bench.start(['run', file]);
  await command.untilStderr('best so far lines');
  command.kill('SIGKILL');
  await command.finished;
  bench.openGate();
  const a = join(bench.folder, 'corpus', 'a.txt');
  const before = readFileSync(a);
  writeFileSync(a, 'changed');
  expect(await bench.run(['run', '--resume', '--quiet'])).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('its shared data has changed since it began (corpus)'),
  });
  writeFileSync(a, before);

  // As in another data directory, which one database may have.
  const output = join(bench.folder, 'runs');
  renameSync(output, `${output}-elsewhere`);
  const [uid = ''] = readdirSync(`${output}-elsewhere`);
  expect(await bench.run(['run', '--resume', uid, '--quiet'])).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('name the data directory that the run began with'),
  });
  rmSync(output, { recursive: true });
  renameSync(`${output}-elsewhere`, output);
  const { exitCode, stderr } = await bench.run(['run', '--resume', '--quiet']);
  expect(exitCode, stderr).toBe(0);
});
