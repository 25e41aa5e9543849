import { setMaxListeners } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ClusterAccess, ClusterCredentials } from './cluster-access.ts';
import { KubeClient, type RequestObserver } from './kube-client.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** A client of a server that answers as told: each request by the next of `answers`, the last one again and again. */
async function aClient(
  answers: readonly Answer[],
  credentials?: ClusterAccess['credentials'],
  observer?: RequestObserver,
) {
  const requests: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[] = [];
  const connections = new Set<IncomingMessage['socket']>();
  const server = createServer(async (request, response) => {
    connections.add(request.socket);
    let body = '';
    for await (const chunk of request) body += chunk;
    const { method = '', url = '', headers } = request;
    requests.push({ method, url, headers, body });
    (answers[Math.min(requests.length, answers.length) - 1] ?? ok)(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const client = new KubeClient({
    access: {
      server: `http://127.0.0.1:${port}`,
      namespace: undefined,
      credentials:
        credentials ?? (async () => ({ headers: { authorization: 'Bearer canary-token' }, tls: {} })),
    },
    version: '1.2.3',
    ...(observer === undefined ? {} : { observer }),
  });
  onTestFinished(async () => {
    await client.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { client, requests, connections };
}

const answer =
  (status: number, body: unknown = {}, headers: Record<string, string> = {}): Answer =>
  (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  };
const ok = answer(200, { kind: 'Pod' });
const breaks: Answer = (request) => request.socket.resetAndDestroy();
const hangs: Answer = () => undefined;

it('sends JSON and a user agent, and gives the answer’s JSON', async () => {
  const { client, requests } = await aClient([ok]);
  const sent = { query: { limit: 5, continue: undefined, labelSelector: 'a=b' }, body: { x: 1 } };
  expect(await client.request('PATCH', '/api/v1/pods', sent)).toEqual({ kind: 'Pod' });
  expect(requests).toMatchObject([
    {
      method: 'PATCH',
      url: '/api/v1/pods?limit=5&labelSelector=a%3Db',
      body: '{"x":1}',
      headers: {
        'user-agent': 'batchtest/1.2.3',
        'content-type': 'application/merge-patch+json',
        authorization: 'Bearer canary-token',
      },
    },
  ]);
});

it('makes a body when it is the request’s turn, and not before', async () => {
  const waiting: (() => void)[] = [];
  const { client, requests } = await aClient([
    (request, response) => waiting.push(() => ok(request, response)),
  ]);
  let made = 0;
  const body = () => {
    made += 1;
    return { number: made };
  };
  // More than are ever under way at once, however long the answers take.
  const all = Promise.all(Array.from({ length: 40 }, () => client.request('POST', '/api/v1/pods', { body })));
  await expect.poll(() => waiting.length, { interval: 5 }).toBeGreaterThanOrEqual(8);
  expect(made).toBeLessThanOrEqual(32);
  await Promise.all([all, ...Array.from({ length: 40 }, (_, index) => answered(index))]);
  const numbers = requests.map(({ body: sent }) => JSON.parse(sent).number);
  expect(new Set(numbers)).toEqual(new Set(Array.from({ length: 40 }, (_, index) => index + 1)));

  async function answered(index: number) {
    await expect.poll(() => waiting[index], { interval: 5 }).toBeDefined();
    waiting[index]?.();
  }
});

it('tells what the server said, and never a credential', async () => {
  const status = {
    kind: 'Status',
    reason: 'Forbidden',
    message: 'no',
    details: { causes: [{ reason: 'x' }] },
  };
  const { client } = await aClient([answer(403, status)]);
  const error: unknown = await client
    .request('GET', '/api/v1/pods', { query: { limit: 1 } })
    .catch((e: unknown) => e);
  expect(error).toMatchObject({
    status: 403,
    reason: 'Forbidden',
    statement: 'no',
    details: { causes: [{ reason: 'x' }] },
  });
  expect(error).toHaveProperty('message', 'GET /api/v1/pods: 403 no');
  expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('canary');
});

it('takes an error that is no Status for what it is', async () => {
  const { client } = await aClient([
    (_, response) => {
      response.writeHead(418).end('<html>a proxy</html>');
    },
  ]);
  await expect(client.request('GET', '/x')).rejects.toMatchObject({
    status: 418,
    statement: '<html>a proxy</html>',
  });
});

it.each(['GET', 'PUT', 'PATCH', 'DELETE'] as const)(
  'tries %s again after an overload and a broken connection',
  async (method) => {
    const { client, requests } = await aClient([
      answer(429, {}, { 'retry-after': '0' }),
      breaks,
      answer(503),
      ok,
    ]);
    expect(await client.request(method, '/x')).toEqual({ kind: 'Pod' });
    expect(requests).toHaveLength(4);
  },
);

it('never tries POST again by itself', async () => {
  const { client, requests } = await aClient([breaks, ok]);
  await expect(client.request('POST', '/x')).rejects.toThrow();
  expect(requests).toHaveLength(1);
});

it('does not try again what would be refused again', async () => {
  const { client, requests } = await aClient([answer(422)]);
  await expect(client.request('PATCH', '/x')).rejects.toMatchObject({ status: 422 });
  expect(requests).toHaveLength(1);
});

it('leaves a long wait to its caller', async () => {
  const { client, requests } = await aClient([answer(429, {}, { 'retry-after': '60' })]);
  await expect(client.request('GET', '/x')).rejects.toMatchObject({ status: 429, retryAfterMs: 60_000 });
  expect(requests).toHaveLength(1);
});

it('gives up on a server that does not answer', async () => {
  const { client } = await aClient([hangs]);
  await expect(client.request('POST', '/x', { timeoutMs: 50 })).rejects.toThrow(
    'POST /x: no answer within 50 ms',
  );
});

it('gives up when it is told to', async () => {
  const { client } = await aClient([hangs]);
  const controller = new AbortController();
  const request = client.request('GET', '/x', { signal: controller.signal });
  controller.abort(new Error('enough'));
  await expect(request).rejects.toThrow('enough');
});

it('reads its credentials anew when they are rejected, and sends the request once more', async () => {
  let token = 0;
  const { client, requests } = await aClient([answer(401), ok], async () => {
    token += 1;
    return { headers: { authorization: `Bearer token-${token}` }, tls: {} };
  });
  expect(await client.request('POST', '/x', { body: {} })).toEqual({ kind: 'Pod' });
  expect(requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer token-1', 'Bearer token-2']);
});

it('says that the credentials are rejected when new ones are as well', async () => {
  const { client, requests } = await aClient([answer(401, { message: 'Unauthorized' })]);
  await expect(client.request('GET', '/x')).rejects.toMatchObject({ status: 401 });
  expect(requests).toHaveLength(2);
});

it('recovers when credentials could not be read for a moment', async () => {
  let reads = 0;
  const { client } = await aClient([ok], async () => {
    reads += 1;
    if (reads === 1) throw new Error('the token is not there yet');
    return { headers: {}, tls: {} };
  });
  await expect(client.request('GET', '/x')).rejects.toThrow('not there yet');
  expect(await client.request('GET', '/x')).toEqual({ kind: 'Pod' });
});

describe('while its credentials are long in coming, as from a plugin that hangs', () => {
  /** A client whose credentials are asked for and not there. */
  async function aWaitingClient() {
    let reads = 0;
    let give = (_: ClusterCredentials) => {};
    const credentials = () => {
      reads += 1;
      return new Promise<ClusterCredentials>((resolve) => {
        give = resolve;
      });
    };
    return {
      ...(await aClient([ok], credentials)),
      reads: () => reads,
      give: () => give({ headers: {}, tls: {} }),
    };
  }

  it('gives up requests in their time, says what they waited for, and starts no second plugin', async () => {
    const { client, requests, reads, give } = await aWaitingClient();
    for (let time = 0; time < 2; time += 1)
      await expect(client.request('GET', '/x', { timeoutMs: 50, maxTries: 1 })).rejects.toThrow(
        'GET /x: no answer within 50 ms, while credentials were waited for',
      );
    const late = client.request('GET', '/x');
    give();
    expect(await late).toEqual({ kind: 'Pod' });
    expect(requests).toHaveLength(1);
    expect(reads()).toBe(1);
  });

  it('gives up a watch when it is told to', async () => {
    const { client } = await aWaitingClient();
    const controller = new AbortController();
    const next = client.watch('/pods', { query: {}, signal: controller.signal, inactivityMs: 60_000 }).next();
    controller.abort(new Error('enough'));
    await expect(next).rejects.toThrow('enough');
  });

  it('closes at once, and sends nothing when they come after that', async () => {
    const { client, requests, give } = await aWaitingClient();
    const request = client.request('GET', '/x');
    await client.close();
    give();
    await expect(request).rejects.toThrow('is closed');
    expect(requests).toEqual([]);
  });
});

it('lets an urgent request past all that wait', async () => {
  const { client, requests } = await aClient([
    (request, response) => (request.url === '/urgent' ? ok(request, response) : undefined),
  ]);
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  const others = Array.from({ length: 100 }, () =>
    client.request('GET', '/slow', { signal: controller.signal }),
  );
  const allSettled = Promise.allSettled(others);
  expect(await client.request('GET', '/urgent', { urgent: true })).toEqual({ kind: 'Pod' });
  expect(requests.filter(({ url }) => url === '/slow').length).toBeLessThanOrEqual(32);
  controller.abort();
  await allSettled;
});

it('keeps connections, whatever the method, and opens no more than it has requests under way', async () => {
  const { client, connections } = await aClient([ok]);
  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const)
    for (let time = 0; time < 10; time += 1)
      await client.request(method, '/api/v1/pods/x', method === 'GET' ? {} : { body: { x: time } });
  // A request that comes in the moment in which another is being answered opens one more.
  expect(connections.size).toBeLessThanOrEqual(3);
  for (let wave = 0; wave < 5; wave += 1)
    await Promise.all(
      Array.from({ length: 200 }, (_, x) => client.request('DELETE', '/api/v1/pods/x', { body: { x } })),
    );
  expect(connections.size).toBeLessThanOrEqual(36);
});

it('gives the events of a watch as they come, wherever the network cuts them', async () => {
  const line = Buffer.from(`${JSON.stringify({ type: 'ADDED', object: { name: 'é' } })}\n`);
  const cut = line.indexOf(0xc3) + 1;
  const { client, requests } = await aClient([
    async (_, response) => {
      response.writeHead(200).flushHeaders();
      response.write(Buffer.concat([line, line.subarray(0, cut)]));
      await new Promise((resolve) => setTimeout(resolve, 30));
      response.end(line.subarray(cut));
    },
  ]);
  const signal = new AbortController().signal;
  const seen: unknown[] = [];
  for await (const events of client.watch('/pods', {
    query: { resourceVersion: '7' },
    signal,
    inactivityMs: 5_000,
    onOpen: () => seen.push('open'),
  }))
    seen.push(...events);
  expect(seen).toEqual([
    'open',
    { type: 'ADDED', object: { name: 'é' } },
    { type: 'ADDED', object: { name: 'é' } },
  ]);
  expect(requests[0]?.url).toBe('/pods?resourceVersion=7&watch=true');
});

it('does nothing any more once it is closed', async () => {
  const { client } = await aClient([ok]);
  await client.request('GET', '/x');
  await client.close();
  await expect(client.request('GET', '/x')).rejects.toThrow('is closed');
});

it('tells of each try, of what follows it, and of the wait before the first, by method and status alone', async () => {
  const told: string[] = [];
  const observer: RequestObserver = {
    answered: (method, status, seconds) => told.push(`${method} ${status} ${seconds >= 0}`),
    waited: (method, seconds) => told.push(`${method} waited ${seconds < 1}`),
    retried: (method, status) => told.push(`${method} again after ${status}`),
  };
  const { client } = await aClient([answer(503), breaks, ok, answer(404)], undefined, observer);
  await client.request('GET', '/api/v1/namespaces/secret-project/pods');
  await client.request('DELETE', '/gone', { urgent: true }).catch(() => undefined);
  expect(told).toEqual([
    'GET waited true',
    'GET 503 true',
    'GET again after 503',
    'GET undefined true',
    'GET again after undefined',
    'GET 200 true',
    'DELETE 404 true',
  ]);
});
