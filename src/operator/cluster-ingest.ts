import { readFile } from 'node:fs/promises';
import type { ClusterAccess } from '../engine/kubernetes/cluster-access.ts';
import { KubeClient, type RequestObserver } from '../engine/kubernetes/kube-client.ts';
import type { ResultIngestAddress } from '../engine/kubernetes/result-volume.ts';
import { type CertificatePair, expiryOf, followCertificate } from '../http/followed-certificate.ts';
import { IngestError } from '../ingest/ingest-error.ts';
import { startIngestServer } from '../ingest/ingest-server.ts';
import type { PushAnswer } from '../ingest/push-answers.ts';
import { RESULT_PATH, ResultIngest } from '../ingest/result-ingest.ts';
import type { ResultStore } from '../results/result-store.ts';
import type { Logger } from '../telemetry/logger.ts';
import { VERSION } from '../version.ts';
import { PodAuthentication } from './pod-authentication.ts';

/** How the operator takes results that pods push. */
export interface ClusterIngestConfig {
  /** Scheme, host and port by which pods reach it: a Service. */
  readonly url: string;
  /** Undefined: every address of this machine. */
  readonly host: string | undefined;
  /** 0 chooses one. */
  readonly port: number;
  /** Files in PEM; undefined: plain HTTP. */
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
  /** A file in PEM with the authorities by which pods check the server's certificate; undefined when their images know them. */
  readonly caFile: string | undefined;
  readonly limitBytes: number;
}

export interface ClusterIngest {
  /** What pods are told. */
  readonly address: ResultIngestAddress;
  readonly port: number;
  /** Takes no more, and answers what is under way; may be called again. */
  close(): Promise<void>;
}

interface ClusterIngestParts {
  readonly access: ClusterAccess;
  readonly store: Pick<ResultStore, 'pushResult'>;
  readonly namespaces: readonly string[] | 'All';
  readonly logger: Logger;
  /** Told of the requests by which those who push are known. */
  readonly observer: RequestObserver;
  readonly onAnswered: (answer: PushAnswer) => void;
  /** Told when the certificate expires, in milliseconds since the epoch, of each one that is used. */
  readonly onCertificate: (expiresAt: number) => void;
}

/** A certificate is renewed long before it expires; whoever renews it writes the same files. */
const CERTIFICATE_LOOK_MS = 60_000;

/**
 * Takes pushed results, whether this process leads or not: the store is the same. Has a client of its own, so that neither what pods send holds up the leader's requests nor a lost
 * leadership those of pods.
 */
export async function startClusterIngest(
  config: ClusterIngestConfig,
  { access, store, namespaces, logger, observer, onAnswered, onCertificate }: ClusterIngestParts,
): Promise<ClusterIngest> {
  const { host, port, tls, caFile, limitBytes } = config;
  const certificateAuthority = caFile === undefined ? undefined : await readPem(caFile);
  const client = new KubeClient({ access, version: VERSION, observer });
  const authenticator = new PodAuthentication({
    ...{ client, namespaces, logger },
    now: () => performance.now(),
  });
  const ingest = new ResultIngest({ authenticator, store, limitBytes, logger, onAnswered });
  const certificate = tls === undefined ? undefined : await readCertificate(tls);
  const server = await startIngestServer({ host, port, tls: certificate, sharedByAddress: true }, ingest);
  if (certificate !== undefined) onCertificate(expiryOf(certificate.cert));
  const stopFollowing =
    tls === undefined || certificate === undefined
      ? () => {}
      : followCertificate(certificate, {
          everyMs: CERTIFICATE_LOOK_MS,
          read: () => readCertificate(tls),
          use: (renewed) => {
            server.useCertificate(renewed);
            onCertificate(expiryOf(renewed.cert));
            logger.info('the certificate of the result ingest was renewed');
          },
          onProblem: (error) =>
            logger.warn({ err: error }, 'the certificate of the result ingest cannot be read anew'),
        });
  logger.info({ ingestPort: server.port, url: config.url }, 'taking pushed results');
  const end = async (): Promise<void> => {
    stopFollowing();
    await server.close();
    await client.close();
  };
  let ended: Promise<void> | undefined;
  return {
    address: { url: new URL(RESULT_PATH, config.url).href, certificateAuthority },
    port: server.port,
    close() {
      ended ??= end();
      return ended;
    },
  };
}

const readCertificate = async ({
  certFile,
  keyFile,
}: NonNullable<ClusterIngestConfig['tls']>): Promise<CertificatePair> => ({
  cert: await readPem(certFile),
  key: await readPem(keyFile),
});

async function readPem(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new IngestError(`${file}, of the result ingest, cannot be read: ${why}`, { cause: error });
  }
}
