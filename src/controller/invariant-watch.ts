import { isLive, type ObservedAttempt } from '../core/attempt.ts';
import type { ReadonlyRunLedger } from '../core/run-ledger.ts';

/**
 * What must never be seen of a run; see docs/architecture.md.
 * - `double_success` (I1): an attempt of a trial whose success is committed
 * - `double_start` (I1): two attempts of one trial under way at once
 * - `overshoot` (I3): an attempt that came to more live ones than parallelism allows
 * - `orphan` (I5): an attempt that lives though its run is over
 */
export const INVARIANTS = ['double_success', 'double_start', 'overshoot', 'orphan'] as const;
export type Invariant = (typeof INVARIANTS)[number];

export interface Violation {
  readonly invariant: Invariant;
  /** Name of the attempt that shows it. */
  readonly attempt: string;
}

/**
 * Looks at what the engine shows, independently of how it was decided, and tells of each violation once. It trusts neither the plan nor the ledger's
 * idea of what was started.
 */
export class InvariantWatch {
  readonly #told = new Set<string>();
  #live: ReadonlySet<string> | undefined;
  #parallelism = 0;

  look(
    ledger: ReadonlyRunLedger,
    observed: readonly ObservedAttempt[],
    parallelism: number,
  ): readonly Violation[] {
    const live = observed.filter(isLive);
    // What is recorded is on its way out, or is shown as it was before.
    const unrecorded = live.filter((attempt) => !isRecorded(ledger, attempt));
    const found = [
      ...this.#overshoots(unrecorded, parallelism),
      ...orphans(ledger, live),
      ...startsTooMany(ledger, unrecorded),
    ];
    this.#live = new Set(live.map(({ name }) => name));
    this.#parallelism = parallelism;
    const news = found.filter(({ invariant, attempt }) => !this.#told.has(`${invariant}/${attempt}`));
    for (const { invariant, attempt } of news) this.#told.add(`${invariant}/${attempt}`);
    return news;
  }

  /** Draining after parallelism was lowered is none: only what is new since the last look can be one too many. */
  #overshoots(live: readonly ObservedAttempt[], parallelism: number): readonly Violation[] {
    const before = this.#live;
    if (before === undefined || live.length <= Math.max(parallelism, this.#parallelism)) return [];
    return live
      .filter(({ name }) => !before.has(name))
      .map(({ name }) => ({ invariant: 'overshoot', attempt: name }));
  }
}

function isRecorded(ledger: ReadonlyRunLedger, attempt: ObservedAttempt): boolean {
  const index = ledger.indexOf(attempt);
  return index !== undefined && attempt.attempt <= ledger.trial(index).recordedAttempts;
}

const orphans = (ledger: ReadonlyRunLedger, live: readonly ObservedAttempt[]): readonly Violation[] =>
  ledger.end === undefined
    ? []
    : live
        .filter(({ state }) => state.kind !== 'Stopping')
        .map(({ name }) => ({ invariant: 'orphan', attempt: name }));

function startsTooMany(
  ledger: ReadonlyRunLedger,
  unrecorded: readonly ObservedAttempt[],
): readonly Violation[] {
  const underWay = new Set<number>();
  const violations: Violation[] = [];
  for (const attempt of unrecorded) {
    const index = ledger.indexOf(attempt);
    if (index === undefined || attempt.state.kind === 'Stopping') continue;
    const { phase } = ledger.trial(index);
    if (phase === 'Succeeded') violations.push({ invariant: 'double_success', attempt: attempt.name });
    if (underWay.has(index)) violations.push({ invariant: 'double_start', attempt: attempt.name });
    underWay.add(index);
  }
  return violations;
}
