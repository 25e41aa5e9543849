/** Early stopping, targets and gates against an earlier run, as a user of the command line sees them. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { aBench, type Bench } from './recorded-program.ts';

vi.setConfig({ testTimeout: 240_000 });

/** Reports its VALUE times FACTOR. From the third repetition on the variant `fast` waits for the gate, where there is one to wait for. */
const PROGRAM = `
if [ "$BATCHTEST_VARIANT" = fast ] && [ "$BATCHTEST_REPETITION" -ge 2 ] && [ "$WAITS" = yes ]; then
  : > "$1/reached"
  while [ ! -e "$1/gate" ]; do sleep 0.05; done
fi
echo "{\\"metrics\\":{\\"m\\":$((VALUE * FACTOR))}}" > "$BATCHTEST_RESULT_FILE"
`;

interface Measured {
  readonly values: Readonly<Record<string, number>>;
  readonly factor?: number;
  readonly waits?: boolean;
  readonly target?: number;
  readonly spec: object;
}

function manifest({ folder }: Bench, { values, factor = 1, waits = false, target, spec }: Measured): string {
  const env = [
    { name: 'FACTOR', value: String(factor) },
    { name: 'WAITS', value: waits ? 'yes' : 'no' },
  ];
  const command = ['/bin/sh', '-c', PROGRAM.replaceAll('$((', '$$(('), 'sh', folder];
  return JSON.stringify({
    apiVersion: 'batchtest.dev/v1alpha1',
    kind: 'BatchTest',
    metadata: { name: 'measured' },
    spec: {
      variants: Object.entries(values).map(([name, VALUE]) => ({
        name,
        parameters: { VALUE: String(VALUE) },
      })),
      template: { spec: { containers: [{ name: 'test', image: 'test:1', command, env }] } },
      objective: { metrics: [{ name: 'm', goal: 'minimize', ...(target === undefined ? {} : { target }) }] },
      ...spec,
    },
  });
}

const reported = z.looseObject({
  run: z.looseObject({ uid: z.string() }),
  gates: z.array(z.looseObject({ reason: z.string() })),
});

describe('a gate against the previous run', () => {
  it('passes at first, fails with 1 once a variant is worse, and compares with the last run that passed', async () => {
    const bench = aBench();
    const ran = async (factor: number) => {
      const text = manifest(bench, {
        values: { a: 10, b: 20 },
        factor,
        spec: {
          repetitions: 2,
          parallelism: 2,
          comparison: { gates: [{ metric: 'm', against: 'PreviousRun', maxRegressionPercent: 5 }] },
        },
      });
      const { exitCode, stdout, stderr } = await bench.run(['run', '-', '-o', 'json'], text);
      expect(stdout, stderr).not.toBe('');
      return { exitCode, report: reported.parse(JSON.parse(stdout)) };
    };
    const first = await ran(10);
    expect(first).toMatchObject({
      exitCode: 0,
      report: { gate: 'Passed', previousRun: null, gates: [{ result: 'Passed', previousRun: null }] },
    });
    expect(first.report.gates[0]?.reason).toContain('nothing to compare with');

    const { uid } = first.report.run;
    for (const attempt of ['a regression', 'the same again']) {
      const worse = await ran(12);
      expect(worse, attempt).toMatchObject({
        exitCode: 1,
        report: {
          gate: 'Failed',
          previousRun: { uid },
          gates: [{ result: 'Failed', against: 'PreviousRun', previousRun: uid, failing: ['a', 'b'] }],
          matrix: [{ metrics: { m: { vsPreviousRun: { differencePercent: 20, verdict: 'Worse' } } } }, {}],
        },
      });
    }
    const last = await ran(9);
    expect(last).toMatchObject({ exitCode: 0, report: { gate: 'Passed', previousRun: { uid } } });

    // What was judged is told in each format, also when that run is gone.
    const reports = async () =>
      Object.fromEntries(
        await Promise.all(
          ['table', 'json', 'csv', 'markdown', 'junit', 'html'].map(async (format) => {
            const { stdout } = await bench.run(['report', last.report.run.uid, '-o', format]);
            expect(stdout, format).toContain(uid.slice(0, 8));
            return [format, stdout] as const;
          }),
        ),
      );
    const before = await reports();
    const pruned = await bench.run(['prune', '--older-than', '0s', '--keep', '1']);
    expect(pruned.exitCode, pruned.stderr).toBe(0);
    expect((await bench.run(['report', uid])).exitCode).toBe(2);
    expect(await reports()).toEqual(before);
  });
});

describe('a variant that is clearly behind', () => {
  it('is stopped early; killed and resumed, the run goes on with the others', async () => {
    const bench = aBench();
    const text = manifest(bench, {
      values: { fast: 1, slow: 9 },
      waits: true,
      spec: { repetitions: 4, comparison: { earlyStopping: { looks: 1, minRepetitions: 2 } } },
    });
    const command = bench.start(['run', '-', '-o', 'json'], text);
    await expect
      .poll(() => existsSync(join(bench.folder, 'reached')), { timeout: 120_000, interval: 100 })
      .toBe(true);
    command.kill('SIGKILL');
    await command.finished;
    const slow = { variant: 'slow', trials: { succeeded: 2, skipped: 2 }, stoppedAtLook: 1, rank: null };
    expect(await bench.document('report')).toMatchObject({
      run: { interrupted: true, trials: { pending: 2, skipped: 2 } },
      best: { name: 'fast', evidence: 'Significant' },
      matrix: [{ variant: 'fast', rank: 1 }, slow],
    });
    bench.openGate();
    const { exitCode, stdout, stderr } = await bench.run(['run', '--resume']);
    expect(exitCode, stderr).toBe(0);
    expect(stdout).toContain(
      'StoppedEarly: 1 variant was stopped early; 6 of 8 trials succeeded, 2 were skipped',
    );
    expect(stdout).toMatch(/slow .* 2\/4 {2}stopped early/);
    expect(stdout).toContain('★ fast is best: score 1.0000');
    expect(await bench.document('report')).toMatchObject({
      run: {
        state: 'Complete',
        reason: 'StoppedEarly',
        trials: { succeeded: 6, skipped: 2, failed: 0, cancelled: 0 },
      },
      matrix: [{ variant: 'fast', trials: { succeeded: 4 } }, slow],
    });
    const { stdout: junit } = await bench.run(['report', '-o', 'junit']);
    expect(junit.match(/<skipped message="the variant was stopped early"\/>/g)).toHaveLength(2);
    expect(junit).toContain('failures="0" errors="0" skipped="2"');
  });
});

describe('a target', () => {
  it('ends the run with 0 once a variant meets it', async () => {
    const bench = aBench();
    const text = manifest(bench, { values: { a: 1, b: 2, c: 3 }, target: 3, spec: { repetitions: 1 } });
    const { exitCode, stdout, stderr } = await bench.run(['run', '-', '-o', 'json'], text);
    expect(exitCode, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      run: {
        state: 'Complete',
        reason: 'TargetMet',
        message: expect.stringMatching(
          /^[abc] meets the target: m at most 3; 1 of 3 trials succeeded, 2 were skipped$/,
        ),
        trials: { succeeded: 1, skipped: 2, failed: 0, cancelled: 0 },
      },
    });
  });
});
