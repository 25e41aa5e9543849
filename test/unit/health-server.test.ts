import { createServer } from 'node:http';
import { expect, it, onTestFinished } from 'vitest';
import { ExitCode } from '../../src/cli/exit-code.ts';
import { explainFailure } from '../../src/cli/failure.ts';
import { closed, listening } from '../../src/http/listening-server.ts';
import { startHealthServer } from '../../src/operator/health-server.ts';

const CHECKS = { live: () => undefined, ready: () => undefined, butFor: () => undefined };

const failureAt = async (host: string, port: number) =>
  explainFailure(await startHealthServer({ host, port }, CHECKS, undefined).catch((error: unknown) => error));

it('says where the health cannot be served, without a stack trace', async () => {
  const other = createServer();
  const port = await listening(other, { host: '127.0.0.1', port: 0 });
  onTestFinished(() => closed(other));
  expect(await failureAt('127.0.0.1', port)).toEqual({
    exitCode: ExitCode.infrastructure,
    text: expect.stringMatching(
      new RegExp(`^the health cannot be served on 127.0.0.1:${port}: listen EADDRINUSE.*$`),
    ),
  });
  // An address for documentation, which no machine has.
  expect(await failureAt('192.0.2.1', 0)).toMatchObject({
    text: expect.stringMatching(/^the health cannot be served on 192.0.2.1:0: listen EADDRNOTAVAIL.*$/),
  });
});
