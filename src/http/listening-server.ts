import type { Server } from 'node:http';

/** Where a server listens. */
export interface ListenAddress {
  /** Undefined: every address of this machine. */
  readonly host: string | undefined;
  /** 0 chooses one. */
  readonly port: number;
}

/** Has the server listen. Gives its port; rejects with what Node says when it cannot. */
export const listening = (server: Server, { host, port }: ListenAddress): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, ...(host === undefined ? {} : { host }) }, () => {
      server.off('error', reject);
      const address = server.address();
      if (address === null || typeof address === 'string') reject(new Error('the server listens on no port'));
      else resolve(address.port);
    });
  });

/** Ends the server with all its connections. */
export const closed = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });

/**
 * Ends the server and lets what it has been asked be answered for so long; then ends all its connections. Whoever answers says `connection: close`, without which a
 * connection stays for further requests.
 */
export async function closedOnceAnswered(server: Server, patienceMs: number): Promise<void> {
  const patience = setTimeout(() => server.closeAllConnections(), patienceMs);
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
  clearTimeout(patience);
}
