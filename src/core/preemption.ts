import type { ObservedAttempt } from './attempt.ts';
import type { RunControls } from './run.ts';

/**
 * The attempts to be ended because parallelism was lowered: none under scaleDownPolicy Drain, else the youngest ones beyond the width, because
 * that loses the least work; those that wait to start before any that runs.
 * @param underWay the run's attempts that wait or run; what is being stopped already is on its way out
 */
export function preempted(
  underWay: readonly ObservedAttempt[],
  { scaleDownPolicy, parallelism }: Pick<RunControls, 'scaleDownPolicy' | 'parallelism'>,
): ReadonlySet<ObservedAttempt> {
  if (scaleDownPolicy !== 'Preempt' || underWay.length <= parallelism) return new Set();
  return new Set([...underWay].sort(youngerFirst).slice(0, underWay.length - parallelism));
}

function youngerFirst(a: ObservedAttempt, b: ObservedAttempt): number {
  const isWaiting = Number(b.state.kind === 'Waiting') - Number(a.state.kind === 'Waiting');
  // The name only makes the order the same each time.
  return isWaiting || since(b) - since(a) || (a.name < b.name ? -1 : 1);
}

const since = ({ state }: ObservedAttempt): number =>
  state.kind === 'Waiting' || state.kind === 'Running' ? state.since : 0;
