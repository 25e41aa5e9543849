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
    const failures: Extract<Handled, { kind: 'Failed' }>[] = [];
    const events = runEvents(message, stored);
    await Promise.all(
      targets.map(async (target) => {
        for (const { name, event } of events) {
          const part = `${name}/${target.id}`;
          if (done.has(part)) continue;
          // What one of them fails with, and be it an interruption, takes nothing back of what another has taken.
          const failure = await post(event, target, bearer, signal).catch(failedBy);
          if (failure === undefined) done.add(part);
          else failures.push(typeof failure === 'string' ? { kind: 'Failed', error: failure } : failure);
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
    // A run of ten thousand trials is large enough by itself.
    batch: 1,
    deadlineMs: 120_000,
    handle: (messages, signal) => eachByItself(messages, (message) => notify(message, signal)),
  };
}
