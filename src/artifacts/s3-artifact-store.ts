import { Readable } from 'node:stream';
import { GetObjectCommand, S3Client, S3ServiceException } from '@aws-sdk/client-s3';
import { type ArtifactStore, ArtifactUnreadableError, type OpenedArtifact } from './artifact-store.ts';
import type { S3Location } from './s3-location.ts';
import { keyIn } from './s3-location.ts';

const CONNECTION_TIMEOUT_MS = 5_000;
/** Without a byte from the server. */
const IDLE_TIMEOUT_MS = 30_000;
/** Of one request, by the client itself; after that the outbox tries again. */
const TRIES = 2;

/** Reads the objects below one prefix of a bucket. */
export class S3ArtifactStore implements ArtifactStore {
  readonly #location: S3Location;
  readonly #client: S3Client;

  /**
   * Credentials and region come from where every AWS client finds them: the environment, files that are mounted, the identity of the machine or the pod.
   * @param endpoint of another S3-compatible service, which is then addressed with the bucket in the path; undefined: AWS
   * @param idleTimeoutMs how long the service may send nothing, before its answer or in the middle of a file
   */
  constructor(location: S3Location, endpoint: string | undefined, idleTimeoutMs = IDLE_TIMEOUT_MS) {
    this.#location = location;
    this.#client = withoutVersionWarning(
      () =>
        new S3Client({
          ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
          maxAttempts: TRIES,
          // The digest of the result is compared, whatever the service computes.
          responseChecksumValidation: 'WHEN_REQUIRED',
          requestHandler: {
            connectionTimeout: CONNECTION_TIMEOUT_MS,
            // Until the answer begins. By default it is only warned of.
            requestTimeout: idleTimeoutMs,
            throwOnRequestTimeout: true,
            // While the file is read as well.
            socketTimeout: idleTimeoutMs,
          },
        }),
    );
  }

  holds(uri: string): boolean {
    return keyIn(this.#location, uri) !== undefined;
  }

  async open(uri: string, signal: AbortSignal): Promise<OpenedArtifact | undefined> {
    const key = keyIn(this.#location, uri);
    if (key === undefined) return undefined;
    try {
      const { Body, ContentLength } = await this.#client.send(
        new GetObjectCommand({ Bucket: this.#location.bucket, Key: key }),
        { abortSignal: signal },
      );
      if (!(Body instanceof Readable) || ContentLength === undefined)
        throw new ArtifactUnreadableError('the answer of the artifact store has no content');
      return { size: ContentLength, stream: Body };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ArtifactUnreadableError) throw error;
      if (error instanceof S3ServiceException && error.name === 'NoSuchKey') return undefined;
      throw new ArtifactUnreadableError(`the artifact store ${whyNot(error)}`, { cause: error });
    }
  }
}

/** Codes alone: the message of an error may name keys and hosts. */
function whyNot(error: unknown): string {
  if (error instanceof S3ServiceException) {
    const status = error.$metadata.httpStatusCode;
    return `answered ${error.name}${status === undefined ? '' : ` (${status})`}`;
  }
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (typeof code === 'string') return `cannot be reached (${code})`;
  return `cannot be asked (${error instanceof Error ? error.name : 'unknown error'})`;
}

/** The SDK asks for this when a client is made, and tells a user of the command line what only its developers can follow. Programs of tests must not inherit it. */
const VERSION_WARNING = 'AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED';

function withoutVersionWarning<T>(make: () => T): T {
  const before = process.env[VERSION_WARNING];
  process.env[VERSION_WARNING] = 'true';
  try {
    return make();
  } finally {
    if (before === undefined) delete process.env[VERSION_WARNING];
    else process.env[VERSION_WARNING] = before;
  }
}
