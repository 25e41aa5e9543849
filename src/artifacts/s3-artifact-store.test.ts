import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { type S3Server, startS3Server } from '../../test/tools/s3/s3-server.ts';
import { describeArtifactStore } from './artifact-store.testsuite.ts';
import { ArtifactUnreadableError } from './artifact-store.ts';
import { verdictOn } from './artifact-verdict.ts';
import { S3ArtifactStore } from './s3-artifact-store.ts';
import { keyIn, s3LocationOf } from './s3-location.ts';

const BUCKET = 'artifacts';
let server: S3Server;
// The first time, what runs it is installed.
beforeAll(async () => {
  server = await startS3Server();
  for (const [name, value] of Object.entries(server.environment)) vi.stubEnv(name, value);
  await server.createBucket(BUCKET);
}, 600_000);
afterAll(async () => {
  vi.unstubAllEnvs();
  await server?.stop();
});

describeArtifactStore('S3ArtifactStore', async () => {
  await server.put(BUCKET, 'other/file', 'x');
  await server.put(BUCKET, 'team-beside', 'x');
  return {
    store: new S3ArtifactStore({ bucket: BUCKET, prefix: 'team/' }, server.endpoint),
    put: async (path, content) => {
      await server.put(BUCKET, `team/${path}`, content);
      return `s3://${BUCKET}/team/${path}`;
    },
    outside: [
      `s3://${BUCKET}/other/file`,
      `s3://${BUCKET}/team/../other/file`,
      `s3://${BUCKET}/team/`.replace('team/', 'team-beside'),
      `s3://${BUCKET}`,
    ],
    dispose: async () => undefined,
  };
});

describe('S3ArtifactStore', () => {
  const open = (bucket: string, endpoint = server.endpoint) =>
    new S3ArtifactStore({ bucket, prefix: '' }, endpoint).open(
      `s3://${bucket}/secret-key`,
      new AbortController().signal,
    );

  it('takes a bucket that is not there for a mistake of its administrator, not for a missing file', async () => {
    const error = await open('no-such-bucket').catch((problem: unknown) => problem);
    expect(error).toBeInstanceOf(ArtifactUnreadableError);
    expect(error).toMatchObject({ message: 'the artifact store answered NoSuchBucket (404)' });
  });

  it('says that a server cannot be reached, and neither where it is nor what was asked', async () => {
    const error = await open(BUCKET, 'http://127.0.0.1:9').catch((problem: unknown) => problem);
    expect(error).toBeInstanceOf(ArtifactUnreadableError);
    expect(error).toMatchObject({ message: 'the artifact store cannot be reached (ECONNREFUSED)' });
  });

  describe('of a server that falls silent', () => {
    const IDLE_TIMEOUT_MS = 200;
    const KEY = `s3://${BUCKET}/key`;
    const silentStore = async (answer: Parameters<typeof createServer>[1]) => {
      const silent = createServer(answer).listen(0, '127.0.0.1');
      onTestFinished(() => {
        silent.closeAllConnections();
        silent.close();
      });
      await once(silent, 'listening');
      const { port } = silent.address() as AddressInfo;
      return new S3ArtifactStore({ bucket: BUCKET, prefix: '' }, `http://127.0.0.1:${port}`, IDLE_TIMEOUT_MS);
    };
    /** Calls nothing off by itself: what ends is ended by the store. */
    const never = new AbortController().signal;

    it('gives up before an answer', async () => {
      const store = await silentStore(() => {});
      const error = await store.open(KEY, never).catch((problem: unknown) => problem);
      expect(error).toBeInstanceOf(ArtifactUnreadableError);
    });

    it('gives up in the middle of a file', async () => {
      const store = await silentStore((_, response) => {
        response.writeHead(200, { 'content-length': '1000' });
        response.write('x');
      });
      expect(await verdictOn({ uri: KEY, size: 1_000, sha256: '0'.repeat(64) }, [store], never)).toEqual({
        kind: 'Unread',
        reason: 'it could not be read to its end (TimeoutError)',
        mayComeRight: true,
      });
    });
  });
});

describe('a location', () => {
  it.each([
    { text: 's3://bucket', location: { bucket: 'bucket', prefix: '' } },
    { text: 's3://bucket/', location: { bucket: 'bucket', prefix: '' } },
    { text: 's3://bucket/a/b', location: { bucket: 'bucket', prefix: 'a/b/' } },
    { text: 's3://bucket/a/b//', location: { bucket: 'bucket', prefix: 'a/b/' } },
    { text: 's3://bucket/../a', location: undefined },
    { text: 's3://B', location: undefined },
    { text: 's3:///a', location: undefined },
    { text: 'https://bucket/a', location: undefined },
    { text: 's3://user:password@bucket/a', location: undefined },
  ])('$text', ({ text, location }) => {
    expect(s3LocationOf(text)).toEqual(location);
  });

  it('has the keys below it, which are meant literally', () => {
    const location = { bucket: 'bucket', prefix: 'a/' };
    expect(keyIn(location, 's3://bucket/a/b%20c?d#e')).toBe('a/b%20c?d#e');
    for (const uri of [
      's3://bucket/ab',
      's3://bucket/a/../b',
      's3://bucket/a/./b',
      's3://other/a/b',
      'bucket/a/b',
    ])
      expect(keyIn(location, uri), uri).toBeUndefined();
  });
});
