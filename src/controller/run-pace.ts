/** How long an attempt took for each part of its way, in milliseconds; undefined where nobody knows. */
export interface AttemptPace {
  /** From the asking for its start until its program ran; undefined when another process asked. */
  readonly startMs: number | undefined;
  /** How long its program ran. */
  readonly runMs: number | undefined;
  /** From the moment in which its end was seen here until that was committed. */
  readonly storeMs: number;
}

/**
 * How fast a run moves on: when starts were asked for, ends seen and slots freed, on the controller's clock. Nothing is decided by it; it is
 * for those who measure, and goes with the run. It holds what is under way, not what is over.
 */
export class RunPace {
  /** By trial. */
  readonly #askedAt = new Map<number, number>();
  /** By trial, until the end is committed. */
  readonly #endSeenAt = new Map<number, number>();
  /** Since when slots wait for their next attempt, the earliest first. */
  #freedAt: number[] = [];
  #cancelSeenAt: number | undefined;
  #lastProgressAt: number;

  /** @param now when the run was picked up; milliseconds since the epoch, as everywhere here */
  constructor(now: number) {
    this.#lastProgressAt = now;
  }

  /** When an attempt was last started or its end committed; at first when the run was picked up. */
  get lastProgressAt(): number {
    return this.#lastProgressAt;
  }

  /** Takes note that a start is being asked for; one that is asked for again counts from the first time. */
  startAsked(trial: number, now: number): void {
    if (!this.#askedAt.has(trial)) this.#askedAt.set(trial, now);
  }

  /** Takes note that what was begun with the trial came to nothing: what is tried next is timed anew. */
  forget(trial: number): void {
    this.#askedAt.delete(trial);
    this.#endSeenAt.delete(trial);
  }

  /** Takes note of a start. Gives how long a freed slot has waited for it; undefined when there was none. */
  started(now: number): number | undefined {
    this.#lastProgressAt = now;
    const freedAt = this.#freedAt.shift();
    return freedAt === undefined ? undefined : now - freedAt;
  }

  /** Takes note that an end is going to be stored; one that is tried again counts from the first time. */
  endSeen(trial: number, now: number): void {
    if (!this.#endSeenAt.has(trial)) this.#endSeenAt.set(trial, now);
  }

  /**
   * Takes note that an end is committed.
   * @param record when the program ran, as its engine says
   * @param freesSlot false for an attempt that we ended, which takes its slot until it is gone
   */
  recorded(
    record: { readonly trial: number; readonly startedAt: number | undefined; readonly finishedAt: number },
    freesSlot: boolean,
    now: number,
  ): AttemptPace {
    const { trial, startedAt, finishedAt } = record;
    const askedAt = this.#askedAt.get(trial);
    const endSeenAt = this.#endSeenAt.get(trial) ?? now;
    this.forget(trial);
    this.#lastProgressAt = now;
    if (freesSlot) this.#freedAt.push(endSeenAt);
    return {
      startMs: startedAt === undefined || askedAt === undefined ? undefined : span(askedAt, startedAt),
      runMs: startedAt === undefined ? undefined : span(startedAt, finishedAt),
      storeMs: span(endSeenAt, now),
    };
  }

  /** Takes note that nothing more is to be started now: a slot that stays free does not wait for anything of ours. */
  nothingToStart(): void {
    if (this.#freedAt.length > 0) this.#freedAt = [];
  }

  /** Takes note that the run's user wants it ended; the first time counts. */
  cancelSeen(now: number): void {
    this.#cancelSeenAt ??= now;
  }

  /** How long ago the run's user was first seen to want it ended; undefined when nobody did. */
  cancellingMs(now: number): number | undefined {
    return this.#cancelSeenAt === undefined ? undefined : span(this.#cancelSeenAt, now);
  }
}

/** Clocks differ, and a cluster tells whole seconds: no time is negative. */
const span = (from: number, until: number): number => Math.max(0, until - from);
