import { ConditionType } from '../api/v1alpha1/constants.ts';
import type { BatchTestStatus } from '../api/v1alpha1/status.ts';
import { finishedCondition } from '../core/status.ts';
import { type MetricFamilies, NAMESPACE } from './metric-families.ts';

/** A BatchTest that is there, as its status tells. */
export interface ObjectStatus {
  /** Undefined for a local run. */
  readonly namespace: string | undefined;
  readonly status: BatchTestStatus | undefined;
}

const RUN_STATES = ['Pending', 'Running', 'Suspended', 'Complete', 'Failed', 'Cancelled'] as const;

export interface ObjectMetrics {
  /** Tells of these objects from now on. Returns how to stop that. */
  follow(objects: () => Iterable<ObjectStatus>): () => void;
}

/** BatchTests by state, also of those that are over and still there. */
export function createObjectMetrics(families: MetricFamilies): ObjectMetrics {
  const sources = new Set<() => Iterable<ObjectStatus>>();
  families.gauge(
    'batchtest_runs_current',
    'BatchTests that are there, those that are over included, by what their status says. Told by the leader only.',
    { namespace: NAMESPACE, state: RUN_STATES },
    (gauge) => {
      for (const objects of sources)
        for (const { namespace = '', status } of objects()) {
          for (const state of RUN_STATES) gauge.inc({ namespace, state }, 0);
          gauge.inc({ namespace, state: stateOf(status) });
        }
    },
  );
  return {
    follow(objects) {
      sources.add(objects);
      return () => sources.delete(objects);
    },
  };
}

function stateOf(status: BatchTestStatus | undefined): (typeof RUN_STATES)[number] {
  const ended = finishedCondition(status)?.type;
  const isTrue = (type: string) =>
    status?.conditions?.some((condition) => condition.type === type && condition.status === 'True') === true;
  return (
    RUN_STATES.find((state) => state === ended) ??
    (isTrue(ConditionType.Suspended)
      ? 'Suspended'
      : isTrue(ConditionType.Progressing)
        ? 'Running'
        : 'Pending')
  );
}
