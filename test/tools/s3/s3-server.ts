import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { freeLoopbackPorts } from '../loopback-port.ts';
import { pythonWith } from '../python-environment.ts';
import { logTail, startSupervised } from '../supervised-process.ts';

/** An S3-compatible server on this machine, for the time of a test file. */
export interface S3Server {
  readonly endpoint: string;
  /** What every AWS client takes from its environment to get in. */
  readonly environment: Readonly<Record<string, string>>;
  createBucket(bucket: string): Promise<void>;
  put(bucket: string, key: string, content: string | Uint8Array): Promise<void>;
  stop(): Promise<void>;
}

const START_DEADLINE_MS = 60_000;
const CREDENTIALS = { accessKeyId: 'test', secretAccessKey: 'canary-of-the-secret-of-the-s3-server' };
const REGION = 'us-east-1';

/** Starts Moto's server (https://docs.getmoto.org), from a virtual environment that is made once. Its objects are in memory. */
export async function startS3Server(): Promise<S3Server> {
  const python = await pythonWith(fileURLToPath(new URL('requirements.txt', import.meta.url)));
  const [port = 0] = await freeLoopbackPorts(1);
  const directory = await mkdtemp(join(tmpdir(), 'batchtest-s3-'));
  const logFile = join(directory, 'log');
  const process_ = await startSupervised({
    name: 'moto',
    command: python,
    args: ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)],
    environment: process.env,
    workingDirectory: directory,
    logFile,
    graceSeconds: 2,
  });
  const endpoint = `http://127.0.0.1:${port}`;
  for (const deadline = Date.now() + START_DEADLINE_MS; ; await sleep(100)) {
    const isUp = await fetch(`${endpoint}/moto-api/`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isUp) break;
    if (Date.now() > deadline)
      throw new Error(`no S3 server within ${START_DEADLINE_MS} ms; ${await logTail(logFile)}`);
  }
  const client = new S3Client({ endpoint, region: REGION, credentials: CREDENTIALS, forcePathStyle: true });
  return {
    endpoint,
    environment: {
      AWS_ENDPOINT_URL_S3: endpoint,
      AWS_REGION: REGION,
      AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    },
    createBucket: async (bucket) => {
      await client.send(new CreateBucketCommand({ Bucket: bucket }));
    },
    put: async (bucket, key, content) => {
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: content }));
    },
    stop: async () => {
      client.destroy();
      await process_.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
