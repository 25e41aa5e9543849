import { createHash } from 'node:crypto';
import { API_VERSION, KIND } from '../../api/v1alpha1/constants.ts';
import { isApiError } from './api-error.ts';
import type { KubeClient } from './kube-client.ts';

/** The BatchTest that an event is about. */
export interface EventSubject {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** One thing that happens at most once in the life of a run. */
export interface RunEvent {
  /** One CamelCase word, such as Started; with the subject's UID it makes the event's name. */
  readonly reason: string;
  readonly type: 'Normal' | 'Warning';
  /** What was done, as one CamelCase word, such as StartTrials. */
  readonly action: string;
  readonly note: string;
}

const CONTROLLER = 'batchtest.dev/operator';
/** The API server's limit, in bytes. */
const NOTE_LIMIT = 1_024;
const NAME_LIMIT = 253;

/**
 * Records events for `kubectl describe` and `kubectl events`. Their names are made of the run and the reason, so that an operator that
 * says the same again after a restart makes no second one.
 */
export class EventRecorder {
  readonly #client: KubeClient;
  readonly #instance: string;
  readonly #now: () => number;

  /** @param instance which operator it is: its pod's name */
  constructor(client: KubeClient, instance: string, now: () => number = Date.now) {
    this.#client = client;
    this.#instance = instance.slice(0, 128);
    this.#now = now;
  }

  /** Resolves when the event is there. Rejects when it may not be, which is no reason to stop: an event is a courtesy. */
  async record(subject: EventSubject, { reason, type, action, note }: RunEvent): Promise<void> {
    const { namespace, name, uid } = subject;
    try {
      await this.#client.request('POST', `/apis/events.k8s.io/v1/namespaces/${namespace}/events`, {
        body: {
          apiVersion: 'events.k8s.io/v1',
          kind: 'Event',
          metadata: { namespace, name: eventName(subject, reason) },
          eventTime: new Date(this.#now()).toISOString().replace('Z', '000Z'),
          reportingController: CONTROLLER,
          reportingInstance: this.#instance,
          regarding: { apiVersion: API_VERSION, kind: KIND, namespace, name, uid },
          type,
          reason,
          action,
          note: bounded(note),
        },
      });
    } catch (error) {
      if (!isApiError(error, 409)) throw error;
    }
  }
}

function bounded(note: string): string {
  if (Buffer.byteLength(note) <= NOTE_LIMIT) return note;
  const cut = Buffer.from(note)
    .subarray(0, NOTE_LIMIT - Buffer.byteLength('…'))
    .toString();
  // A character that was cut in two has become a replacement character of up to as many bytes.
  return `${cut.replace(/\uFFFD+$/, '')}…`;
}

function eventName({ name, uid }: EventSubject, reason: string): string {
  const hash = createHash('sha256').update(`${uid}/${reason}`).digest('hex').slice(0, 16);
  return `${name.slice(0, NAME_LIMIT - hash.length - 1).replace(/[.-]+$/, '')}.${hash}`;
}
