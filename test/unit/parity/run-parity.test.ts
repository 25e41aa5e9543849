/** Pairs of real local runs in a real Postgres that differ in one thing each: it is found, and named. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BatchTestManifest } from '../../../src/api/v1alpha1/schema.ts';
import { DIFFERENCE_KINDS, type DifferenceKind } from '../../../src/parity/difference.ts';
import { type RunParityOptions, runParity } from '../../../src/parity/run-parity.ts';
import type { StoredRun } from '../../../src/results/result-store.ts';
import { createRunner } from '../../../src/runner/create-runner.ts';
import { presets } from '../../../src/runner/presets.ts';

type Spec = BatchTestManifest['spec'];

const directory = mkdtempSync(join(tmpdir(), 'batchtest-parity-'));
const settings = join(directory, 'settings.sh');
const runner = createRunner(presets.testing());
afterAll(async () => {
  await runner.shutdown();
  rmSync(directory, { recursive: true, force: true });
});

/**
 * What a program does is set from outside, so that the manifest is the same whatever it does: SCALE and JITTER make x of the parameter
 * SIZE, in per mille.
 */
const PROGRAM = `SCALE=1000 JITTER=1 OUTPUT=1 EXTRA=
. "$SETTINGS"
X=$((SIZE * 100 * (SCALE + JITTER * BATCHTEST_REPETITION)))
printf '{"metrics":{"x":%s,"count":%s%s},"outputs":{"text":%s}}' "$X" "\${COUNT:-$SIZE}" "$EXTRA" "$OUTPUT" > "$BATCHTEST_RESULT_FILE"`;

const CONTAINER = {
  name: 'test',
  image: 'sizes:1',
  command: ['/bin/sh', '-c', PROGRAM.replaceAll('$', '$$$$')],
  env: [{ name: 'SETTINGS', value: settings }],
};

const manifest = (spec: Partial<Spec> = {}, container: object = {}): BatchTestManifest => ({
  apiVersion: 'batchtest.dev/v1alpha1',
  kind: 'BatchTest',
  metadata: { name: 'sizes' },
  spec: {
    parallelism: 4,
    repetitions: 4,
    variants: ['a', 'b', 'c'].map((name, index) => ({ name, parameters: { SIZE: String(index + 1) } })),
    template: { spec: { containers: [{ ...CONTAINER, ...container }] } },
    objective: { metrics: [{ name: 'x', goal: 'minimize' }] },
    ...spec,
  },
});

/** Runs the manifest as the settings, lines of shell, have it. */
async function aRun(shell = '', batchTest = manifest()): Promise<StoredRun> {
  writeFileSync(settings, shell);
  const { stored } = await runner.run(batchTest);
  if (stored === undefined) throw new Error('nothing is stored');
  return stored;
}

let base: StoredRun;
beforeAll(async () => {
  base = await aRun();
});

/** The kinds of difference between two runs, in their order. */
const kindsOf = (
  first: StoredRun,
  second: StoredRun,
  options?: RunParityOptions,
): readonly DifferenceKind[] => [
  ...new Set(runParity(first, second, options).differences.map(({ kind }) => kind)),
];

const found = new Set<DifferenceKind>();
/** Expects these kinds in both directions. */
function expectKinds(second: StoredRun, kinds: readonly DifferenceKind[], options?: RunParityOptions): void {
  expect(kindsOf(base, second, options)).toEqual(kinds);
  expect(kindsOf(second, base, options)).toEqual(kinds);
  for (const kind of kinds) found.add(kind);
}

describe('runs that do the same', () => {
  it('are the same, exactly or within the tolerance', async () => {
    const parity = runParity(base, await aRun('SCALE=1010'), { exact: ['count'], exactOutputs: true });
    expect(parity).toMatchObject({
      verdict: 'Same',
      differences: [],
      undecided: [],
      compared: { variants: 3, trials: 12 },
      tolerancePercent: 5,
    });
    expect(runParity(base, base, { exact: ['x', 'count'], exactOutputs: true }).verdict).toBe('Same');
    expect(JSON.parse(JSON.stringify(parity))).toEqual(parity);
  });

  it('cannot be told to be the same when values vary too much, or when there is one trial each', async () => {
    const vague = runParity(base, await aRun('JITTER=300; SCALE=700'));
    expect(vague.verdict).toBe('Undecided');
    expect(vague.undecided.join()).toMatch(
      /^x of \d variants?: the values vary too much to tell, as of variant a: /,
    );
    const once = manifest({ repetitions: 1 });
    const few = runParity(await aRun('', once), await aRun('', once));
    expect(few.verdict).toBe('Undecided');
    expect(few.undecided).toContain(
      'x of 3 variants: too few trials to tell, as of variant a: 100000 and 100000, 0.0 % apart',
    );
  });

  it('are the same as one of a cluster that is told something only its pod knows', async () => {
    const here = await aRun(
      '',
      manifest(
        { local: { env: { NODE: 'laptop' } } },
        {
          command: CONTAINER.command.slice(0, 1),
          args: [...CONTAINER.command.slice(1), 'bench', '--node=$(NODE)'],
          env: [...CONTAINER.env, { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }],
        },
      ),
    );
    const parity = runParity(here, { ...here, engine: 'kubernetes' });
    expect(parity).toMatchObject({ verdict: 'Same', differences: [] });
    expect(parity.notes).toEqual([
      'the arguments were not compared: a Secret, a ConfigMap or the pod has a part of them',
      'the variable NODE was not compared: an image, a Secret, a ConfigMap or the pod has it',
    ]);
  });

  it('are not called the same by an exact metric that nobody reports', () => {
    expect(runParity(base, base, { exact: ['nothing'] })).toMatchObject({
      verdict: 'Undecided',
      undecided: ['no trial reported the exact metric nothing in both runs'],
    });
  });
});

describe('what differs in the manifests', () => {
  const [a, b, c] = ['a', 'b', 'c'].map((name, index) => ({ name, parameters: { SIZE: String(index + 1) } }));
  if (a === undefined || b === undefined || c === undefined) throw new Error('three variants');
  it('a variant', async () => {
    expectKinds(await aRun('', manifest({ variants: [a, b] })), ['VariantMissing']);
  });
  it('the name of a variant', async () => {
    expectKinds(await aRun('', manifest({ variants: [a, b, { ...c, name: 'd' }] })), ['VariantRenamed']);
  });
  it('a parameter', async () => {
    const other = await aRun(
      'COUNT=1',
      manifest({ variants: [a, b, { name: 'c', parameters: { SIZE: '4' } }] }),
    );
    expectKinds(other, ['ParametersDiffer', 'MetricDiffers']);
    expect(runParity(base, other).differences[0]).toEqual({
      kind: 'ParametersDiffer',
      subject: 'SIZE',
      count: 1,
      examples: ['variant c has SIZE "3" and "4"'],
    });
  });
  it('the pod template', async () => {
    expectKinds(await aRun('', manifest({}, { image: 'sizes:2' })), ['TemplateDiffers']);
  });
  it('the number of trials', async () => {
    expectKinds(await aRun('', manifest({ repetitions: 5 })), ['RepetitionsDiffer']);
  });
  it('the objective', async () => {
    const objective: Spec['objective'] = {
      metrics: [
        { name: 'x', goal: 'minimize' },
        { name: 'count', goal: 'minimize' },
      ],
    };
    expectKinds(await aRun('', manifest({ objective })), ['ObjectiveDiffers']);
  });
  it('the command', async () => {
    const local = { command: ['/bin/sh', '-fc', CONTAINER.command[2] ?? ''] };
    expectKinds(await aRun('', manifest({ local })), ['CommandDiffers']);
  });
  it('a variable of the environment, whose value is not told', async () => {
    const other = await aRun('', manifest({ local: { env: { TOKEN: 'hunter2' } } }));
    expectKinds(other, ['EnvironmentDiffers']);
    const parity = runParity(base, other);
    expect(parity.differences).toMatchObject([{ subject: 'TOKEN', count: 3 }]);
    // The report names runs and variants, never values of variables.
    expect(JSON.stringify(parity)).not.toContain('hunter2');
  });
});

describe('what differs in how programs end', () => {
  it('the outcome, and so the exit class and the end of the run', async () => {
    const other = await aRun('[ "$SIZE" = 3 ] && exit 3');
    expectKinds(other, ['RunEndDiffers', 'OutcomeDiffers', 'ExitClassDiffers']);
    expect(runParity(base, other).differences).toContainEqual({
      kind: 'OutcomeDiffers',
      subject: null,
      count: 4,
      examples: [0, 1, 2].map((repetition) => `c, repetition ${repetition}: Succeeded and TestFailed`),
    });
  });

  it('the exit class alone, when a program is killed where it failed before', async () => {
    const failed = await aRun('[ "$SIZE" = 3 ] && exit 3');
    const killed = await aRun('[ "$SIZE" = 3 ] && kill -9 $$');
    expect(kindsOf(failed, killed)).toEqual(['ExitClassDiffers']);
    expect(runParity(failed, killed).differences[0]?.examples[0]).toBe(
      'c, repetition 0: another exit code and a signal',
    );
  });

  it('the outcome alone, when a result is missing where it was there', async () => {
    expectKinds(await aRun('[ "$SIZE" = 3 ] && exit 0'), ['RunEndDiffers', 'OutcomeDiffers']);
  });
});

describe('what differs in results', () => {
  it('the mean of a metric, beyond the tolerance', async () => {
    const other = await aRun('SCALE=1200');
    expectKinds(other, ['MetricDiffers']);
    expect(runParity(base, other).differences).toMatchObject([
      {
        subject: 'x',
        count: 3,
        examples: expect.arrayContaining([expect.stringMatching(/^variant a: .* % apart$/)]),
      },
    ]);
    expect(kindsOf(base, other, { tolerancePercent: 30 })).toEqual([]);
  });

  it('the value of an exact metric in a single trial, which no tolerance covers', async () => {
    const other = await aRun('[ "$SIZE$BATCHTEST_REPETITION" = 22 ] && COUNT=2.0000001');
    expect(kindsOf(base, other)).toEqual([]);
    expectKinds(other, ['ExactMetricDiffers'], { exact: ['count'] });
    expect(runParity(base, other, { exact: ['count'] }).differences[0]?.examples).toEqual([
      'b, repetition 2: 2 and 2.0000001',
    ]);
  });

  it('a metric that only one run has', async () => {
    expectKinds(await aRun(`EXTRA=',"more":1'`), ['MetricMissing']);
  });

  it('the outputs, when they are compared', async () => {
    const other = await aRun('OUTPUT=2');
    expect(kindsOf(base, other)).toEqual([]);
    expectKinds(other, ['OutputsDiffer'], { exactOutputs: true });
  });

  it('the best variant and the ranking', async () => {
    const other = await aRun('SIZE=$((4 - SIZE)); COUNT=1', manifest());
    const kinds = kindsOf(base, other, { exact: [], tolerancePercent: 99 });
    expect(kinds).toEqual(['BestDiffers', 'RankingDiffers']);
    expectKinds(other, ['MetricDiffers', 'BestDiffers', 'RankingDiffers']);
  });

  it('no ranking among variants that cannot be told apart', async () => {
    const twins = manifest({
      variants: ['a', 'b'].map((name) => ({ name, parameters: { SIZE: '2', NAME: name } })),
    });
    const jitter = (better: string) =>
      `[ "$NAME" = ${better} ] && SCALE=999; JITTER=$(( (BATCHTEST_REPETITION % 2) * 10 ))`;
    const [first, second] = [await aRun(jitter('a'), twins), await aRun(jitter('b'), twins)];
    expect(runParity(first, second).differences).toEqual([]);
    expect(runParity(first, second).verdict).toBe('Same');
  });

  it('the gates', async () => {
    const gated = manifest({ comparison: { gates: [{ metric: 'x', max: 302_000 }] } });
    const [passed, failed] = [await aRun('', gated), await aRun('SCALE=1010', gated)];
    expect(kindsOf(passed, failed)).toEqual(['GateDiffers']);
    found.add('GateDiffers');
  });
});

it('has shown every kind of difference', () => {
  expect([...found].toSorted()).toEqual([...DIFFERENCE_KINDS].toSorted());
});
