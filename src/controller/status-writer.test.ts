import { describe, expect, it } from 'vitest';
import type { BatchTestStatus } from '../api/v1alpha1/status.ts';
import { StatusWriter } from './status-writer.ts';

const INTERVAL_MS = 1_000;

const status = (succeeded: number): BatchTestStatus => ({
  trials: { total: 9, pending: 9 - succeeded, running: 0, succeeded, failed: 0, cancelled: 0 },
});
const finished: BatchTestStatus = {
  ...status(9),
  conditions: [
    { type: 'Complete', status: 'True', reason: 'AllTrialsSucceeded', message: '', lastTransitionTime: '' },
  ],
};

/** A writer, its clock, and what it has written. */
function aWriter() {
  const written: string[] = [];
  const world = { now: 0, fails: false, isOver: false };
  const target = {
    writeStatus: async (key: string, uid: string, { trials }: BatchTestStatus) => {
      if (world.fails) throw new Error('the API server does not answer');
      if (world.isOver) return false;
      written.push(`${world.now} ${key} ${uid} ${trials?.succeeded}`);
      return true;
    },
  };
  return { writer: new StatusWriter(target, INTERVAL_MS, () => world.now), world, written };
}

describe('a status', () => {
  it('is written at once the first time, and then not more often than the interval allows', async () => {
    const { writer, world, written } = aWriter();
    expect(await writer.write('ns/a', 'u1', status(1))).toBeUndefined();
    world.now = 300;
    expect(await writer.write('ns/a', 'u1', status(2))).toBe(1_000);
    world.now = 999;
    expect(await writer.write('ns/a', 'u1', status(3))).toBe(1_000);
    world.now = 1_000;
    expect(await writer.write('ns/a', 'u1', status(4))).toBeUndefined();
    expect(written).toEqual(['0 ns/a u1 1', '1000 ns/a u1 4']);
  });

  it('is not written again when it says the same', async () => {
    const { writer, world, written } = aWriter();
    await writer.write('ns/a', 'u1', status(1));
    world.now = 5_000;
    expect(await writer.write('ns/a', 'u1', status(1))).toBeUndefined();
    expect(written).toHaveLength(1);
  });

  it('is not written when it says again what was written, after something that was too soon', async () => {
    const { writer, written } = aWriter();
    await writer.write('ns/a', 'u1', status(1));
    await writer.write('ns/a', 'u1', status(2));
    expect(await writer.write('ns/a', 'u1', status(1))).toBeUndefined();
    expect(written).toHaveLength(1);
  });

  it('is not taken for what is told when the object tells of the end already', async () => {
    const { writer, world } = aWriter();
    await writer.write('ns/a', 'u1', status(1));
    world.isOver = true;
    world.now = 2_000;
    await writer.write('ns/a', 'u1', status(2));
    expect(writer.last('ns/a', 'u1')).toBeUndefined();
    expect(writer.isWritten('ns/a', 'u1', status(2))).toBe(false);
    expect(writer.heldUntil('ns/a', 'u1')).toBe(3_000);
  });

  it('is written at once when it ends the run', async () => {
    const { writer, world, written } = aWriter();
    await writer.write('ns/a', 'u1', status(1));
    world.now = 1;
    expect(await writer.write('ns/a', 'u1', finished)).toBeUndefined();
    expect(written).toEqual(['0 ns/a u1 1', '1 ns/a u1 9']);
  });

  it('of one run does not keep that of another waiting, not even of the same name', async () => {
    const { writer, written } = aWriter();
    await writer.write('ns/a', 'u1', status(1));
    await writer.write('ns/b', 'u2', status(1));
    await writer.write('ns/a', 'u3', status(1));
    expect(written).toEqual(['0 ns/a u1 1', '0 ns/b u2 1', '0 ns/a u3 1']);
  });

  it('that could not be written is tried again, at once if need be', async () => {
    const { writer, world, written } = aWriter();
    world.fails = true;
    await expect(writer.write('ns/a', 'u1', status(1))).rejects.toThrow('does not answer');
    expect(writer.last('ns/a', 'u1')).toBeUndefined();
    world.fails = false;
    await writer.write('ns/a', 'u1', status(1));
    expect(written).toHaveLength(1);
  });

  it('is not held back for as long as the clock was set back', async () => {
    const { writer, world, written } = aWriter();
    world.now = 3_600_000;
    await writer.write('ns/a', 'u1', status(1));
    world.now = 10;
    expect(await writer.write('ns/a', 'u1', status(2))).toBeUndefined();
    expect(written).toHaveLength(2);
  });
});

describe('a run', () => {
  it('is held from a status that was written until the interval is over', async () => {
    const { writer, world } = aWriter();
    expect(writer.heldUntil('ns/a', 'u1')).toBeUndefined();
    world.now = 50;
    await writer.write('ns/a', 'u1', status(1));
    expect(writer.heldUntil('ns/a', 'u1')).toBe(1_050);
    expect(writer.heldUntil('ns/a', 'u2')).toBeUndefined();
    world.now = 1_050;
    expect(writer.heldUntil('ns/a', 'u1')).toBeUndefined();
    world.now = 49;
    expect(writer.heldUntil('ns/a', 'u1')).toBeUndefined();
  });
});

describe('the last status of a run', () => {
  it('is what was written, until it is forgotten', async () => {
    const { writer } = aWriter();
    expect(writer.last('ns/a', 'u1')).toBeUndefined();
    await writer.write('ns/a', 'u1', status(1));
    await writer.write('ns/a', 'u1', status(2));
    expect(writer.last('ns/a', 'u1')).toEqual(status(1));
    writer.forget('ns/a');
    expect(writer.last('ns/a', 'u1')).toBeUndefined();
  });
});
