import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, expect, it, onTestFinished, vi } from 'vitest';
import { createLogger } from '../telemetry/logger.ts';
import { startLocalIngest } from './local-ingest.ts';

afterEach(() => {
  vi.useRealTimers();
});

const NOTHING_IS_STORED = { pushResult: () => Promise.reject(new Error('nothing is to be stored')) };

it('has a program that pushes too often wait no longer when the clock is set back', async () => {
  const { url, close } = await startLocalIngest(NOTHING_IS_STORED, undefined, createLogger('silent'));
  const headers = { authorization: 'Bearer somebody' };
  const push = () => fetch(url, { method: 'POST', headers, body: '{}' });
  try {
    for (let count = 0; count < 10; count += 1) expect((await push()).status).toBe(401);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 3_600_000 });
    const refused = await push();
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(2);
  } finally {
    await close();
  }
});

it('answers many programs at once, which all have one address', async () => {
  const { url, close } = await startLocalIngest(NOTHING_IS_STORED, undefined, createLogger('silent'));
  onTestFinished(close);
  const { port } = new URL(url);
  const sockets = Array.from({ length: 200 }, () => {
    const socket = connect(Number(port), '127.0.0.1');
    onTestFinished(() => {
      socket.destroy();
    });
    socket.on('error', () => undefined);
    return socket;
  });
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  const answers = sockets.map(async (socket) => {
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const [answer] = await Promise.race([once(socket, 'data'), once(socket, 'close').then(() => ['none'])]);
    return String(answer).split('\r\n', 1)[0];
  });
  expect([...new Set(await Promise.all(answers))]).toEqual(['HTTP/1.1 404 Not Found']);
});
