import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { CertificatePair } from '../http/followed-certificate.ts';
import { closedOnceAnswered, type ListenAddress, listening } from '../http/listening-server.ts';
import { IngestError } from './ingest-error.ts';
import type { ResultIngest } from './result-ingest.ts';

export interface IngestAddress extends ListenAddress {
  /** Undefined: plain HTTP. */
  readonly tls: CertificatePair | undefined;
  /** Whether one address gets no more than a share of the connections. The programs of a local run all have the same. */
  readonly sharedByAddress: boolean;
}

export interface IngestServer {
  readonly port: number;
  /** Uses another certificate for connections from now on. */
  useCertificate(tls: CertificatePair): void;
  /**
   * Takes no further connection, answers the pushes that are under way, and ends what is left of them after {@link CLOSE_PATIENCE_MS}. What was not answered is not
   * acknowledged, and sent again.
   */
  close(): Promise<void>;
}

const LIMITS = {
  // One header holds a token of a few kilobytes.
  maxHeaderSize: 16 * 1_024,
  headersTimeout: 10_000,
  // A mebibyte over a slow network; and how long a slow sender may hold one of the places.
  requestTimeout: 60_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 5_000,
} as const;
/** Node's own is two minutes, for which a sender who says nothing holds a connection. */
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** A connection beyond that is accepted and closed at once: whoever sends gets no answer, and sends it again. One of TLS may take a hundred kilobytes. */
const MAX_CONNECTIONS = 1_024;
/** Those of one address likewise, so that one pod alone keeps no other from pushing. Pods behind one address, as of a proxy, share them. */
const MAX_CONNECTIONS_OF_AN_ADDRESS = 128;
/** A push that is stored is answered in far less. Whoever sends slowly must not hold up the end of the process: less than an operator gives itself to stop. */
const CLOSE_PATIENCE_MS = 10_000;

/**
 * Serves an ingest.
 * @throws IngestError when the address cannot be listened on, or the certificate not used
 */
export async function startIngestServer(
  { host, port, tls, sharedByAddress }: IngestAddress,
  ingest: ResultIngest,
): Promise<IngestServer> {
  const listener: RequestListener = (request, response) => void ingest.handle(request, response);
  const secure = tls === undefined ? undefined : tlsServer(tls, listener);
  const server: Server = secure ?? createServer(LIMITS, listener);
  server.on('checkContinue', (request, response) => {
    void ingest.handle(request, response, () => response.writeContinue());
  });
  server.maxConnections = MAX_CONNECTIONS;
  if (sharedByAddress) shareConnections(server);
  const listensOn = await listening(server, { host, port }).catch((cause: Error) => {
    throw new IngestError(`pushed results cannot be taken: ${cause.message}`, { cause });
  });
  return {
    port: listensOn,
    useCertificate: (renewed) => secure?.setSecureContext(renewed),
    close: () => {
      ingest.answerLast();
      return closedOnceAnswered(server, CLOSE_PATIENCE_MS);
    },
  };
}

/** Closes a connection at once whose address has its share. */
function shareConnections(server: Server): void {
  const open = new Map<string, number>();
  server.on('connection', (socket) => {
    // It has none when it has ended meanwhile, and is closed.
    const { remoteAddress: address } = socket;
    if (address === undefined) return;
    const others = open.get(address) ?? 0;
    if (others >= MAX_CONNECTIONS_OF_AN_ADDRESS) {
      socket.destroy();
      return;
    }
    open.set(address, others + 1);
    socket.once('close', () => {
      const left = (open.get(address) ?? 0) - 1;
      if (left > 0) open.set(address, left);
      else open.delete(address);
    });
  });
}

function tlsServer(tls: CertificatePair, listener: RequestListener) {
  try {
    return createTlsServer({ ...LIMITS, ...tls, handshakeTimeout: HANDSHAKE_TIMEOUT_MS }, listener);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new IngestError(`the certificate of the result ingest and its key cannot be used: ${why}`, {
      cause: error,
    });
  }
}
