import { afterEach, expect, it, vi } from 'vitest';
import { createLogger } from '../telemetry/logger.ts';
import { startLocalIngest } from './local-ingest.ts';

afterEach(() => {
  vi.useRealTimers();
});

it('has a program that pushes too often wait no longer when the clock is set back', async () => {
  const nothingIsStored = { pushResult: () => Promise.reject(new Error('nothing is to be stored')) };
  const { url, close } = await startLocalIngest(nothingIsStored, undefined, createLogger('silent'));
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
