import { CloudEvent } from 'cloudevents';
import { runConclusion } from '../comparison/run-conclusion.ts';
import type { Message } from '../results/outbox.ts';
import type { RunToConclude } from '../results/result-store.ts';

/** Limits of gates that an event names. */
const GATES_LIMIT = 20;

/** A notification, and the name by which a message remembers that it was delivered. */
export interface RunEvent {
  readonly name: 'finished' | 'gate';
  readonly event: CloudEvent<unknown>;
}

/**
 * What is told of a run that is over, as CloudEvents 1.0: that it is, and, when it does not keep its gates, that as well. The same message gives the same events
 * with the same ids, so that a receiver can tell a repetition.
 */
export function runEvents(
  { id, createdAt }: Pick<Message, 'id' | 'createdAt'>,
  stored: RunToConclude,
): readonly RunEvent[] {
  const { best, gate, gates } = runConclusion(stored);
  const run = {
    uid: stored.uid,
    name: stored.name,
    namespace: stored.namespace ?? null,
    workflowId: stored.workflowId,
    engine: stored.engine,
    state: stored.state,
    reason: stored.reason ?? null,
    message: stored.message ?? null,
    startedAt: stored.startedAt.toISOString(),
    finishedAt: stored.finishedAt?.toISOString() ?? null,
    trials: stored.trials,
  };
  const about = {
    source: `/batchtest/runs/${stored.uid}`,
    subject: stored.namespace === undefined ? stored.name : `${stored.namespace}/${stored.name}`,
    time: createdAt.toISOString(),
    datacontenttype: 'application/json',
  };
  const finished = new CloudEvent({
    ...about,
    id: `${stored.uid}-${id}`,
    type: 'dev.batchtest.run.finished',
    data: {
      run,
      best: best === undefined ? null : { name: best.name, score: best.score, ties: best.ties.length },
      gate: gate ?? null,
    },
  });
  if (gate !== 'Failed') return [{ name: 'finished', event: finished }];
  const failed = gates.filter(({ result }) => result !== 'Passed');
  const gateFailed = new CloudEvent({
    ...about,
    id: `${stored.uid}-${id}-gate`,
    type: 'dev.batchtest.gate.failed',
    data: {
      run,
      failed: failed.length,
      gates: failed
        .slice(0, GATES_LIMIT)
        .map(({ metric, rule, result, reason }) => ({ metric, rule, result, reason })),
    },
  });
  return [
    { name: 'finished', event: finished },
    { name: 'gate', event: gateFailed },
  ];
}
