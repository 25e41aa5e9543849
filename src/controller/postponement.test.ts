import { describe, expect, it } from 'vitest';
import { type Postponement, postponedAgain, roomMade, startBudget, startedAgain } from './postponement.ts';

const NOW = 1_000_000;
const answer = (retryAfterMs: number) =>
  ({ kind: 'Postponed', reason: 'QuotaExceeded', message: 'pods=3', retryAfterMs }) as const;

/** The waits of as many postponements in a row, in milliseconds. */
function waits(retryAfterMs: number, times: number): readonly number[] {
  const answers: number[] = [];
  let postponement: Postponement | undefined;
  for (let index = 0; index < times; index += 1) {
    postponement = postponedAgain(postponement, answer(retryAfterMs), NOW);
    answers.push(postponement.until - NOW);
  }
  return answers;
}

describe('a start that is postponed', () => {
  it('says why, in the words of the engine, and is tried again when that said', () => {
    expect(postponedAgain(undefined, answer(1_000), NOW)).toEqual({
      explanation: { reason: 'QuotaExceeded', message: 'pods=3' },
      count: 1,
      until: NOW + 1_000,
      atOnce: 1,
    });
  });

  it('again waits twice as long each time, up to half a minute', () => {
    expect(waits(1_000, 8)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
    expect(waits(1_000, 2_000).at(-1)).toBe(30_000);
    // Without a time to wait, a refusal would be asked for again at once, and again.
    expect(waits(0, 3)).toEqual([100, 200, 400]);
  });

  it('by a server that names a longer time waits that long', () => {
    expect(waits(120_000, 3)).toEqual([120_000, 120_000, 120_000]);
  });
});

describe('the starts that may be tried', () => {
  it('are as many as may be without an answer when nothing is postponed', () => {
    expect([0, 7, 63, 64, 100].map((underWay) => startBudget(undefined, underWay, NOW))).toEqual([
      64, 57, 1, 0, 0,
    ]);
  });

  it('are none before the time has come, and then one', () => {
    const postponement = postponedAgain(undefined, answer(1_000), NOW);
    expect(startBudget(postponement, 0, NOW)).toBe(0);
    expect(startBudget(postponement, 0, NOW + 999)).toBe(0);
    expect(startBudget(postponement, 0, NOW + 1_000)).toBe(1);
    expect(startBudget(postponement, 0, NOW + 3_600_000)).toBe(1);
    expect(startBudget(postponement, 1, NOW + 1_000), 'one is being tried').toBe(0);
  });

  it('are one, two, four after one that went well, until one is refused again', () => {
    let postponement: Postponement | undefined = postponedAgain(undefined, answer(1_000), NOW);
    const budgets: number[] = [];
    for (let index = 0; index < 4; index += 1) {
      postponement = startedAgain(postponement);
      budgets.push(startBudget(postponement, 0, NOW));
      expect(postponement?.explanation).toBeUndefined();
    }
    expect(budgets).toEqual([2, 4, 8, 16]);
    expect(startBudget(postponement, 5, NOW)).toBe(11);
    expect(startBudget(postponedAgain(postponement, answer(1_000), NOW), 0, NOW + 1_000)).toBe(1);
    for (let index = 0; index < 7; index += 1) postponement = startedAgain(postponement);
    expect(postponement).toBeUndefined();
  });

  it('are one when an attempt has ended where room was wanting, and none where a server has asked for time', () => {
    const full = postponedAgain(undefined, answer(60_000), NOW);
    expect(startBudget(roomMade(full), 0, NOW)).toBe(1);
    const asked = { ...answer(60_000), reason: 'TooManyRequests' };
    expect(startBudget(roomMade(postponedAgain(undefined, asked, NOW)), 0, NOW)).toBe(0);
    expect(roomMade(undefined)).toBeUndefined();
  });
});
