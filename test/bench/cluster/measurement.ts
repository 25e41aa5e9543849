import { setTimeout as sleep } from 'node:timers/promises';
import type { PostgresServer } from '../../integration/postgres-server.ts';
import { type Change, recordNamespace, type WatchRecorder } from '../../integration/watch-recorder.ts';
import type { AuditEvent } from '../../tools/audit-log.ts';
import type { ControlPlane } from '../../tools/control-plane.ts';
import { seriesOf, seriesValue } from '../../tools/exposition.ts';
import { batchTestWrites, writesByActor } from './api-writes.ts';
import { BATCH_LABEL, type Contender, deadlineMs, describe, type PreparedContender } from './contender.ts';
import type { Observation } from './figures.ts';
import type { Limits } from './limits.ts';
import { PodTimeline } from './pod-timeline.ts';
import { ProcessUsage } from './process-usage.ts';
import { allTrials, batchesOf, type Scenario } from './scenario.ts';

/** What all measurements at one control plane share. */
export interface Ground {
  readonly cluster: ControlPlane;
  readonly limits: Limits;
  readonly postgres: PostgresServer;
  readonly directory: string;
}

/** Lets a contender do the work of a scenario, in a namespace of its own, and tells what was seen. Nothing of it runs afterwards. */
export async function observe(
  contender: Contender,
  scenario: Scenario,
  ground: Ground,
): Promise<Observation> {
  const namespace = await ground.cluster.createNamespace('bench');
  const pods = new WitnessedPods(scenario);
  const witness = await recordNamespace(
    ground.cluster,
    namespace,
    (change) => pods.note(change),
    ({ kind }) => kind === 'BatchTest',
  );
  let prepared: PreparedContender | undefined;
  try {
    prepared = await contender.prepare({ ...ground, scenario, namespace, witness });
    const putBefore = await bytesPut(ground.cluster);
    const observed = await observeWork(prepared, scenario, witness, pods);
    await prepared.end();
    const log = await settledAuditLog(ground.cluster);
    return {
      ...observed,
      writes: writesByActor(log, namespace),
      batchTestWrites: batchTestWrites(log, namespace),
      etcdBytes: (await bytesPut(ground.cluster)) - putBefore,
      ...(await prepared.ownFigures()),
    };
  } catch (cause) {
    throw new Error(`${describe(contender, scenario)}; ${await prepared?.account()}`, { cause });
  } finally {
    await prepared?.end();
    await witness.close();
  }
}

/** The pods of a namespace, all together and by the batch that they are of. */
class WitnessedPods {
  readonly timeline = new PodTimeline();
  readonly batches: readonly PodTimeline[];
  podBytes: number | undefined;

  constructor(scenario: Scenario) {
    this.batches = Array.from({ length: batchesOf(scenario) }, () => new PodTimeline());
  }

  note(change: Change): void {
    if (change.kind !== 'Pod') return;
    this.timeline.note(change);
    this.podBytes ??= bytesOfPod(change.object);
    const batch = change.object.metadata.labels?.[BATCH_LABEL];
    const timeline = this.batches[Number(batch)];
    if (timeline === undefined) throw new Error(`a pod is of batch ${batch}, which there is not`);
    timeline.note(change);
  }
}

/** Without what the server adds to tell of the object itself, such as who wrote which field. */
export const bytesOfPod = ({
  metadata: { labels, annotations },
  spec,
}: {
  readonly metadata: { readonly labels?: object | undefined; readonly annotations?: object | undefined };
  readonly spec?: object | undefined;
}): number => Buffer.byteLength(JSON.stringify({ labels, annotations, spec }));

async function observeWork(
  contender: PreparedContender,
  scenario: Scenario,
  witness: WatchRecorder,
  witnessed: WitnessedPods,
): Promise<
  Omit<
    Observation,
    'writes' | 'batchTestWrites' | 'etcdBytes' | 'statusBytes' | 'objectBytes' | 'transactions'
  >
> {
  const { pid } = contender;
  const { timeline, batches } = witnessed;
  const until = (what: string, look: () => boolean) =>
    witness.until(what, () => (look() ? true : undefined), deadlineMs(scenario));
  const trials = scenario.isSuspended === true ? 0 : allTrials(scenario);
  const usage = pid === undefined ? undefined : new ProcessUsage(pid, () => timeline.ended.length);
  try {
    const beganAt = performance.now();
    await contender.begin();
    let cancelledAt: number | undefined;
    if (scenario.isCancelled === true) {
      await until(`${scenario.parallelism} pods run`, () => timeline.running.length >= scenario.parallelism);
      cancelledAt = performance.now();
      await contender.cancel();
    } else {
      await until(`${trials} pods have ended`, () => timeline.ended.length >= trials);
    }
    const toldAt = await contender.finish();
    await until('no pod is left', () => timeline.present === 0);
    if (scenario.isCancelled !== true && timeline.succeeded.length !== trials)
      throw new Error(`${timeline.succeeded.length} pods succeeded, ${trials} were to`);
    const { podBytes } = witnessed;
    return { scenario, timeline, batches, beganAt, cancelledAt, toldAt, podBytes, usage: usage?.soFar() };
  } finally {
    usage?.end();
  }
}

/** All that etcd was ever told to store. Its database grows in pages, which it reuses, so the size of that tells little. */
async function bytesPut({ etcdUrl }: ControlPlane): Promise<number> {
  const answer = await fetch(`${etcdUrl}/metrics`, { signal: AbortSignal.timeout(30_000) });
  const bytes = seriesValue(seriesOf(await answer.text()), 'etcd_debugging_mvcc_total_put_size_in_bytes');
  if (bytes === undefined) throw new Error('etcd does not tell how much it has stored');
  return bytes;
}

const QUIET_MS = 2_000;
const QUIET_DEADLINE_MS = 180_000;

/** The log once nobody writes any more: at stock limits, events still arrive long after the last pod has gone, and would be in the way of the next. */
async function settledAuditLog(cluster: ControlPlane): Promise<readonly AuditEvent[]> {
  const deadline = performance.now() + QUIET_DEADLINE_MS;
  let log = await cluster.auditLog();
  for (;;) {
    await sleep(QUIET_MS);
    const now = await cluster.auditLog();
    if (now.length === log.length) return now;
    if (performance.now() > deadline)
      throw new Error(`writes go on ${QUIET_DEADLINE_MS / 1_000} s after the work is done`);
    log = now;
  }
}
