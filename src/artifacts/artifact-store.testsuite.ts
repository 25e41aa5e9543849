/** The promises of artifact-store.ts as tests, for every artifact store. */
import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ArtifactStore } from './artifact-store.ts';
import { verdictOn } from './artifact-verdict.ts';
import { digestOf } from './file-digest.ts';

/** What the suite needs of a store. */
export interface ArtifactStoreHarness {
  readonly store: ArtifactStore;
  /** Puts a file at a path of the store's own; its URI. */
  put(path: string, content: Uint8Array): Promise<string>;
  /** URIs of files that are there, and are not in the store. */
  readonly outside: readonly string[];
  dispose(): Promise<void>;
}

/** Registers the contract tests of one artifact store. */
export function describeArtifactStore(name: string, start: () => Promise<ArtifactStoreHarness>): void {
  describe(name, () => {
    let harness: ArtifactStoreHarness;
    const never = new AbortController().signal;
    beforeAll(async () => {
      harness = await start();
    });
    afterAll(() => harness?.dispose());

    it.each([
      { what: 'an empty file', path: 'empty', size: 0 },
      { what: 'a small one', path: 'small.txt', size: 11 },
      { what: 'one of several megabytes, in a folder', path: 'a/b/large.bin', size: 5_000_003 },
      { what: 'one with a name that no URL holds as it is', path: 'Größe 50% #1?.txt', size: 7 },
    ])('reads $what back as it is', async ({ path, size }) => {
      const content = randomBytes(size);
      const uri = await harness.put(path, content);
      expect(harness.store.holds(uri)).toBe(true);
      const opened = await harness.store.open(uri, never);
      if (opened === undefined) throw new Error(`${uri} is not there`);
      expect(opened.size).toBe(size);
      expect(await digestOf(opened.stream)).toEqual({
        size,
        sha256: createHash('sha256').update(content).digest('hex'),
      });
    });

    it('says that a file is not there', async () => {
      const uri = await harness.put('there', Buffer.from('x'));
      expect(await harness.store.open(`${uri}-not`, never)).toBeUndefined();
    });

    it('neither holds nor opens what is outside', async () => {
      for (const uri of [
        ...harness.outside,
        '',
        'x',
        'file:///etc/passwd',
        'http://127.0.0.1/x',
        's3://other-bucket/x',
        'file://host/x',
      ]) {
        expect(harness.store.holds(uri), uri).toBe(false);
        expect(await harness.store.open(uri, never), uri).toBeUndefined();
      }
    });

    it('lets go of a file when it is told to', async () => {
      const uri = await harness.put('to-be-aborted', randomBytes(3_000_000));
      await expect(harness.store.open(uri, AbortSignal.abort())).rejects.toMatchObject({
        name: 'AbortError',
      });
      const aborting = new AbortController();
      const abortedOnceOpen: ArtifactStore = {
        holds: () => true,
        open: async (...asked) => {
          const opened = await harness.store.open(...asked);
          aborting.abort();
          return opened;
        },
      };
      const artifact = { uri, size: undefined, sha256: '0'.repeat(64) };
      await expect(verdictOn(artifact, [abortedOnceOpen], aborting.signal)).rejects.toMatchObject({
        name: 'AbortError',
      });
    });
  });
}
