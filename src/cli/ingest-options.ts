import { type Command, InvalidArgumentError } from 'commander';
import { DEFAULT_RESULT_LIMIT_BYTES } from '../ingest/result-limit.ts';
import type { ClusterIngestConfig } from '../operator/cluster-ingest.ts';
import { UsageError } from './failure.ts';
import { listenHost } from './listen-host.ts';
import { port } from './port.ts';
import { resultLimitOption } from './run-options.ts';

export interface IngestFlags {
  readonly resultIngestUrl?: URL;
  readonly resultIngestHost?: string;
  readonly resultIngestPort: number;
  readonly resultIngestTlsCert?: string;
  readonly resultIngestTlsKey?: string;
  readonly resultIngestCa?: string;
  readonly resultLimit?: number;
}

/** The options of an operator that takes results which pods push. */
export const ingestOptions = (command: Command): Command =>
  command
    .option(
      '--result-ingest-url <url>',
      'take results that pods push (spec.results.push), and tell them this URL of a Service before it (default: take none)',
      address,
    )
    .option('--result-ingest-host <address>', 'where pushed results are taken (default: every address)')
    .option('--result-ingest-port <port>', 'port on which they are taken; 0 chooses one', port, 8082)
    .option(
      '--result-ingest-tls-cert <file>',
      'certificate (PEM) for an https URL; read anew when it changes',
    )
    .option('--result-ingest-tls-key <file>', 'its private key (PEM)')
    .option(
      '--result-ingest-ca <file>',
      'certificates (PEM) that pods get as $BATCHTEST_RESULT_CA_FILE to check the server by',
    )
    .addOption(resultLimitOption('how large a pushed result may be (default: 1Mi)'));

/**
 * What the options say of the ingest; undefined when there is to be none.
 * @throws UsageError when they do not fit together
 */
export function ingestConfig(flags: IngestFlags): ClusterIngestConfig | undefined {
  const { resultIngestUrl: url, resultIngestTlsCert: certFile, resultIngestTlsKey: keyFile } = flags;
  const isTlsGiven = certFile !== undefined || keyFile !== undefined;
  if (url === undefined) {
    if (isTlsGiven || flags.resultIngestCa !== undefined)
      throw new UsageError('--result-ingest-tls-cert, -tls-key and -ca need --result-ingest-url');
    return undefined;
  }
  if ((certFile === undefined) !== (keyFile === undefined))
    throw new UsageError('--result-ingest-tls-cert and --result-ingest-tls-key are needed together');
  if (isTlsGiven && url.protocol !== 'https:')
    throw new UsageError('--result-ingest-url must begin with https:// when there is a certificate');
  return {
    url: url.href,
    host: listenHost(flags.resultIngestHost),
    port: flags.resultIngestPort,
    tls: certFile === undefined || keyFile === undefined ? undefined : { certFile, keyFile },
    caFile: flags.resultIngestCa,
    limitBytes: flags.resultLimit ?? DEFAULT_RESULT_LIMIT_BYTES,
  };
}

function address(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isBare = url?.pathname === '/' && url.search === '' && url.hash === '' && url.username === '';
  if (url === undefined || !isBare || !['http:', 'https:'].includes(url.protocol))
    throw new InvalidArgumentError(
      'It must be http:// or https:// with a host and a port, and no path: http://batchtest-ingest.batchtest.svc:8082',
    );
  return url;
}
