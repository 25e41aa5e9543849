import type { NotificationTarget } from '../../notifications/notification-target.ts';
import type { Message } from '../../results/outbox.ts';
import type { ResultStore } from '../../results/result-store.ts';
import { DELIVERED, eachByItself, type Handled, type MessageHandler } from '../message-handler.ts';

export interface RunFinishedContext {
  readonly store: Pick<ResultStore, 'loadRunToConclude'>;
  readonly targets: readonly NotificationTarget[];
  /** Read anew for each run, so that it may be changed meanwhile; undefined when there is none. */
  readonly token: () => Promise<string | undefined>;
}

/** Notifies every target of a run that is over, and of gates that it does not keep. A target that has taken an event does not get it again. */
export function runFinished({ store, targets, token }: RunFinishedContext): MessageHandler {
  const notify = async (message: Message, signal: AbortSignal): Promise<Handled> => {
    if (targets.length === 0) return DELIVERED;
    const stored = await store.loadRunToConclude(message.runUid);
    // Deleted before anybody was told.
    if (stored === undefined) return DELIVERED;
    // Loaded where somebody is to be told.
    const { runEvents } = await import('../../notifications/run-events.ts');
    const { post } = await import('../../notifications/webhook.ts');
    const bearer = await token();
    const done = new Set(message.done);
    const failures: string[] = [];
    const events = runEvents(message, stored);
    await Promise.all(
      targets.map(async (target) => {
        for (const { name, event } of events) {
          const part = `${name}/${target.id}`;
          if (done.has(part)) continue;
          const failure = await post(event, target, bearer, signal);
          if (failure === undefined) done.add(part);
          else failures.push(failure);
        }
      }),
    );
    return failures.length === 0
      ? DELIVERED
      : { kind: 'Failed', error: [...new Set(failures)].join('; '), done: [...done] };
  };
  return {
    kind: 'RunFinished',
    // A run of ten thousand trials is large enough by itself.
    batch: 1,
    deadlineMs: 120_000,
    handle: (messages, signal) => eachByItself(messages, (message) => notify(message, signal)),
  };
}
