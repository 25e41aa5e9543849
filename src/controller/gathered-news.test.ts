import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { GatheredNews } from './gathered-news.ts';

const INTERVAL_MS = 10;

describe('gathered news', () => {
  let handedOn: (readonly string[])[];

  const gathered = (intervalMs: number) => new GatheredNews((keys) => handedOn.push(keys), intervalMs);
  const nextTurn = () => vi.advanceTimersByTime(0);

  beforeEach(() => {
    handedOn = [];
    vi.useFakeTimers({ toFake: ['setTimeout', 'setImmediate', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('hands on at once what comes alone, but not before all that is happening has happened', () => {
    const news = gathered(INTERVAL_MS);
    news.add('a');
    news.add('b');
    news.add('a');
    expect(handedOn).toEqual([]);
    nextTurn();
    expect(handedOn).toEqual([['a', 'b']]);
  });

  it('waits for the interval when it has handed on just before', () => {
    const news = gathered(INTERVAL_MS);
    news.add('a');
    nextTurn();
    vi.advanceTimersByTime(INTERVAL_MS / 2);
    news.add('b');
    vi.advanceTimersByTime(INTERVAL_MS / 2 - 1);
    news.add('c');
    expect(handedOn).toEqual([['a']]);
    vi.advanceTimersByTime(1);
    expect(handedOn).toEqual([['a'], ['b', 'c']]);
    vi.advanceTimersByTime(INTERVAL_MS);
    news.add('d');
    nextTurn();
    expect(handedOn.at(-1)).toEqual(['d']);
  });

  it('never waits with an interval of 0', () => {
    const news = gathered(0);
    for (const key of ['a', 'b', 'c']) {
      news.add(key);
      nextTurn();
    }
    expect(handedOn).toEqual([['a'], ['b'], ['c']]);
  });

  it('takes note of what comes while it hands on', () => {
    const news = new GatheredNews((keys) => {
      handedOn.push(keys);
      if (keys.includes('a')) news.add('b');
    }, INTERVAL_MS);
    news.add('a');
    nextTurn();
    expect(handedOn).toEqual([['a']]);
    vi.advanceTimersByTime(INTERVAL_MS);
    expect(handedOn).toEqual([['a'], ['b']]);
  });
});
