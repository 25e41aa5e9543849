import { once } from 'node:events';
import { createConnection, createServer, type NetConnectOpts, type Socket } from 'node:net';
import { freeLoopbackPorts } from './loopback-port.ts';

/** A way to a server that can be shut: then its connections break and new ones are refused, as if nothing listened. */
export interface TcpGate {
  /** The same for as long as the gate is there. */
  readonly port: number;
  shut(): Promise<void>;
  /** Lets nothing through in either direction any more and breaks nothing, as a network does that drops every packet; new connections are accepted. */
  freeze(): void;
  /** Lets go on what was frozen. */
  thaw(): void;
  open(): Promise<void>;
}

/** A gate before a server (a TCP port, or a Unix socket), which is shut until it is opened; on a free port of 127.0.0.1, unless it is told where. */
export async function createTcpGate(
  target: NetConnectOpts,
  at?: { readonly host: string; readonly port: number },
): Promise<TcpGate> {
  const { host, port } = at ?? { host: '127.0.0.1', port: (await freeLoopbackPorts(1))[0] ?? 0 };
  const sockets = new Set<Socket>();
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    // What a broken connection means is for its two ends to tell.
    socket.on('error', () => undefined);
  };
  let isFrozen = false;
  const server = createServer((inward) => {
    const onward = createConnection(target);
    keep(inward);
    keep(onward);
    inward.pipe(onward).pipe(inward);
    if (isFrozen) for (const socket of [inward, onward]) socket.pause();
    inward.once('close', () => onward.destroy());
    onward.once('close', () => inward.destroy());
  });
  return {
    port,
    async open() {
      server.listen(port, host);
      await once(server, 'listening');
    },
    freeze() {
      isFrozen = true;
      for (const socket of sockets) socket.pause();
    },
    thaw() {
      isFrozen = false;
      for (const socket of sockets) socket.resume();
    },
    async shut() {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
