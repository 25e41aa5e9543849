/**
 * An operator whose CRD is that of another version, as during an upgrade, after a rollback, and for good where releases of several versions share it: on a control
 * plane of its own, because the CRD is one for the whole cluster.
 */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { API_VERSION, FINALIZER, PLURAL } from '../../src/api/v1alpha1/constants.ts';
import { batchTestCrd } from '../../src/api/v1alpha1/crd.ts';
import type { BatchTest } from '../../src/api/v1alpha1/schema.ts';
import { defineRun } from '../../src/core/run.ts';
import { openPostgresResultStore } from '../../src/results/postgres/open-postgres-result-store.ts';
import { type ControlPlane, startControlPlane } from '../tools/control-plane.ts';
import { installCrd } from './installed-crd.ts';
import { edit, untilEvent, untilNothingIsLeft, untilRunning, untilVariantRuns } from './operator-steps.ts';
import {
  aBatchTest,
  ENDS_SOON,
  measured,
  type OperatorSite,
  openOperatorSite,
  RUNS_ON,
} from './operator-world.ts';
import { query } from './postgres-server.ts';
import { type BatchTestObject, carrierCreations, conditionOf } from './watch-recorder.ts';

let cluster: ControlPlane;
let site: OperatorSite;
beforeAll(async () => {
  cluster = await startControlPlane();
  site = await openOperatorSite(cluster);
}, 900_000);
afterAll(async () => {
  await site?.close();
  await cluster?.stop();
}, 60_000);

/** Of a later version: with a field that has a default, some that have none, and values that this version does not know. */
function laterCrd() {
  const crd = structuredClone(batchTestCrd());
  const { spec, status } = crd.spec.versions[0]?.schema.openAPIV3Schema.properties ?? {};
  const sharedData = spec?.properties?.sharedData?.items?.properties;
  const gate = status?.properties?.gate;
  if (spec?.properties?.podCleanupPolicy === undefined || sharedData === undefined || gate === undefined)
    throw new Error('the CRD has changed');
  const podCleanupPolicy = {
    ...spec.properties.podCleanupPolicy,
    enum: ['Succeeded', 'Always', 'Never', 'Later'],
  };
  const fields = { later: { type: 'string', default: 'x' }, wish: { type: 'string' } };
  Object.assign(spec.properties, fields, { podCleanupPolicy });
  Object.assign(sharedData, { subPath: { type: 'string' } });
  Object.assign(gate, { enum: ['Passed', 'Failed', 'Inconclusive'] });
  return crd;
}

/** Of an earlier version, by which a template need not have a pod. */
function earlierCrd() {
  const crd = structuredClone(batchTestCrd());
  const { spec } = crd.spec.versions[0]?.schema.openAPIV3Schema.properties ?? {};
  if (spec?.properties?.template === undefined) throw new Error('the CRD has changed');
  Object.assign(spec.properties.template, { required: [] });
  return crd;
}

/** Applies a CRD, and resolves when what tells it from others holds. Watches of BatchTests may be lost by it, so no test has one meanwhile. */
async function served(crd: unknown, holds: () => Promise<void>): Promise<void> {
  await installCrd(cluster, crd);
  await vi.waitFor(holds, { timeout: 20_000, interval: 100 });
}

const collectionOf = (namespace: string): string => `/apis/${API_VERSION}/namespaces/${namespace}/${PLURAL}`;

/** The spec that an object of this manifest would have. */
async function wouldBe(manifest: object): Promise<Readonly<Record<string, unknown>>> {
  const path = `${collectionOf('default')}?dryRun=All`;
  return (await cluster.request<{ spec: Record<string, unknown> }>('POST', path, manifest)).spec;
}

describe('an operator that is older than its CRD', () => {
  beforeAll(() =>
    served(laterCrd(), async () => {
      const probe = aBatchTest({ parallelism: 1, pod: ENDS_SOON });
      expect(await wouldBe(probe)).toMatchObject({ later: 'x' });
    }),
  );

  it('F34: goes on with a run through a restart and an edit, and tells which fields it ignores', async () => {
    const world = await site.aWorld('later');
    const first = await world.startOperator();
    const uid = await world.create(aBatchTest({ variants: 3, parallelism: 1, pod: RUNS_ON }));
    const [pod] = await untilRunning(world, uid, 1);
    if (pod === undefined) throw new Error('unreachable: one was waited for');
    await first.kill();
    const second = await world.startOperator();
    await second.untilReady();
    await edit(world, { parallelism: 3, wish: 'something' });
    const pods = await untilRunning(world, uid, 3);
    for (const running of pods) await world.endPod(running, { exitCode: 0, message: measured(1) });
    const object = await world.untilCondition(uid, 'Complete');
    expect(object.status?.trials).toMatchObject({ total: 3, succeeded: 3 });
    expect(pods.map(({ metadata }) => metadata.uid)).toContain(pod.metadata.uid);
    expect(await world.storedRun(uid)).toMatchObject({ state: 'Complete', succeeded: 3 });
    expect(await untilEvent(world, uid, 'FieldsIgnored')).toMatchObject({ type: 'Warning' });
    const { fields } = await second.untilLogged('it tells of the field without a default', ({ fields }) =>
      String(fields).includes('spec.wish'),
    );
    expect(fields).toBe('spec.later, spec.wish');
  });

  it('begins and completes a run that somebody makes meanwhile', async () => {
    const world = await site.aWorld('made-later');
    await world.startOperator();
    const uid = await world.create(aBatchTest({ variants: 2, parallelism: 2, pod: ENDS_SOON }));
    await world.untilCondition(uid, 'Complete');
    expect((await untilEvent(world, uid, 'FieldsIgnored'))?.note).toContain('spec.later');
  });

  it.each(['while it leads', 'between two operators'])(
    'F34: ends in good order a run that gets a value which it does not know, %s',
    async (when) => {
      const world = await site.aWorld('unreadable');
      const first = await world.startOperator();
      const uid = await world.create(
        aBatchTest({ variants: ['done', 'a', 'b'], parallelism: 3, pod: RUNS_ON }),
      );
      const pod = await untilVariantRuns(world, uid, 'done');
      await world.endPod(pod, { exitCode: 0, message: measured(1) });
      await untilVariantRuns(world, uid, 'a');
      await untilVariantRuns(world, uid, 'b');
      if (when === 'between two operators') await first.kill();
      await edit(world, { podCleanupPolicy: 'Later' });
      if (when === 'between two operators') await world.startOperator();

      const object = await world.untilLetGo(uid);
      expect(conditionOf(object, 'Failed')).toMatchObject({
        status: 'True',
        reason: 'InvalidSpec',
        message: expect.stringMatching(
          /spec\.podCleanupPolicy: expected .*, got "Later"\), with 1 of 3 trials done$/,
        ),
      });
      expect(object.status?.trials).toMatchObject({ succeeded: 1, cancelled: 2, running: 0, pending: 0 });
      expect(await world.storedRun(uid)).toMatchObject({
        state: 'Failed',
        reason: 'InvalidSpec',
        succeeded: 1,
        cancelled: 2,
      });
      expect(
        (await world.storedAttempts(uid)).map(
          ({ variant, outcome, reason }) => `${variant} ${outcome} ${reason}`,
        ),
      ).toEqual(['a Cancelled InvalidSpec', 'b Cancelled InvalidSpec', 'done Succeeded Completed']);
      await untilNothingIsLeft(world, uid);
    },
  );

  it('F34: ends a run of a later version of which it does not know all that its variants mount, and starts nothing of it', async () => {
    const world = await site.aWorld('rolled-back');
    const corpus = { name: 'corpus', mountPath: '/data', configMap: { name: 'corpus' }, subPath: 'small' };
    const manifest = aBatchTest({
      variants: 2,
      parallelism: 2,
      spec: { sharedData: [corpus] },
      pod: ENDS_SOON,
    });
    const uid = await world.create({
      ...manifest,
      metadata: { ...manifest.metadata, finalizers: [FINALIZER] },
    });
    // As the later version begins it, by whose variants it is stored.
    const begun = await cluster.request<BatchTest>('GET', world.path('cache'));
    const store = await openPostgresResultStore({ connection: world.connection });
    await store.openRun(defineRun(begun, { uid, engine: 'kubernetes' }));
    await store.close();

    await world.startOperator();
    const object = await world.untilLetGo(uid);
    expect(conditionOf(object, 'Failed')).toMatchObject({
      reason: 'InvalidSpec',
      message: expect.stringContaining('spec.sharedData[0].subPath: unknown field'),
    });
    expect(await world.storedRun(uid)).toMatchObject({
      state: 'Failed',
      reason: 'InvalidSpec',
      cancelled: 2,
    });
    expect(carrierCreations(world.recorder.changes(), uid).size).toBe(0);
  });

  it('F34: leaves alone a run that is over, of which a later version tells what it does not know', async () => {
    const world = await site.aWorld('over');
    const first = await world.startOperator();
    const uid = await world.create(aBatchTest({ parallelism: 1, pod: ENDS_SOON }));
    await world.untilLetGo(uid);
    await first.kill();
    await query(world.connection, 'select batchtest.delete_runs($1)', [[uid]]);
    const { status } = await cluster.request<BatchTestObject>('PATCH', world.path('cache', 'status'), {
      status: { gate: 'Inconclusive' },
    });

    await world.startOperator();
    // It has looked at what was there before it completes what came later.
    const next = aBatchTest({ name: 'next', parallelism: 1, pod: ENDS_SOON });
    await world.untilLetGo(await world.create(next));
    expect(await world.storedRun(uid)).toBeUndefined();
    expect(carrierCreations(world.recorder.changes(), uid).size).toBe(1);
    expect(await cluster.request('GET', world.path('cache'))).toMatchObject({ status });
  });
});

describe('an object of before a template had to have a pod', () => {
  const { spec, ...manifest } = aBatchTest({ parallelism: 1, pod: ENDS_SOON });
  const empty = { ...manifest, spec: { ...spec, template: {} } };
  beforeAll(() =>
    served(earlierCrd(), async () => {
      expect(await wouldBe(empty)).toMatchObject({ template: {} });
    }),
  );

  it('is told what it lacks, and nothing of it is started', async () => {
    const world = await site.aWorld('earlier');
    const { metadata } = await cluster.request<BatchTestObject>('POST', collectionOf(world.namespace), empty);
    await world.startOperator();
    const object = await world.untilCondition(metadata.uid, 'Failed');
    expect(conditionOf(object, 'Failed')).toMatchObject({
      reason: 'InvalidSpec',
      message: 'BatchTest: spec.template.spec: required, but missing',
    });
    expect(carrierCreations(world.recorder.changes(), metadata.uid).size).toBe(0);
  });

  it('can be told by the CRD of today as well', async () => {
    await cluster.request('POST', collectionOf('default'), empty);
    await served(batchTestCrd(), () => expect(wouldBe(empty)).rejects.toMatchObject({ statusCode: 422 }));
    const status = { trials: { total: 1, pending: 1, running: 0, succeeded: 0, failed: 0, cancelled: 0 } };
    const path = `${collectionOf('default')}/${manifest.metadata.name}`;
    await cluster.request('PATCH', `${path}/status`, { status });
    expect(await cluster.request('GET', path)).toMatchObject({ status, spec: { template: {} } });
  });
});
