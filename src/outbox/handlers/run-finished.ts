import type { NotificationTarget } from '../../notifications/notification-target.ts';
import type { Message } from '../../results/outbox.ts';
import type { ResultStore } from '../../results/result-store.ts';
import { DELIVERED, eachByItself, failedBy, type Handled, type MessageHandler } from '../message-handler.ts';

export interface RunFinishedContext {
  readonly store: Pick<ResultStore, 'loadRunToConclude'>;
  readonly targets: readonly NotificationTarget[];
  /** Read anew for each run, so that it may be changed meanwhile; undefined when there is none. */
  readonly token: () => Promise<string | undefined>;
}

/** Runs that are waited for at once: more than one, as a receiver that is silent takes its ten seconds for each of them. */
const AT_ONCE = 8;

/** Notifies every target of a run that is over, and of gates that it does not keep. A target that has taken an event does not get it again. */
export function runFinished({ store, targets, token }: RunFinishedContext): MessageHandler {
  const eventsOf = async (message: Message, signal: AbortSignal) => {
    signal.throwIfAborted();
    const stored = await store.loadRunToConclude(message.runUid);
    // Deleted before anybody was told.
    if (stored === undefined) return [];
    // Loaded where somebody is to be told.
    const { runEvents } = await import('../../notifications/run-events.ts');
    return runEvents(message, stored);
  };
  const notify = async (message: Message, signal: AbortSignal, loaded: () => void): Promise<Handled> => {
    if (targets.length === 0) return DELIVERED;
    const events = await eventsOf(message, signal).finally(loaded);
    if (events.length === 0) return DELIVERED;
    const { post } = await import('../../notifications/webhook.ts');
    const bearer = await token();
    const done = new Set(message.done);
    const failures: Extract<Handled, { kind: 'Failed' }>[] = [];
    await Promise.all(
      targets.map(async (target) => {
        for (const { name, event } of events) {
          const part = `${name}/${target.id}`;
          if (done.has(part)) continue;
          // What one of them fails with, and be it an interruption, takes nothing back of what another has taken.
          const failure = await post(event, target, bearer, signal).catch(failedBy);
          if (failure === undefined) {
            done.add(part);
            continue;
          }
          if ('kind' in failure) failures.push(failure);
          else failures.push({ kind: 'Failed', error: failure.problem });
          // It would be as silent about the next event. One that has refused this one may want the next.
          if ('kind' in failure || !failure.isAnswer) return;
        }
      }),
    );
    if (failures.length === 0) return DELIVERED;
    const errors = new Set(failures.map(({ error }) => error));
    const cause = failures.find((failure) => failure.cause !== undefined)?.cause;
    return { kind: 'Failed', error: [...errors].join('; '), done: [...done], cause };
  };
  return {
    kind: 'RunFinished',
    batch: 1,
    atOnce: AT_ONCE,
    // The trials of one are in memory at a time: a run of ten thousand is large enough by itself.
    claims: 'OneByOne',
    deadlineMs: 120_000,
    handle: (messages, signal, letNextBeClaimed) =>
      eachByItself(messages, (message) => notify(message, signal, letNextBeClaimed)),
  };
}
