/**
 * Leader election by a Lease, as client-go does it: whoever holds the Lease renews it, and whoever does not takes it once it has not
 * seen it change for its whole duration. That is measured by the own clock from the own observation; the times written in the Lease
 * are for people. Writes carry the resourceVersion, so that of two who take it at once one is refused.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { isApiError } from './api-error.ts';
import type { KubeClient } from './kube-client.ts';

export interface LeaseElectionOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  /** Name of the Lease. */
  readonly name: string;
  /** Who this candidate is: unique, such as the pod's name and a UUID. */
  readonly identity: string;
  /** How long the others wait for a renewal before one of them takes over. In whole seconds, as a Lease has it. */
  readonly leaseDurationSeconds?: number;
  /** A leader that could not renew for this long gives up; less than the lease's duration, so that it has given up before another begins. */
  readonly renewDeadlineMs?: number;
  readonly retryPeriodMs?: number;
  /** Told of what a try failed with, which is tried again, and of a leadership that ran out. */
  readonly onProblem?: (error: unknown) => void;
  /** In [0, 1). */
  readonly random?: () => number;
  /** A clock that never steps, in milliseconds. */
  readonly monotonicNow?: () => number;
}

/** A time as the leader. */
export interface Leadership {
  /** Aborted when the leadership is lost or the election is stopped: everything that only a leader may do must end then. */
  readonly signal: AbortSignal;
  /** True while no other candidate can have taken the Lease, asked at this moment: also right after a pause of the whole process. */
  isHeld(): boolean;
}

interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
}

interface Lease {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly resourceVersion?: string };
  readonly spec?: LeaseSpec;
}

/** client-go's defaults. */
const DEFAULTS = { leaseDurationSeconds: 15, renewDeadlineMs: 10_000, retryPeriodMs: 2_000 };
/** client-go's JitterFactor: a candidate's wait is up to this much longer, so that not all try at once. */
const JITTER = 0.2;
const RELEASE_TIMEOUT_MS = 2_000;

/** One candidate of an election. */
export class LeaseElection {
  readonly #options: LeaseElectionOptions;
  readonly #leaseDurationSeconds: number;
  readonly #renewDeadlineMs: number;
  readonly #retryPeriodMs: number;
  readonly #now: () => number;
  readonly #random: () => number;
  /** The Lease as last seen, and when it was first seen like that. */
  #seen: { readonly lease: Lease; readonly since: number } | undefined;

  /** @throws RangeError when the times do not leave a leader the time to give up before another may take over. */
  constructor(options: LeaseElectionOptions) {
    this.#options = options;
    this.#leaseDurationSeconds = options.leaseDurationSeconds ?? DEFAULTS.leaseDurationSeconds;
    this.#renewDeadlineMs = options.renewDeadlineMs ?? DEFAULTS.renewDeadlineMs;
    this.#retryPeriodMs = options.retryPeriodMs ?? DEFAULTS.retryPeriodMs;
    this.#now = options.monotonicNow ?? (() => performance.now());
    this.#random = options.random ?? Math.random;
    if (!Number.isInteger(this.#leaseDurationSeconds) || this.#leaseDurationSeconds < 1)
      throw new RangeError(
        `leaseDurationSeconds must be a whole number of seconds, not ${this.#leaseDurationSeconds}`,
      );
    if (this.#renewDeadlineMs >= this.#leaseDurationSeconds * 1_000)
      throw new RangeError('renewDeadlineMs must be less than the duration of the lease');
    if (this.#retryPeriodMs * (1 + JITTER) >= this.#renewDeadlineMs)
      throw new RangeError('retryPeriodMs, with its jitter, must be less than renewDeadlineMs');
  }

  /**
   * Takes part until `stop` is aborted: waits for the leadership, has `lead` done while it lasts, and again whenever it was lost. Ends
   * as well when `lead` ends by itself. Releases the Lease at the end, after `lead` has settled, so that the next leader need not wait.
   * @throws what `lead` throws, once the Lease is released
   */
  async run(lead: (leadership: Leadership) => Promise<void>, stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      const heldSince = await this.#acquire(stop);
      if (heldSince === undefined) return;
      const term = new Term(heldSince, this.#renewDeadlineMs, this.#now);
      const onStop = () => term.end();
      stop.addEventListener('abort', onStop);
      if (stop.aborted) term.end();
      const renewing = this.#renew(term);
      let isDone = false;
      try {
        await lead(term);
      } finally {
        isDone = !term.signal.aborted || stop.aborted;
        term.end();
        stop.removeEventListener('abort', onStop);
        await renewing;
        if (isDone) await this.#release();
      }
      if (isDone) return;
    }
  }

  /** When the Lease became ours (monotonic); undefined when stopped before. */
  async #acquire(stop: AbortSignal): Promise<number | undefined> {
    while (!stop.aborted) {
      const triedAt = this.#now();
      if (await this.#tryToHold(stop, this.#tryMs)) return triedAt;
      await this.#pause(stop, triedAt);
    }
    return undefined;
  }

  async #renew(term: Term): Promise<void> {
    let triedAt = this.#now();
    while (!term.signal.aborted) {
      await this.#pause(term.signal, triedAt);
      if (term.signal.aborted) break;
      triedAt = this.#now();
      const timeoutMs = Math.min(this.#tryMs, term.remainingMs());
      if (await this.#tryToHold(term.signal, timeoutMs)) term.renewed(triedAt);
      // Somebody else has it: there is nothing to try again.
      else if (this.#isHeldByOther()) term.end();
    }
    // The last try was interrupted by that, and says nothing itself.
    if (term.signal.reason instanceof LeadershipRanOutError) this.#options.onProblem?.(term.signal.reason);
  }

  /** As client-go does it: one request that is not answered leaves time for another one. */
  get #tryMs(): number {
    return this.#renewDeadlineMs / 2;
  }

  /** One try to take or to renew the Lease; what goes wrong is reported, and false. */
  async #tryToHold(signal: AbortSignal, timeoutMs: number): Promise<boolean> {
    try {
      const spec = this.#seen?.lease.spec;
      // The holder knows the Lease; it reads it anew only when its write was refused.
      if (spec?.holderIdentity !== this.#options.identity) this.#see(await this.#read(signal, timeoutMs));
      if (this.#isHeldByOther()) return false;
      this.#see(await this.#write(this.#nextSpec(), signal, timeoutMs));
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      // Another one wrote it in between, which is how an election goes; whose it is now is read next time, or at once.
      if (isApiError(error, 409)) await this.#look(signal, timeoutMs);
      else this.#options.onProblem?.(error);
      return false;
    }
  }

  async #look(signal: AbortSignal, timeoutMs: number): Promise<void> {
    try {
      this.#see(await this.#read(signal, timeoutMs));
    } catch (error) {
      if (!signal.aborted) this.#options.onProblem?.(error);
    }
  }

  #see(lease: Lease | undefined): void {
    const before = this.#seen;
    if (lease === undefined) this.#seen = undefined;
    else if (before?.lease.metadata.resourceVersion !== lease.metadata.resourceVersion)
      this.#seen = { lease, since: this.#now() };
  }

  /** True when another holds the Lease and has shown a sign of life within its duration. */
  #isHeldByOther(): boolean {
    const { lease, since } = this.#seen ?? {};
    const holder = lease?.spec?.holderIdentity ?? '';
    if (holder === '' || holder === this.#options.identity || since === undefined) return false;
    const seconds = lease?.spec?.leaseDurationSeconds ?? this.#leaseDurationSeconds;
    return this.#now() < since + seconds * 1_000;
  }

  #nextSpec(): LeaseSpec {
    const before = this.#seen?.lease.spec;
    const isRenewal = before?.holderIdentity === this.#options.identity;
    const time = microTime();
    return {
      holderIdentity: this.#options.identity,
      leaseDurationSeconds: this.#leaseDurationSeconds,
      acquireTime: isRenewal ? (before.acquireTime ?? time) : time,
      renewTime: time,
      leaseTransitions: (before?.leaseTransitions ?? 0) + (isRenewal || before === undefined ? 0 : 1),
    };
  }

  async #release(): Promise<void> {
    try {
      // A renewal that was interrupted may have been carried out: then the Lease is ours still, and newer than we know.
      if (await this.#hasReleased()) return;
      this.#see(await this.#read(undefined, RELEASE_TIMEOUT_MS));
      await this.#hasReleased();
    } catch (error) {
      // The others wait for it to run out.
      this.#options.onProblem?.(error);
    }
  }

  /** False when the Lease is not as we know it. */
  async #hasReleased(): Promise<boolean> {
    const spec = this.#seen?.lease.spec;
    if (spec?.holderIdentity !== this.#options.identity) return true;
    const time = microTime();
    // As client-go does it: no holder, and as short as a Lease can be.
    const released = {
      ...spec,
      holderIdentity: '',
      leaseDurationSeconds: 1,
      acquireTime: time,
      renewTime: time,
    };
    try {
      this.#see(await this.#write(released, undefined, RELEASE_TIMEOUT_MS));
      return true;
    } catch (error) {
      if (isApiError(error, 409)) return false;
      throw error;
    }
  }

  async #read(signal: AbortSignal | undefined, timeoutMs: number): Promise<Lease | undefined> {
    try {
      return await this.#options.client.request<Lease>('GET', this.#path(), this.#how(signal, timeoutMs));
    } catch (error) {
      if (isApiError(error, 404)) return undefined;
      throw error;
    }
  }

  #write(spec: LeaseSpec, signal: AbortSignal | undefined, timeoutMs: number): Promise<Lease> {
    const { client, namespace, name } = this.#options;
    const body = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', spec };
    const how = this.#how(signal, timeoutMs);
    const seen = this.#seen?.lease.metadata;
    if (seen === undefined)
      return client.request('POST', this.#collection(), {
        ...how,
        body: { ...body, metadata: { namespace, name } },
      });
    const metadata = { namespace, name, resourceVersion: seen.resourceVersion };
    return client.request('PUT', this.#path(), { ...how, body: { ...body, metadata } });
  }

  /** Tried once each: the election has its own rhythm. */
  #how(signal: AbortSignal | undefined, timeoutMs: number) {
    return {
      urgent: true,
      maxTries: 1,
      timeoutMs: Math.max(1, timeoutMs),
      ...(signal === undefined ? {} : { signal }),
    };
  }

  /** Until the next try; none after one that took as long by itself. */
  #pause(signal: AbortSignal, triedAt: number): Promise<void> {
    const ms = this.#retryPeriodMs * (1 + JITTER * this.#random()) - (this.#now() - triedAt);
    return sleep(Math.max(0, ms), undefined, { signal }).catch(() => undefined);
  }

  #collection = (): string => `/apis/coordination.k8s.io/v1/namespaces/${this.#options.namespace}/leases`;
  #path = (): string => `${this.#collection()}/${this.#options.name}`;
}

class LeadershipRanOutError extends Error {
  override readonly name = 'LeadershipRanOutError';
}

/** A leadership that runs out by itself unless it is renewed. */
class Term implements Leadership {
  readonly #renewDeadlineMs: number;
  readonly #now: () => number;
  readonly #controller = new AbortController();
  #heldSince: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(heldSince: number, renewDeadlineMs: number, now: () => number) {
    this.#heldSince = heldSince;
    this.#renewDeadlineMs = renewDeadlineMs;
    this.#now = now;
    this.#armTimer();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  isHeld(): boolean {
    return !this.signal.aborted && this.remainingMs() > 0;
  }

  /** Milliseconds until it runs out. */
  remainingMs(): number {
    return this.#heldSince + this.#renewDeadlineMs - this.#now();
  }

  /** @param askedAt when the renewal was sent: the others may have seen it as early as that */
  renewed(askedAt: number): void {
    // One that came back too late, after a pause of the process, renews nothing.
    if (!this.isHeld()) {
      this.#runOut();
      return;
    }
    this.#heldSince = askedAt;
    this.#armTimer();
  }

  end(reason?: unknown): void {
    clearTimeout(this.#timer);
    this.#controller.abort(reason);
  }

  #runOut(): void {
    const message = `the Lease was not renewed for ${this.#renewDeadlineMs} ms: not leading any more`;
    this.end(new LeadershipRanOutError(message));
  }

  #armTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#runOut(), Math.max(0, this.remainingMs()));
  }
}

/** meta/v1 MicroTime: exactly six digits after the point. */
const microTime = (): string => new Date().toISOString().replace('Z', '000Z');
