/** A process that handles results slowly and says so, for tests that kill it. Arguments: one JSON object. */
import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { startOutboxProcessor } from '../../../src/outbox/outbox-processor.ts';
import { openPostgresResultStore } from '../../../src/results/postgres/open-postgres-result-store.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';

const { connection, leaseMs, logFile, handlingMs } = JSON.parse(process.argv[2] ?? '{}');
const store = await openPostgresResultStore({ connection });
startOutboxProcessor({
  outbox: store.outbox,
  handlers: [
    {
      kind: 'ResultStored',
      batch: 1,
      atOnce: 1,
      claims: 'Together',
      deadlineMs: 600_000,
      async handle(messages) {
        for (const { id } of messages) appendFileSync(logFile, `begin ${id}\n`);
        await sleep(handlingMs);
        for (const { id } of messages) appendFileSync(logFile, `end ${id}\n`);
        return messages.map(() => ({ kind: 'Delivered' }));
      },
    },
  ],
  engine: 'kubernetes',
  namespaces: 'All',
  runUidsOf: () => undefined,
  logger: createLogger('warn'),
  onHandled: () => undefined,
  random: Math.random,
  leaseMs,
});
