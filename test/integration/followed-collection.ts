/** Follows a collection of the API server by a list and a watch, over a connection of its own: nothing of the product is between it and the server. */
import { StringDecoder } from 'node:string_decoder';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request as httpRequest } from 'undici';
import type { ClusterCredentials } from '../tools/kubeconfig.ts';

export type ChangeType = 'ADDED' | 'MODIFIED' | 'DELETED';

/** What every object of the API server has. */
export interface FollowedObject {
  readonly metadata: { readonly name: string; readonly resourceVersion: string };
}

export interface Follower<Object extends FollowedObject> {
  /** Told of each object that is there at first, as `ADDED`, and of each change. */
  onChange(type: ChangeType, object: Object): void;
  /** Told when all changes that came together were told. */
  onRead?(): void;
  /** Told once, when nothing more can be seen. */
  onFailure(error: unknown): void;
}

/**
 * Begins to follow a collection. Resolves when nothing that happens from now on is missed.
 * @param path of the collection; the caller says what its objects are, which is not checked
 * @returns ends it
 */
export async function followCollection<Object extends FollowedObject>(
  credentials: ClusterCredentials,
  path: string,
  { onChange, onRead, onFailure }: Follower<Object>,
): Promise<() => Promise<void>> {
  const agent = new Agent({
    connect: { ca: credentials.certificateAuthority },
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const stop = new AbortController();
  const get = (query: string) =>
    httpRequest(`${credentials.url}${path}${query}`, {
      dispatcher: agent,
      signal: stop.signal,
      headers: { authorization: `Bearer ${credentials.token}` },
    });

  /** Resolves with where to go on from when the server ends the watch, as it does when the CRD is applied again. */
  const watch = async (from: string): Promise<string> => {
    let seen = from;
    const { statusCode, body } = await get(`?watch=true&resourceVersion=${from}&timeoutSeconds=3600`);
    if (statusCode !== 200) throw new Error(`the watch of ${path} was refused: ${await body.text()}`);
    const decoder = new StringDecoder('utf8');
    let rest = '';
    for await (const chunk of body) {
      const lines = (rest + decoder.write(chunk)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const { type, object }: { type: string; object: Object } = JSON.parse(line);
        if (isChangeType(type)) onChange(type, object);
        else if (type !== 'BOOKMARK') throw new Error(`the watch of ${path} answered ${line}`);
        seen = object.metadata.resourceVersion;
      }
      onRead?.();
    }
    return seen;
  };
  const follow = async (from: string) => {
    for (let next = from; !stop.signal.aborted; ) {
      next = await watch(next);
      // The server that ended it may need a moment.
      await sleep(100);
    }
  };

  const listed = await (await get('')).body.json();
  if (!isList<Object>(listed)) throw new Error(`the list of ${path} is no list: ${JSON.stringify(listed)}`);
  for (const object of listed.items) onChange('ADDED', object);
  const following = follow(listed.metadata.resourceVersion).catch((error: unknown) => {
    if (!stop.signal.aborted) onFailure(error);
  });
  return async () => {
    stop.abort();
    await following;
    await agent.destroy();
  };
}

const isChangeType = (type: string): type is ChangeType => ['ADDED', 'MODIFIED', 'DELETED'].includes(type);

function isList<Object>(value: unknown): value is {
  readonly metadata: { readonly resourceVersion: string };
  readonly items: readonly Object[];
} {
  return typeof value === 'object' && value !== null && 'items' in value && Array.isArray(value.items);
}
