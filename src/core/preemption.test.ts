import { describe, expect, it } from 'vitest';
import type { AttemptState, ObservedAttempt } from './attempt.ts';
import { preempted } from './preemption.ts';

const attempt = (name: string, state: AttemptState): ObservedAttempt => ({
  name,
  variantId: name,
  repetition: 0,
  attempt: 1,
  state,
});
const running = (name: string, since: number) => attempt(name, { kind: 'Running', since });
const waiting = (name: string, since: number) => attempt(name, { kind: 'Waiting', since });

const UNDER_WAY = [
  running('old', 10),
  waiting('waits-long', 5),
  running('young', 30),
  waiting('waits', 20),
  running('middle', 20),
];
/** From the first that is ended to the last. */
const ORDER = ['waits', 'waits-long', 'young', 'middle', 'old'];

const names = (parallelism: number, underWay: readonly ObservedAttempt[] = UNDER_WAY) =>
  [...preempted(underWay, { scaleDownPolicy: 'Preempt', parallelism })].map(({ name }) => name);

describe('Preempt', () => {
  it.each([0, 1, 2, 3, 4, 5, 9])(
    'at a width of %i ends what is beyond it: first what waits, then the youngest',
    (parallelism) => {
      expect(names(parallelism)).toEqual(ORDER.slice(0, Math.max(0, ORDER.length - parallelism)));
    },
  );

  it('decides by the name between attempts of the same age, whatever their order', () => {
    const same = ['b', 'c', 'a'].map((name) => running(name, 1));
    expect(names(2, same)).toEqual(['a']);
    expect(names(2, same.toReversed())).toEqual(['a']);
  });
});

it('Drain ends nothing', () => {
  expect([...preempted(UNDER_WAY, { scaleDownPolicy: 'Drain', parallelism: 0 })]).toEqual([]);
});
