import { expect, it, vi } from 'vitest';
import { toleratedListener } from './tolerated-listener.ts';

it('keeps what a listener throws from who tells it, says it once, and goes on telling', () => {
  const listener = vi.fn(() => {
    throw new TypeError('no best yet');
  });
  const onNotice = vi.fn();
  const tell = toleratedListener(listener, 'onProgress', onNotice);
  tell(1);
  tell(2);
  expect(listener.mock.calls).toEqual([[1], [2]]);
  expect(onNotice.mock.calls).toEqual([[expect.stringContaining('onProgress threw')]]);
  expect(onNotice.mock.calls[0]?.[0]).toContain('TypeError: no best yet');
});

it('has nothing to do without a listener', () => {
  expect(() => toleratedListener(undefined, 'onProgress', undefined)(1)).not.toThrow();
});
