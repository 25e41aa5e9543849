/**
 * A proxy before Postgres that knows where one statement ends and the next begins, and can therefore break a connection at exactly the
 * places that matter to a transaction: before the server has heard of it, and after it was committed but before anybody was told. Every
 * write of the result store is one call of an SQL function in a statement of its own, so its answer is the answer to its COMMIT.
 *
 * Protocol: https://www.postgresql.org/docs/current/protocol-message-formats.html, version 3, without TLS.
 */
import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer, type NetConnectOpts, type Socket } from 'node:net';

/** One statement on its way: all messages from its first one to the Sync, or one simple query. */
export interface Statement {
  /** The function of schema `batchtest` that it calls, such as `record_attempt`; undefined when it calls none. */
  readonly call: string | undefined;
  /** Its text, as it was parsed. */
  readonly text: string;
}

/** What the proxy does with one statement. */
export type StoreFault =
  | { readonly kind: 'Forward' }
  /** Breaks the connection; the server never hears of the statement. */
  | { readonly kind: 'CutBefore' }
  /** The server carries it out and commits; the connection breaks instead of the answer. */
  | { readonly kind: 'CutAfter' }
  /** The server hears of it once this has resolved. */
  | { readonly kind: 'Hold'; readonly until: Promise<unknown> }
  /** The server does it; what becomes of its answer is asked then. `delivered` is called when the client was sent it. */
  | {
      readonly kind: 'Intercept';
      readonly answered: () => Promise<'Deliver' | 'Lose'>;
      readonly delivered?: () => void;
    };

export const FORWARD_STATEMENT: StoreFault = { kind: 'Forward' };

export interface StoreProxy {
  /** On 127.0.0.1. */
  readonly port: number;
  /** The calls of functions by which the loop writes that the server has answered, in order. */
  readonly writes: readonly string[];
  /** Decides what becomes of each statement from now on. */
  onStatement(decide: (statement: Statement) => StoreFault): void;
  /** Breaks every connection now; new ones are accepted. */
  cut(): void;
  close(): Promise<void>;
}

const WRITING_CALLS: readonly string[] = [
  'open_run',
  'record_attempt',
  'record_pushed_attempt',
  'skip_trials',
  'end_run',
];
/** Of messages that end a unit of work: a simple query, and the Sync after an extended one. */
const QUERY = 'Q';
const SYNC = 'S';
const PARSE = 'P';
const BIND = 'B';
const READY_FOR_QUERY = 'Z';

/** True for a call that leaves something committed. */
export const isWritingCall = (call: string | undefined): call is string =>
  call !== undefined && WRITING_CALLS.includes(call);

/** Opens a proxy before a server (a TCP port, or a Unix socket). */
export async function openStoreProxy(target: NetConnectOpts): Promise<StoreProxy> {
  const sockets = new Set<Socket>();
  const writes: string[] = [];
  let decide: (statement: Statement) => StoreFault = () => FORWARD_STATEMENT;
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    // What a broken connection means is for its two ends to tell.
    socket.on('error', () => undefined);
  };

  const server = createServer((client) => {
    const upstream = createConnection(target);
    keep(client);
    keep(upstream);
    client.once('close', () => upstream.destroy());
    upstream.once('close', () => client.destroy());
    const session = new Session(
      client,
      upstream,
      (statement) => decide(statement),
      (call) => writes.push(call),
    );
    client.on('data', (chunk: Buffer) => session.fromClient(chunk));
    upstream.on('data', (chunk: Buffer) => session.fromServer(chunk));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    writes,
    onStatement(next) {
      decide = next;
    },
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** A statement that the server has been sent, and whose answer is not complete. */
interface Pending {
  readonly statement: Statement;
  readonly fault: StoreFault;
}

/** One connection of a client, which sends its next statement when the last one was answered, as `pg` does. */
class Session {
  readonly #client: Socket;
  readonly #upstream: Socket;
  readonly #decide: (statement: Statement) => StoreFault;
  readonly #onWrite: (call: string) => void;
  readonly #prepared = new Map<string, string>();
  #fromClient = Buffer.alloc(0);
  #fromServer = Buffer.alloc(0);
  #isStarted = false;
  #unit: Buffer[] = [];
  #text = '';
  #pending: Pending | undefined;
  #answer: Buffer[] = [];

  constructor(
    client: Socket,
    upstream: Socket,
    decide: (statement: Statement) => StoreFault,
    onWrite: (call: string) => void,
  ) {
    this.#client = client;
    this.#upstream = upstream;
    this.#decide = decide;
    this.#onWrite = onWrite;
  }

  fromClient(chunk: Buffer): void {
    this.#fromClient = Buffer.concat([this.#fromClient, chunk]);
    if (!this.#isStarted && !this.#takeStartup()) return;
    for (;;) {
      const message = messageAt(this.#fromClient);
      if (message === undefined) return;
      this.#fromClient = this.#fromClient.subarray(message.bytes.length);
      this.#takeMessage(message);
    }
  }

  fromServer(chunk: Buffer): void {
    this.#fromServer = Buffer.concat([this.#fromServer, chunk]);
    for (;;) {
      const message = messageAt(this.#fromServer);
      if (message === undefined) return;
      this.#fromServer = this.#fromServer.subarray(message.bytes.length);
      this.#answer.push(message.bytes);
      if (message.type === READY_FOR_QUERY) this.#answerIsComplete();
      // Only what answers a statement is kept until it is complete; a login has its own back and forth.
      else if (this.#pending === undefined) this.#deliver();
    }
  }

  /** The first message has no type. */
  #takeStartup(): boolean {
    if (this.#fromClient.length < 4) return false;
    const length = this.#fromClient.readInt32BE(0);
    if (this.#fromClient.length < length) return false;
    this.#upstream.write(this.#fromClient.subarray(0, length));
    this.#fromClient = this.#fromClient.subarray(length);
    this.#isStarted = true;
    return true;
  }

  #takeMessage({ type, bytes }: Message): void {
    if (type === PARSE) {
      const [name = '', text = ''] = texts(bytes.subarray(5));
      this.#prepared.set(name, text);
      this.#text = text;
    }
    if (type === BIND) {
      const [, name = ''] = texts(bytes.subarray(5));
      this.#text = this.#prepared.get(name) ?? '';
    }
    if (type === QUERY) this.#text = texts(bytes.subarray(5))[0] ?? '';
    this.#unit.push(bytes);
    if (type !== QUERY && type !== SYNC) {
      // A password, or the end of the session, belongs to no statement.
      if (this.#text === '') this.#forwardUnit();
      return;
    }
    const text = this.#text;
    const statement = { text, call: /\bbatchtest\.(\w+)\(/.exec(text)?.[1] };
    this.#text = '';
    this.#begin(statement, this.#decide(statement));
  }

  #begin(statement: Statement, fault: StoreFault): void {
    if (fault.kind === 'CutBefore') {
      this.#break();
      return;
    }
    this.#pending = { statement, fault };
    if (fault.kind !== 'Hold') this.#forwardUnit();
    else
      fault.until.then(
        () => this.#forwardUnit(),
        () => this.#break(),
      );
  }

  #forwardUnit(): void {
    for (const bytes of this.#unit) this.#upstream.write(bytes);
    this.#unit = [];
  }

  #answerIsComplete(): void {
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending === undefined) {
      this.#deliver();
      return;
    }
    const { statement, fault } = pending;
    if (isWritingCall(statement.call)) this.#onWrite(statement.call);
    if (fault.kind === 'CutAfter') this.#break();
    else if (fault.kind === 'Intercept')
      fault.answered().then(
        (what) => {
          if (what === 'Lose') this.#break();
          else this.#deliver(fault.delivered);
        },
        () => this.#break(),
      );
    else this.#deliver();
  }

  #deliver(done?: () => void): void {
    const answer = Buffer.concat(this.#answer);
    this.#answer = [];
    this.#client.write(answer, done);
  }

  #break(): void {
    this.#client.resetAndDestroy();
    this.#upstream.destroy();
  }
}

interface Message {
  readonly type: string;
  readonly bytes: Buffer;
}

/** The first message of a buffer; undefined when it is not complete. Its length counts itself and not the type before it. */
function messageAt(buffer: Buffer): Message | undefined {
  if (buffer.length < 5) return undefined;
  const length = buffer.readInt32BE(1) + 1;
  if (buffer.length < length) return undefined;
  return { type: String.fromCharCode(buffer[0] ?? 0), bytes: buffer.subarray(0, length) };
}

/** The two strings, each ended by a zero, that a message's content begins with. */
function texts(content: Buffer): readonly string[] {
  return content.toString('utf8').split('\0', 2);
}
