import { expect, it } from 'vitest';
import { orderOfRound } from '../../bench/rounds.ts';

it.each([2, 3, 4, 5, 7])('has each of %i come equally often right after each other one', (count) => {
  const items = Array.from({ length: count }, (_, item) => item);
  const after = new Map<string, number>();
  for (let round = 0; round < 2 * count; round += 1) {
    const order = orderOfRound(items, round);
    expect([...order].sort()).toEqual(items);
    for (const [place, item] of order.slice(1).entries()) {
      const pair = `${order[place]} ${item}`;
      after.set(pair, (after.get(pair) ?? 0) + 1);
    }
  }
  expect(after.size).toBe(count * (count - 1));
  expect(new Set(after.values())).toEqual(new Set([2]));
});

it('has nobody come after the same one in two rounds that follow each other', () => {
  const predecessors = (round: number) => {
    const order = orderOfRound(['a', 'b', 'c', 'd', 'e', 'f', 'g'], round);
    return order.slice(1).map((item, place) => `${order[place]}${item}`);
  };
  for (let round = 0; round < 6; round += 1)
    expect(predecessors(round + 1).filter((pair) => predecessors(round).includes(pair))).toEqual([]);
});
