import { expect, it } from 'vitest';
import { WorkUnderWay } from './work-under-way.ts';

/** A promise, and what settles it. */
function aWork(): { readonly work: Promise<void>; resolve(): void; reject(error: Error): void } {
  let resolve = (): void => {};
  let reject = (_: Error): void => {};
  const work = new Promise<void>((done, failed) => {
    resolve = done;
    reject = failed;
  });
  return { work, resolve: () => resolve(), reject: (error) => reject(error) };
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

it('tells of each answer once, and that it is idle with the last', async () => {
  const told: boolean[] = [];
  const work: WorkUnderWay = new WorkUnderWay(() => told.push(work.isIdle));
  const [first, second, alone] = [aWork(), aWork(), aWork()];
  work.add([first.work, second.work]);
  second.resolve();
  await nextTurn();
  expect(told).toEqual([false]);
  first.resolve();
  await nextTurn();
  expect(told).toEqual([false, true]);
  work.add([alone.work]);
  alone.resolve();
  await nextTurn();
  expect(told).toEqual([false, true, true]);
});

it('tells of a failure once all that was asked for together is answered', async () => {
  let told = 0;
  const work = new WorkUnderWay(() => {
    told += 1;
  });
  const [first, second] = [aWork(), aWork()];
  work.add([first.work, second.work]);
  first.reject(new Error('connection refused'));
  await nextTurn();
  expect(told).toBe(0);
  expect(() => work.throwFailure()).not.toThrow();
  second.resolve();
  await work.settled();
  expect(told).toBe(1);
  expect(() => work.throwFailure()).toThrow('connection refused');
  expect(() => work.throwFailure()).not.toThrow();
});

it('throws a failure that is kept once more', async () => {
  const work = new WorkUnderWay(() => {});
  work.add([Promise.reject(new Error('connection refused'))]);
  await work.settled();
  expect(() => work.throwFailureAndKeepIt()).toThrow('connection refused');
  expect(() => work.throwFailure()).toThrow('connection refused');
  expect(() => work.throwFailureAndKeepIt()).not.toThrow();
});

it('asks for no removal that is under way', async () => {
  const asked: (readonly string[])[] = [];
  const work = new WorkUnderWay(() => {});
  const { work: removal, resolve } = aWork();
  const remove = (names: readonly string[]) => {
    asked.push(names);
    return removal;
  };
  work.addRemoval(['a', 'b'], remove);
  work.addRemoval(['b', 'c'], remove);
  work.addRemoval(['a'], remove);
  expect(asked).toEqual([['a', 'b'], ['c']]);
  resolve();
  await work.settled();
  work.addRemoval(['a'], remove);
  expect(asked).toEqual([['a', 'b'], ['c'], ['a']]);
});
