import { setTimeout as sleep } from 'node:timers/promises';
import type { PostgresServer } from '../../integration/postgres-server.ts';
import { type Change, recordNamespace, type WatchRecorder } from '../../integration/watch-recorder.ts';
import type { AuditEvent } from '../../tools/audit-log.ts';
import type { ControlPlane } from '../../tools/control-plane.ts';
import { seriesOf, seriesValue } from '../../tools/exposition.ts';
import { batchTestWrites, writesByActor } from './api-writes.ts';
import {
  BATCH_LABEL,
  type Contender,
  deadlineMs,
  describe,
  type PreparedContender,
  type TakenWork,
} from './contender.ts';
import { firstPodMsOf, type Observation } from './figures.ts';
import type { Limits } from './limits.ts';
import { PodTimeline } from './pod-timeline.ts';
import { ProcessUsage } from './process-usage.ts';
import { allTrials, batchNames, type Scenario } from './scenario.ts';

/** What all measurements at one control plane share. */
export interface Ground {
  readonly cluster: ControlPlane;
  readonly limits: Limits;
  readonly postgres: PostgresServer;
  readonly directory: string;
  /** What each contender does first. */
  readonly warmUp: Scenario;
}

/**
 * Lets a contender warm up and then do the work of a scenario, in a namespace of its own, and tells what was seen of the latter. Nothing of it runs afterwards.
 */
export async function observe(
  contender: Contender,
  scenario: Scenario,
  ground: Ground,
): Promise<Observation> {
  const { cluster, warmUp } = ground;
  const namespace = await cluster.createNamespace('bench');
  const warmUpPods = new WitnessedPods(warmUp);
  const pods = new WitnessedPods(scenario);
  const witness = await recordNamespace(
    cluster,
    namespace,
    (change) => {
      warmUpPods.note(change);
      pods.note(change);
    },
    ({ kind }) => kind === 'BatchTest',
  );
  let prepared: PreparedContender | undefined;
  try {
    prepared = await contender.prepare({ ...ground, namespace, witness });
    const warmedUp = await observeWork(prepared, await prepared.take(warmUp), warmUp, witness, warmUpPods);
    const { length: writesBefore } = await settledAuditLog(cluster);
    const putBefore = await bytesPut(cluster);
    const work = await prepared.take(scenario);
    const observed = await observeWork(prepared, work, scenario, witness, pods);
    await prepared.end();
    const log = (await settledAuditLog(cluster)).slice(writesBefore);
    return {
      ...observed,
      ...(prepared.pid === undefined ? {} : { newFirstPodMs: firstPodMsOf(warmedUp) }),
      writes: writesByActor(log, namespace),
      batchTestWrites: batchTestWrites(log, namespace),
      etcdBytes: (await bytesPut(cluster)) - putBefore,
      ...(await work.ownFigures()),
    };
  } catch (cause) {
    throw new Error(`${describe(contender, scenario)}; ${await prepared?.account()}`, { cause });
  } finally {
    await prepared?.end();
    await witness.close();
  }
}

/** The pods of a scenario, all together and by the batch that they are of. */
class WitnessedPods {
  readonly timeline = new PodTimeline();
  readonly #batches: ReadonlyMap<string, PodTimeline>;
  podBytes: number | undefined;

  constructor(scenario: Scenario) {
    this.#batches = new Map(batchNames(scenario).map((name) => [name, new PodTimeline()]));
  }

  get batches(): readonly PodTimeline[] {
    return [...this.#batches.values()];
  }

  note(change: Change): void {
    if (change.kind !== 'Pod') return;
    const batch = this.#batches.get(change.object.metadata.labels?.[BATCH_LABEL] ?? '');
    if (batch === undefined) return;
    this.podBytes ??= bytesOfPod(change.object);
    this.timeline.note(change);
    batch.note(change);
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
  { pid, databasePid }: PreparedContender,
  work: TakenWork,
  scenario: Scenario,
  witness: WatchRecorder,
  witnessed: WitnessedPods,
): Promise<
  Omit<
    Observation,
    | 'writes'
    | 'batchTestWrites'
    | 'etcdBytes'
    | 'statusBytes'
    | 'objectBytes'
    | 'transactions'
    | 'newFirstPodMs'
  >
> {
  const { timeline, batches } = witnessed;
  const until = (what: string, look: () => boolean) =>
    witness.until(what, () => (look() ? true : undefined), deadlineMs(scenario));
  const trials = scenario.isSuspended === true ? 0 : allTrials(scenario);
  const usage =
    pid === undefined ? undefined : new ProcessUsage(pid, databasePid, () => timeline.ended.length);
  try {
    const beganAt = performance.now();
    await work.begin();
    let cancelledAt: number | undefined;
    if (scenario.isCancelled === true) {
      await until(`${scenario.parallelism} pods run`, () => timeline.running.length >= scenario.parallelism);
      cancelledAt = performance.now();
      await work.cancel();
    } else {
      await until(`${trials} pods have ended`, () => timeline.ended.length >= trials);
    }
    const toldAt = await work.finish();
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
