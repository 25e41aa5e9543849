/** What an operator makes of how programs end, and of what hostile ones leave behind. */
import { afterAll, beforeAll, expect, inject, it, onTestFinished } from 'vitest';
import type { Execution } from '../integration/kubernetes-world.ts';
import {
  aBatchTest,
  measured,
  type OperatorSite,
  type OperatorWorld,
  openOperatorSite,
  RUNS_ON,
} from '../integration/operator-world.ts';
import { aFaultyWay } from './faulty-way.ts';
import { type PlayedEnd, playPods } from './kubelet.ts';
import { untilSettled } from './run-view.ts';
import { violationsOf } from './violations.ts';

let site: OperatorSite;
beforeAll(async () => {
  site = await openOperatorSite(inject('controlPlane'));
}, 120_000);
afterAll(() => site?.close());

/** A run with one variant per way to end; `[variant, attempt, outcome, reason]` of what was stored, in order. */
async function runWith(
  world: OperatorWorld,
  ends: Readonly<Record<string, readonly PlayedEnd[]>>,
  execution: Execution = 'Job',
): Promise<readonly (readonly unknown[])[]> {
  const way = await aFaultyWay(world, { onTestFinished });
  const operator = await way.startOperator();
  const variants = Object.keys(ends);
  const manifest = aBatchTest({ variants, parallelism: variants.length, pod: RUNS_ON });
  const retryPolicy = { limit: 1, backoffSeconds: 0, maxBackoffSeconds: 0 };
  const uid = await world.create({ ...manifest, spec: { ...manifest.spec, retryPolicy, execution } });
  await playPods(world, uid, ({ variant, attempt }) => ends[variant]?.[attempt - 1] ?? { kind: 'RunsOn' });
  await untilSettled(world, uid);
  expect(await violationsOf(world, uid)).toEqual([]);
  expect(operator.isRunning).toBe(true);
  return (await world.storedAttempts(uid)).map(({ variant, attempt, outcome, reason }) => [
    variant,
    attempt,
    outcome,
    reason,
  ]);
}

const exits = (exitCode: number, message: string, reason?: string): PlayedEnd => ({
  kind: 'Exits',
  exitCode,
  message,
  ...(reason === undefined ? {} : { reason }),
});
const SUCCESS = exits(0, measured(1));

it.each<Execution>(['Job', 'Pod'])(
  'F25: does not hold an eviction or a preemption against a program, but that it ran out of memory (%s)',
  async (execution) => {
    const world = await site.aWorld('disrupted');
    const stored = await runWith(
      world,
      {
        evicted: [{ kind: 'Evicted' }, SUCCESS],
        hungry: [exits(137, '', 'OOMKilled')],
        preempted: [{ kind: 'Preempted' }, SUCCESS],
      },
      execution,
    );
    expect(stored).toEqual([
      ['evicted', 1, 'Infrastructure', 'Evicted'],
      ['evicted', 2, 'Succeeded', 'Completed'],
      ['hungry', 1, 'TestFailed', 'OOMKilled'],
      ['preempted', 1, 'Infrastructure', 'PreemptionByScheduler'],
      ['preempted', 2, 'Succeeded', 'Completed'],
    ]);
  },
);

it('F27: stores what a program leaves that is too long, or that Postgres cannot store', async () => {
  const world = await site.aWorld('unstorable');
  const stored = await runWith(world, {
    huge: [exits(0, `{"metrics":{"x":1},"outputs":{"a":"${'a'.repeat(500_000)}"}}`)],
    'last-words': [exits(3, `nul \0, half a pair \ud800, ${'é'.repeat(300_000)}`)],
    nul: [exits(0, '{"metrics":{"x":1},"outputs":{"a\\u0000":"\\u0000 \\ud800"}}')],
  });
  expect(stored).toEqual([
    ['huge', 1, 'ResultInvalid', 'ResultTooLarge'],
    ['last-words', 1, 'TestFailed', 'NonZeroExitCode'],
    ['nul', 1, 'Succeeded', 'Completed'],
  ]);
});

it('F28: takes malformed results for invalid ones, and lets none of them harm anything else', async () => {
  const world = await site.aWorld('malformed');
  const stored = await runWith(world, {
    deep: [exits(0, '['.repeat(4_000))],
    infinite: [exits(0, '{"metrics":{"x":1e999}}')],
    nan: [exits(0, '{"metrics":{"x":NaN}}')],
    prototype: [exits(0, '{"__proto__":{"x":1},"constructor":{"prototype":{"x":1}}}')],
    steady: [SUCCESS],
    twice: [exits(0, '{"metrics":{"x":1},"metrics":{"x":"one"}}')],
  });
  expect(stored).toEqual([
    ['deep', 1, 'ResultInvalid', 'ResultUnusable'],
    ['infinite', 1, 'ResultInvalid', 'ResultUnusable'],
    ['nan', 1, 'ResultInvalid', 'ResultUnusable'],
    ['prototype', 1, 'ResultInvalid', expect.stringMatching(/^(ResultUnusable|MetricMissing)$/)],
    ['steady', 1, 'Succeeded', 'Completed'],
    ['twice', 1, 'ResultInvalid', 'ResultUnusable'],
  ]);
});
