import { expect, it } from 'vitest';
import { Wakefulness } from './wakefulness.ts';

/** As a process does that runs: twice a second. */
function runs(wakefulness: Wakefulness, from: number, until: number): void {
  for (let now = from; now <= until; now += 500) wakefulness.noteRuns(now);
}

it('has seen all that there was while it runs', () => {
  const wakefulness = new Wakefulness(0);
  runs(wakefulness, 500, 10_000);
  expect(wakefulness.seenUntil(10_400)).toBe(10_400);
});

it('has seen nothing of what came while it stood still before it had the time to read it', () => {
  const wakefulness = new Wakefulness(0);
  runs(wakefulness, 500, 1_000);
  expect(wakefulness.seenUntil(31_000)).toBe(1_000);
  runs(wakefulness, 31_500, 32_500);
  expect(wakefulness.seenUntil(32_900)).toBe(1_000);
  expect(wakefulness.seenUntil(33_000)).toBe(33_000);
});

it('has seen nothing of two times that it stood still, one right after the other', () => {
  const wakefulness = new Wakefulness(0);
  wakefulness.noteRuns(30_000);
  expect(wakefulness.seenUntil(31_600)).toBe(0);
  runs(wakefulness, 32_000, 33_000);
  expect(wakefulness.seenUntil(33_600)).toBe(33_600);
});

it('is not misled by a clock that steps ahead and back', () => {
  const wakefulness = new Wakefulness(0);
  wakefulness.noteRuns(3_600_000);
  wakefulness.noteRuns(500);
  expect(wakefulness.seenUntil(1_000)).toBe(1_000);
});

it('goes on with a clock that two servers set by turns', () => {
  const wakefulness = new Wakefulness(0);
  let behind = 0;
  for (let now = 500; now <= 60_000; now += 500) {
    const isAhead = Math.floor(now / 1_000) % 2 === 1;
    const seenUntil = wakefulness.seenUntil(isAhead ? now + 5_000 : now);
    behind = Math.max(behind, now - seenUntil);
  }
  expect(behind).toBeLessThan(3_000);
});
