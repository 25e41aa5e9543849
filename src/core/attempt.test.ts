import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AttemptState, attemptName, isLive } from './attempt.ts';
import type { Trial } from './trial.ts';

const aTrial = (name: string, repetition = 0, id = '0123456789abcdef'): Trial => ({
  variant: { id, name, parameters: {} },
  repetition,
});

describe('the name of an attempt', () => {
  it.each([
    { run: 'checkout-cache', variant: 'arc-8', name: 'checkout-cache-arc-8-' },
    { run: 'a.dotted.name', variant: 'Größe XL', name: 'a-dotted-name-gr-e-xl-' },
    { run: 'x', variant: '数据', name: 'x-x-' },
    { run: 'x', variant: '---', name: 'x-x-' },
    { run: 'r'.repeat(253), variant: 'v'.repeat(63), name: `${'r'.repeat(30)}-${'v'.repeat(21)}-` },
    { run: 'r'.repeat(30), variant: `${'v'.repeat(20)}-w`, name: `${'r'.repeat(30)}-${'v'.repeat(20)}-` },
  ])('of variant $variant in run $run begins with $name', ({ run, variant, name }) => {
    const full = attemptName({ uid: 'u', name: run }, aTrial(variant), 1);
    expect(full.replace(/[0-9a-f]{10}$/, '')).toBe(name);
  });

  it('is a DNS-1123 label of at most 63 characters and the same whenever it is asked for', () => {
    const anyText = fc.string({ unit: 'grapheme', maxLength: 100 });
    fc.assert(
      fc.property(anyText, anyText, fc.nat(), fc.nat(), (name, variant, repetition, attempt) => {
        const run = { uid: 'u', name };
        const full = attemptName(run, aTrial(variant, repetition), attempt);
        expect(full).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);
        expect(full.length).toBeLessThanOrEqual(63);
        expect(attemptName(run, aTrial(variant, repetition), attempt)).toBe(full);
      }),
    );
  });

  it('is another for another run of the same name, variant, repetition or attempt', () => {
    const names = new Set<string>();
    for (const uid of ['u1', 'u2', 'u1/'])
      for (const id of ['0123456789abcdef', 'fedcba9876543210'])
        for (let repetition = 0; repetition < 100; repetition += 1)
          for (let attempt = 1; attempt <= 20; attempt += 1)
            names.add(attemptName({ uid, name: 'same' }, aTrial('same', repetition, id), attempt));
    expect(names.size).toBe(3 * 2 * 100 * 20);
  });
});

describe('isLive', () => {
  const states: readonly { readonly state: AttemptState; readonly live: boolean }[] = [
    { state: { kind: 'Waiting', since: 0 }, live: true },
    { state: { kind: 'Running', since: 0 }, live: true },
    { state: { kind: 'Stopping' }, live: true },
    {
      state: { kind: 'Ended', at: 0, termination: { kind: 'Lost', reason: 'NodeLost', message: '' } },
      live: false,
    },
  ];
  it.each(states)('is $live for an attempt that is $state.kind', ({ state, live }) => {
    expect(isLive({ name: 'n', variantId: 'v', repetition: 0, attempt: 1, state })).toBe(live);
  });
});
