import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aBatchTest } from '../../test/builders/batch-test.ts';
import { defineRun } from './run.ts';
import { trialOrderSeed, trialsInOrder } from './trial.ts';
import { expandVariants } from './variants.ts';

const variants = (count: number) => expandVariants(aBatchTest({ variants: count }).spec);
const order = (count: number, repetitions: number, seed: number) =>
  trialsInOrder(variants(count), repetitions, seed).map(
    ({ variant, repetition }) => `${variant.name}/${repetition}`,
  );

describe('the order of trials', () => {
  it('is this one for this seed, on every machine', () => {
    expect(order(4, 3, 42)).toMatchInlineSnapshot(`
      [
        "c/0",
        "d/0",
        "a/0",
        "b/0",
        "b/1",
        "d/1",
        "c/1",
        "a/1",
        "c/2",
        "b/2",
        "d/2",
        "a/2",
      ]
    `);
  });

  it('is the same for the same seed and another for another', () => {
    expect(order(10, 5, 7)).toEqual(order(10, 5, 7));
    expect(order(10, 5, 7)).not.toEqual(order(10, 5, 8));
  });

  it('has all variants once in each repetition, one repetition after the other', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 6 }),
        fc.nat(),
        (count, repetitions, seed) => {
          const trials = order(count, repetitions, seed);
          for (let repetition = 0; repetition < repetitions; repetition += 1)
            expect(trials.slice(repetition * count, (repetition + 1) * count).sort()).toEqual(
              variants(count).map(({ name }) => `${name}/${repetition}`),
            );
          expect(trials).toHaveLength(count * repetitions);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('differs between repetitions', () => {
    const trials = order(10, 5, 1).map((trial) => trial.split('/')[0]);
    const blocks = new Set(
      Array.from({ length: 5 }, (_, block) => trials.slice(block * 10, block * 10 + 10).join()),
    );
    expect(blocks.size).toBe(5);
  });

  it('puts every variant in every place about equally often', () => {
    const places = new Map<string, number>();
    for (const [index, trial] of order(4, 4_000, 99).entries()) {
      const key = `${trial.split('/')[0]} in place ${index % 4}`;
      places.set(key, (places.get(key) ?? 0) + 1);
    }
    expect(places.size).toBe(16);
    // 1,000 expected of 4,000 blocks, standard deviation 27: further than 5 of these away is no chance. The seed is fixed.
    for (const count of places.values()) expect(Math.abs(count - 1_000)).toBeLessThan(140);
  });

  it('follows from the UID of the run alone', () => {
    const manifest = aBatchTest({ variants: 6, repetitions: 3 });
    const run = (uid: string) => defineRun(manifest, { uid, engine: 'local' });
    expect(run('uid-1').trials).toEqual(run('uid-1').trials);
    expect(run('uid-1').seed).toBe(trialOrderSeed('uid-1'));
    expect(run('uid-1').trials).not.toEqual(run('uid-2').trials);
    expect(run('uid-1').trials).toEqual(trialsInOrder(run('uid-1').variants, 3, trialOrderSeed('uid-1')));
  });
});
