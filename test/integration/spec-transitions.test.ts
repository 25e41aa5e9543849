/**
 * Every field of the spec, changed from each of its values to each other one while a run is suspended and while it is under way: either the run
 * comes to what a new BatchTest with the final value comes to, or the server refuses the change and names the field.
 */
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type BatchTestManifest, batchTestSpecSchema } from '../../src/api/v1alpha1/schema.ts';
import { ApiRequestError } from '../tools/cluster-client.ts';
import type { PlayedPod } from './kubernetes-world.ts';
import { nowhereToRun, runningPods, untilRunning } from './operator-steps.ts';
import {
  aBatchTest,
  ENDS_SOON,
  measured,
  type OperatorSite,
  type OperatorWorld,
  openOperatorSite,
  RUNS_ON,
} from './operator-world.ts';
import { query } from './postgres-server.ts';
import { conditionOf, lastOf, present } from './watch-recorder.ts';

type Spec = BatchTestManifest['spec'];
type Field = keyof Spec;

/** A field that may change, in a run that shows what its value is. */
interface MutableField {
  readonly field: Field;
  readonly variants: number;
  readonly parallelism?: number;
  readonly pod: PlayedPod;
  readonly spec?: Partial<Spec>;
  /** Each value (undefined: the field is left out) with what the run comes to under it; see {@link whatRunsCameTo}. */
  readonly values: readonly (readonly [value: unknown, comesTo: string])[];
  /** Changes that are not made: they would be refused, or what was started under the old value stays. */
  readonly without?: (from: unknown, to: unknown, isUnderWay: boolean) => boolean;
  /** What a test does to the run once its field has the final value. */
  readonly afterwards?: (world: OperatorWorld, name: string, uid: string) => Promise<unknown>;
}

const MUTABLE: readonly MutableField[] = [
  {
    field: 'parallelism',
    variants: 3,
    pod: RUNS_ON,
    // Under Drain, what runs when it is lowered would finish.
    spec: { scaleDownPolicy: 'Preempt' },
    values: [
      [0, 'Progressing Paused; Running, 0 succeeded, 0 failed, 0 cancelled; 0 Jobs'],
      [1, 'Progressing Running; Running, 0 succeeded, 0 failed, 0 cancelled; 1 Jobs'],
      [3, 'Progressing Running; Running, 0 succeeded, 0 failed, 0 cancelled; 3 Jobs'],
    ],
  },
  {
    field: 'trialDeadlineSeconds',
    variants: 1,
    // Long enough for an operator with a hundred runs on a busy machine to notice that the deadline has passed.
    pod: { runMs: 20_000, message: measured(1) },
    values: [
      [undefined, 'Complete AllTrialsSucceeded; Complete, 1 succeeded, 0 failed, 0 cancelled; 0 Jobs'],
      [1, 'Failed VariantsFailed; Failed, 0 succeeded, 1 failed, 0 cancelled; 0 Jobs'],
    ],
  },
  {
    field: 'trialStartDeadlineSeconds',
    variants: 1,
    pod: RUNS_ON,
    spec: { template: nowhereToRun(RUNS_ON), retryPolicy: { limit: 0 } },
    values: [
      [undefined, 'Progressing WaitingForStart; Running, 0 succeeded, 0 failed, 0 cancelled; 1 Jobs'],
      [1, 'Failed InfrastructureFailed; Failed, 0 succeeded, 1 failed, 0 cancelled; 0 Jobs'],
    ],
  },
  {
    field: 'activeDeadlineSeconds',
    variants: 1,
    pod: RUNS_ON,
    values: [
      [undefined, 'Progressing Running; Running, 0 succeeded, 0 failed, 0 cancelled; 1 Jobs'],
      [3_600, 'Progressing Running; Running, 0 succeeded, 0 failed, 0 cancelled; 1 Jobs'],
      [2, 'Failed DeadlineExceeded; Failed, 0 succeeded, 0 failed, 1 cancelled; 0 Jobs'],
    ],
  },
  {
    field: 'ttlSecondsAfterFinished',
    variants: 1,
    pod: ENDS_SOON,
    values: [
      [undefined, 'Complete AllTrialsSucceeded; Complete, 1 succeeded, 0 failed, 0 cancelled; 0 Jobs'],
      [3_600, 'Complete AllTrialsSucceeded; Complete, 1 succeeded, 0 failed, 0 cancelled; 0 Jobs'],
      [0, 'gone; Complete, 1 succeeded, 0 failed, 0 cancelled; 0 Jobs'],
    ],
  },
  {
    field: 'suspend',
    variants: 2,
    pod: RUNS_ON,
    values: [
      [undefined, 'Progressing Running; Running, 0 succeeded, 0 failed, 0 cancelled; 2 Jobs'],
      [true, 'Suspended RunSuspended; Running, 0 succeeded, 0 failed, 0 cancelled; 0 Jobs'],
    ],
  },
  {
    field: 'cancel',
    variants: 2,
    pod: RUNS_ON,
    values: [
      [undefined, 'Progressing Running; Running, 0 succeeded, 0 failed, 0 cancelled; 2 Jobs'],
      [true, 'Cancelled CancelRequested; Cancelled, 0 succeeded, 0 failed, 2 cancelled; 0 Jobs'],
    ],
    without: (from) => from === true,
  },
  {
    field: 'maxPending',
    variants: 3,
    pod: RUNS_ON,
    spec: { template: nowhereToRun(RUNS_ON) },
    values: [
      [undefined, 'Progressing WaitingForStart; Running, 0 succeeded, 0 failed, 0 cancelled; 3 Jobs'],
      [1, 'Progressing WaitingForStart; Running, 0 succeeded, 0 failed, 0 cancelled; 1 Jobs'],
      [2, 'Progressing WaitingForStart; Running, 0 succeeded, 0 failed, 0 cancelled; 2 Jobs'],
    ],
    // It bounds what is started, and ends nothing.
    without: (from, to, isUnderWay) => isUnderWay && Number(from ?? 3) > Number(to ?? 3),
  },
  {
    field: 'scaleDownPolicy',
    variants: 2,
    pod: RUNS_ON,
    values: [
      ['Drain', 'Progressing Running; Running, 0 succeeded, 0 failed, 0 cancelled; 2 Jobs'],
      ['Preempt', 'Progressing Running; Running, 0 succeeded, 0 failed, 0 cancelled; 1 Jobs'],
    ],
    // Both come to the same before parallelism is lowered.
    async afterwards(world, name, uid) {
      await untilRunning(world, uid, 2);
      await patch(world, name, { parallelism: 1 });
    },
  },
  {
    field: 'maxFailedVariants',
    variants: 3,
    parallelism: 1,
    pod: { runMs: 500, exitCode: 1 },
    spec: { podCleanupPolicy: 'Always' },
    values: [
      [undefined, 'Failed VariantsFailed; Failed, 0 succeeded, 3 failed, 0 cancelled; 0 Jobs'],
      [0, 'Failed TooManyFailedVariants; Failed, 0 succeeded, 1 failed, 2 cancelled; 0 Jobs'],
      [1, 'Failed TooManyFailedVariants; Failed, 0 succeeded, 2 failed, 1 cancelled; 0 Jobs'],
    ],
  },
  {
    field: 'podCleanupPolicy',
    variants: 2,
    pod: RUNS_ON,
    values: [
      ['Succeeded', 'Failed VariantsFailed; Failed, 1 succeeded, 1 failed, 0 cancelled; 1 Jobs'],
      ['Always', 'Failed VariantsFailed; Failed, 1 succeeded, 1 failed, 0 cancelled; 0 Jobs'],
      ['Never', 'Failed VariantsFailed; Failed, 1 succeeded, 1 failed, 0 cancelled; 2 Jobs'],
    ],
    async afterwards(world, name, uid) {
      const [one, other] = await untilRunning(world, uid, 2);
      await untilObserved(world, name, uid);
      if (one === undefined || other === undefined) throw new Error('unreachable: two were waited for');
      await world.endPod(one, { exitCode: 0, message: measured(1) });
      await world.endPod(other, { exitCode: 1 });
    },
  },
  {
    field: 'local',
    variants: 1,
    pod: ENDS_SOON,
    values: [
      [undefined, 'Complete AllTrialsSucceeded; Complete, 1 succeeded, 0 failed, 0 cancelled; 0 Jobs'],
      [
        { command: ['true'] },
        'Complete AllTrialsSucceeded; Complete, 1 succeeded, 0 failed, 0 cancelled; 0 Jobs',
      ],
    ],
  },
];

const CONTAINER = { name: 'test', image: 'test:1' };
const METRIC = { name: 'x', goal: 'minimize' };
const MATRIX = { parameters: [{ name: 'POLICY', values: ['a', 'b'] }] };
const DATA = { name: 'corpus', mountPath: '/data', configMap: { name: 'corpus' } };
const RULE = { action: 'Ignore', onExitCodes: { operator: 'In', values: [42] } };

/** Values of the fields that cannot change. */
const IMMUTABLE: Readonly<Partial<Record<Field, readonly unknown[]>>> = {
  workflowId: [undefined, 'one', 'two'],
  repetitions: [1, 2],
  variants: [[{ name: 'a' }], [{ name: 'b' }], [{ name: 'a', parameters: { X: '1' } }], undefined],
  matrix: [undefined, MATRIX, { ...MATRIX, exclude: [{ POLICY: 'a' }] }],
  template: [
    { spec: { containers: [CONTAINER] } },
    { spec: { containers: [{ ...CONTAINER, image: 'test:2' }] } },
    { metadata: { labels: { team: 'a' } }, spec: { containers: [CONTAINER] } },
  ],
  objective: [
    { metrics: [METRIC] },
    { metrics: [{ ...METRIC, goal: 'maximize' }] },
    { metrics: [{ ...METRIC, name: 'y' }] },
    { metrics: [{ ...METRIC, target: '5' }] },
  ],
  retryPolicy: [{ limit: 1 }, { limit: 2 }, { limit: 1, outcomes: ['TestFailed'] }],
  failurePolicy: [undefined, { rules: [RULE] }, { rules: [{ ...RULE, action: 'Retry' }] }],
  comparison: [
    {},
    { confidence: '0.9' },
    { gates: [{ metric: 'x', max: '5' }] },
    { gates: [{ metric: 'x', against: 'PreviousRun', maxRegressionPercent: '5' }] },
  ],
  execution: ['Job', 'Pod'],
  reusePolicy: ['Never', 'Succeeded'],
  results: [{}, { push: true }],
  sharedData: [
    undefined,
    [DATA],
    [{ ...DATA, mountPath: '/other' }],
    [{ ...DATA, local: 'data' }],
    [{ name: 'corpus', mountPath: '/data', persistentVolumeClaim: { claimName: 'corpus' } }],
  ],
};

/** The operator knows the spec as it is: edits and ends of pods reach it by different watches. */
async function untilObserved(world: OperatorWorld, name: string, uid: string): Promise<void> {
  const { metadata } = await world.cluster.request<{ metadata: { generation: number } }>(
    'GET',
    world.path(name),
  );
  await world.recorder.until(
    'the operator knows the spec',
    (changes) => (lastOf(changes, uid)?.status?.observedGeneration ?? 0) >= metadata.generation || undefined,
  );
}

let site: OperatorSite;
beforeAll(async () => {
  site = await openOperatorSite(inject('controlPlane'));
});
afterAll(() => site?.close());

it('knows every field of the spec', () => {
  const known = [...MUTABLE.map(({ field }) => field), ...Object.keys(IMMUTABLE)];
  expect(known.sort()).toEqual(Object.keys(batchTestSpecSchema.shape).sort());
});

it('a run comes to what its final spec says, whatever a field was before', async () => {
  const world = await site.aWorld('transitions');
  await (await world.startOperator()).untilReady();
  const cases = MUTABLE.flatMap(transitionsOf);
  const uids = new Map<string, string>();
  await Promise.all(
    cases.map(async ({ name, run }) => {
      await run(world, (uid) => uids.set(name, uid));
    }),
  );
  const found = async () => {
    const comeTo = await whatRunsCameTo(world);
    return cases.map(({ name }) => [name, comeTo(uids.get(name) ?? '')]);
  };
  const expected = cases.map(({ name, expected }) => [name, expected]);
  await expect.poll(found, { timeout: 90_000, interval: 500 }).toEqual(expected);
  // And that is where it stays.
  await world.recorder.untilQuietFor(2_000);
  expect(await found()).toEqual(expected);
}, 240_000);

describe('the server refuses to change', () => {
  it.each(Object.entries(IMMUTABLE))('%s, whatever it was and is to be', async (field, values) => {
    const world = await site.aWorld(`immutable-${field.toLowerCase()}`);
    for (const [index, from] of values.entries()) {
      const name = `from-${index}`;
      const manifest = aBatchTest({ name, parallelism: 1, pod: ENDS_SOON });
      // Beside the field under test, a run needs one of the two.
      const spec = { ...manifest.spec, ...(field === 'variants' ? { matrix: MATRIX } : {}), [field]: from };
      await world.cluster.request('POST', world.path('').replace(/\/$/, ''), { ...manifest, spec });
      for (const to of values) {
        if (to === from) continue;
        // A merge patch would leave what the new value does not name.
        const change = to === undefined ? { op: 'remove' } : { op: 'add', value: to };
        const refusal = await world.cluster
          .request(
            'PATCH',
            world.path(name),
            [{ ...change, path: `/spec/${field}` }],
            'application/json-patch+json',
          )
          .catch((error: unknown) => error);
        expect(refusal).toBeInstanceOf(ApiRequestError);
        expect(refusal).toMatchObject({
          statusCode: 422,
          message: expect.stringContaining(
            `spec.${field}: Forbidden: ${field} cannot be changed once the BatchTest exists`,
          ),
        });
      }
    }
  });

  it('cancel back to false, or to nothing', async () => {
    const world = await site.aWorld('cancel-back');
    const manifest = aBatchTest({ parallelism: 1, pod: ENDS_SOON, spec: { cancel: true } });
    await world.create(manifest);
    for (const cancel of [false, null])
      await expect(patch(world, 'cache', { cancel })).rejects.toMatchObject({
        statusCode: 422,
        message: expect.stringContaining('cancel cannot be taken back: create another BatchTest'),
      });
  });
});

interface Transition {
  readonly name: string;
  readonly expected: string;
  run(world: OperatorWorld, onCreated: (uid: string) => void): Promise<void>;
}

/** A new BatchTest per value, and one per change from each value to each other: made while it is suspended, and while it is under way. */
function transitionsOf(mutable: MutableField): readonly Transition[] {
  const { field, values, without = () => false, afterwards = async () => undefined } = mutable;
  const create = async (
    world: OperatorWorld,
    name: string,
    onCreated: (uid: string) => void,
    spec: Partial<Spec>,
  ): Promise<string> => {
    const { variants, parallelism = variants, pod } = mutable;
    const manifest = aBatchTest({ name, variants, parallelism, pod, spec: { ...mutable.spec, ...spec } });
    const uid = await world.create(manifest);
    onCreated(uid);
    return uid;
  };
  const fresh = values.map(([value, expected], index): Transition => {
    const name = nameOf(field, 'fresh', index);
    return {
      name,
      expected,
      async run(world, onCreated) {
        const uid = await create(world, name, onCreated, withField(field, value));
        await afterwards(world, name, uid);
      },
    };
  });
  const pairs = values.flatMap(([from, before], a) =>
    values.flatMap(([to, expected], b) => (a === b ? [] : [{ from, before, to, expected, a, b }])),
  );
  const suspended = pairs
    .filter(({ from, to }) => field !== 'suspend' && !without(from, to, false))
    .map(({ from, to, expected, a, b }): Transition => {
      const name = nameOf(field, 'suspended', a, b);
      return {
        name,
        expected,
        async run(world, onCreated) {
          const uid = await create(world, name, onCreated, { ...withField(field, from), suspend: true });
          await world.untilCondition(uid, 'Suspended');
          await patch(world, name, { [field]: to ?? null });
          await patch(world, name, { suspend: false });
          await afterwards(world, name, uid);
        },
      };
    });
  const underWay = pairs
    // From a value under which the run would be over before it could be changed, there is no such change.
    .filter(({ from, to, before }) => isOpenEnded(mutable, before) && !without(from, to, true))
    .map(({ from, to, expected, a, b }): Transition => {
      const name = nameOf(field, 'underway', a, b);
      return {
        name,
        expected,
        async run(world, onCreated) {
          const uid = await create(world, name, onCreated, withField(field, from));
          await world.recorder.until(`${name} is under way`, (changes) => {
            const { trials, conditions } = lastOf(changes, uid)?.status ?? {};
            const isHalted = conditions?.some(
              ({ type, reason }) => type === 'Progressing' && /^(Paused|RunSuspended)$/.test(reason),
            );
            const hasPods = runningPods(changes, uid).length > 0 || present(changes, uid, 'Pod').length > 0;
            return isHalted || ((trials?.running ?? 0) > 0 && hasPods) || undefined;
          });
          await patch(world, name, { [field]: to ?? null });
          await afterwards(world, name, uid);
        },
      };
    });
  return [...fresh, ...suspended, ...underWay];
}

const isOpenEnded = ({ afterwards }: MutableField, comesTo: string): boolean =>
  afterwards !== undefined || /^(Progressing|Suspended)/.test(comesTo);

const nameOf = (field: string, how: string, ...values: readonly number[]): string =>
  `${field.toLowerCase()}-${how}-${values.join('-to-')}`;

const withField = (field: Field, value: unknown): Partial<Spec> =>
  value === undefined ? {} : { [field]: value };

const patch = (
  world: OperatorWorld,
  name: string,
  spec: Readonly<Record<string, unknown>>,
): Promise<unknown> => world.cluster.request('PATCH', world.path(name), { spec });

interface StoredCounts {
  readonly uid: string;
  readonly state: string;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
}

/** Tells of a run, in a line, what it has come to: what its object says, what is stored of it, and how many Jobs of it are there. */
async function whatRunsCameTo(world: OperatorWorld): Promise<(uid: string) => string> {
  const stored = await query<StoredCounts>(
    world.connection,
    'select uid, state, succeeded::int, failed::int, cancelled::int from batchtest.run_summary',
  );
  const changes = world.recorder.changes();
  return (uid) => {
    const object = lastOf(changes, uid);
    const holding = ['Complete', 'Failed', 'Cancelled', 'Suspended', 'Progressing']
      .map((type) => conditionOf(object, type))
      .find((condition) => condition?.status === 'True');
    const said = object === undefined ? 'gone' : `${holding?.type} ${holding?.reason}`;
    const run = stored.find((row) => row.uid === uid);
    const counts = `${run?.succeeded} succeeded, ${run?.failed} failed, ${run?.cancelled} cancelled`;
    return `${said}; ${run?.state}, ${counts}; ${present(changes, uid, 'Job').length} Jobs`;
  };
}
