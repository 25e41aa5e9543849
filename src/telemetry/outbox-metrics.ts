import type { DeliveryOutcome } from '../outbox/outbox-processor.ts';
import { MESSAGE_KINDS, type MessageKind } from '../results/outbox.ts';
import type { MetricFamilies } from './metric-families.ts';

const OUTCOMES: readonly DeliveryOutcome[] = ['Delivered', 'Retried', 'Dead'];
const SUBJECTS = ['artifact', 'result'] as const;
const STATES = ['Verified', 'Mismatch', 'Missing'] as const;
type VerifiedSubject = (typeof SUBJECTS)[number];
type VerifiedState = (typeof STATES)[number];

/** What comes of the outbox: messages, and what was read back for them. */
export interface OutboxMetrics {
  /** Counts a message of the outbox that was handled. */
  messageHandled(kind: MessageKind, outcome: DeliveryOutcome): void;
  /** Counts something that was read back. */
  verified(subject: VerifiedSubject, state: VerifiedState): void;
  /** Sets how many messages of the outbox are not delivered; undefined: this process does not look any more, so it tells none. */
  outboxHolds(counts: { readonly pending: number; readonly dead: number } | undefined): void;
}

export function createOutboxMetrics(families: MetricFamilies): OutboxMetrics {
  const handled = families.counter(
    'batchtest_outbox_handled_total',
    'Messages of the outbox that were handled: Delivered, Retried later, or Dead until somebody asks for them.',
    { kind: MESSAGE_KINDS, outcome: OUTCOMES },
  );
  for (const kind of MESSAGE_KINDS) for (const outcome of OUTCOMES) handled.inc({ kind, outcome }, 0);
  const verified = families.counter(
    'batchtest_verified_total',
    'Results and artifacts that were read back, by what that came to.',
    { subject: SUBJECTS, state: STATES },
  );
  for (const subject of SUBJECTS) for (const state of STATES) verified.inc({ subject, state }, 0);
  const messages = families.gauge(
    'batchtest_outbox_messages',
    'Messages of the outbox that are not delivered: Pending, or Dead. Only a process that leads tells.',
    { state: ['Pending', 'Dead'] },
  );
  return {
    messageHandled: (kind, outcome) => handled.inc({ kind, outcome }),
    verified: (subject, state) => verified.inc({ subject, state }),
    outboxHolds: (counts) => {
      messages.reset();
      if (counts === undefined) return;
      messages.set({ state: 'Pending' }, counts.pending);
      messages.set({ state: 'Dead' }, counts.dead);
    },
  };
}
