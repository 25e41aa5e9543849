/** A difference up to this is the wait for an answer and the second that its Date header is rounded to. */
const TOLERANCE_MS = 2_000;

/**
 * The time as the API server has it. Deadlines compare times that were written by other machines (a pod's start, an object's deletion) with now, and the
 * own clock may be minutes off, or be set while a trial runs. So the own clock is only asked at the start; from then on a monotonic clock counts, and each answer's Date
 * header corrects it.
 */
export class ClusterClock {
  readonly #monotonicNow: () => number;
  /** Milliseconds since the epoch when the monotonic clock was at 0. */
  #origin: number;

  constructor(startAt: number = Date.now(), monotonicNow: () => number = () => performance.now()) {
    this.#monotonicNow = monotonicNow;
    this.#origin = startAt - monotonicNow();
  }

  /** Milliseconds since the epoch, in whole milliseconds. */
  readonly now = (): number => Math.round(this.#origin + this.#monotonicNow());

  /** Takes note of the Date header of an answer (RFC 9110); anything else is ignored. */
  readonly observe = (header: string): void => {
    const date = Date.parse(header);
    // It was written somewhen in that second.
    const difference = date + 500 - this.now();
    if (Math.abs(difference) > TOLERANCE_MS) this.#origin += difference;
  };
}
