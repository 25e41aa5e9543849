/** A process that handles what is due in the outbox, and ends. Arguments: one JSON object. */
import { startDelivery } from '../../../src/outbox/delivery.ts';
import { openPostgresResultStore } from '../../../src/results/postgres/open-postgres-result-store.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';

const DEADLINE_MS = 60_000;

const { connection, notifyUrls } = JSON.parse(process.argv[2] ?? '{}');
const store = await openPostgresResultStore({ connection });
const processor = await startDelivery({
  store,
  engine: 'kubernetes',
  namespaces: 'All',
  runUids: undefined,
  config: { notifyUrls, notifyTokenFile: undefined, artifactStores: [] },
  artifactStores: [],
  environment: {},
  logger: createLogger('silent'),
  listener: { handled: () => undefined, verified: () => undefined },
});
if (!(await processor.drain(DEADLINE_MS))) throw new Error(`not done within ${DEADLINE_MS} ms`);
await processor.stop(DEADLINE_MS);
await store.close();
