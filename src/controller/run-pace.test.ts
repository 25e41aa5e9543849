import { expect, it } from 'vitest';
import { RunPace } from './run-pace.ts';

const record = (trial: number, startedAt: number | undefined, finishedAt: number) => ({
  trial,
  startedAt,
  finishedAt,
});

it('tells how long an attempt took to start, to run and to be stored', () => {
  const pace = new RunPace(0);
  pace.startAsked(3, 1_000);
  pace.started(1_020);
  pace.endSeen(3, 9_000);
  expect(pace.recorded(record(3, 1_500, 8_900), true, 9_040)).toEqual({
    startMs: 500,
    runMs: 7_400,
    storeMs: 40,
  });
});

it('counts a start and an end that are tried again from the first time', () => {
  const pace = new RunPace(0);
  pace.startAsked(0, 100);
  pace.startAsked(0, 900);
  pace.endSeen(0, 2_000);
  pace.endSeen(0, 5_000);
  expect(pace.recorded(record(0, 1_000, 1_900), true, 5_100)).toMatchObject({ startMs: 900, storeMs: 3_100 });
});

it('does not know when an attempt was asked for that another process started, nor how long one ran that did not', () => {
  const pace = new RunPace(0);
  expect(pace.recorded(record(0, 500, 900), true, 1_000)).toEqual({
    startMs: undefined,
    runMs: 400,
    storeMs: 0,
  });
  pace.startAsked(1, 0);
  expect(pace.recorded(record(1, undefined, 900), false, 1_000)).toMatchObject({
    startMs: undefined,
    runMs: undefined,
  });
});

it('makes no time negative, whose ends are of two clocks', () => {
  const pace = new RunPace(0);
  pace.startAsked(0, 1_700);
  expect(pace.recorded(record(0, 1_000, 900), true, 2_000)).toMatchObject({ startMs: 0, runMs: 0 });
});

it('tells how long a slot was free: from the first end until the first start that follows', () => {
  const pace = new RunPace(0);
  expect(pace.started(0)).toBeUndefined();
  for (const trial of [0, 1]) {
    pace.endSeen(trial, 1_000 + trial);
    pace.recorded(record(trial, 0, 990), true, 1_010);
  }
  expect([pace.started(1_030), pace.started(1_040), pace.started(1_050)]).toEqual([30, 39, undefined]);
});

it('does not count the slot of an attempt that we ended, nor one that nothing waited for', () => {
  const pace = new RunPace(0);
  pace.recorded(record(0, 0, 10), false, 20);
  expect(pace.started(30)).toBeUndefined();
  pace.recorded(record(1, 0, 10), true, 40);
  pace.nothingToStart();
  expect(pace.started(3_600_000)).toBeUndefined();
});

it('begins anew with a trial whose start was refused', () => {
  const pace = new RunPace(0);
  pace.startAsked(0, 0);
  pace.forget(0);
  pace.startAsked(0, 5_000);
  expect(pace.recorded(record(0, 5_200, 6_000), true, 6_000).startMs).toBe(200);
});

it('tells since when the run stands still, and how long its user has wanted it ended', () => {
  const pace = new RunPace(7);
  expect([pace.lastProgressAt, pace.cancellingMs(50)]).toEqual([7, undefined]);
  pace.started(60);
  expect(pace.lastProgressAt).toBe(60);
  pace.recorded(record(0, 60, 70), true, 75);
  expect(pace.lastProgressAt).toBe(75);
  pace.cancelSeen(100);
  pace.cancelSeen(150);
  expect(pace.cancellingMs(180)).toBe(80);
});
