import { hostname } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { Command, Option } from 'commander';
import { checkDeliveryConfig } from '../../outbox/delivery-config.ts';
import { resultStoreFrom } from '../../runner/presets.ts';
import { createLogger, type LogLevel } from '../../telemetry/logger.ts';
import { type DataDirectoryFlag, dataDirectoryOption } from '../common-options.ts';
import { type DeliveryFlags, deliveryConfig, deliveryOptions } from '../delivery-options.ts';
import { duration } from '../duration.ts';
import { type IngestFlags, ingestConfig, ingestOptions } from '../ingest-options.ts';
import { untilInterrupted } from '../interruption.ts';
import { listenHost } from '../listen-host.ts';
import { type MetricsFlags, metricsEndpointOf, metricsOptions } from '../metrics-options.ts';
import { noneEmpty } from '../not-empty.ts';
import { port } from '../port.ts';
import type { ProcessContext } from '../process-context.ts';
import { dataDirectoryOf } from '../store-access.ts';

/**
 * The heap of V8 may grow by half of what is in use before rubbish is collected, instead of to up to four times as much: 10,000 trials leave a lot of it, and
 * an operator lives in a container with a limit. `npm run bench:cluster` shows memory and processor time.
 */
const SMALL_HEAP = '--heap-growing-percent=50';

/** As the help shows it. */
const DELETION_PATIENCE = '5m';

interface OperatorFlags extends DataDirectoryFlag, IngestFlags, MetricsFlags, DeliveryFlags {
  readonly namespace?: readonly string[];
  readonly kubeconfig?: string;
  readonly leaderElect: boolean;
  readonly leaseNamespace: string;
  readonly healthHost: string;
  readonly healthPort: number;
  readonly retention?: number;
  readonly deletionPatience: number;
  readonly logLevel: LogLevel;
}

export const operatorCommand = (context: ProcessContext): Command =>
  ingestOptions(
    deliveryOptions(new Command('operator'))
      .description('run the BatchTests of a cluster: one Job per attempt, every result in Postgres')
      .option('-n, --namespace <namespace...>', 'namespaces to work in (default: all)', noneEmpty)
      .option(
        '--kubeconfig <file>',
        'kubeconfig to use (default: KUBECONFIG, ~/.kube/config, the service account)',
      )
      .option('--no-leader-elect', 'lead without an election: only when no other operator runs')
      .option(
        '--lease-namespace <namespace>',
        'namespace of the Lease',
        context.environment.POD_NAMESPACE ?? 'default',
      )
      .option(
        '--health-host <address>',
        'where /healthz and /readyz listen; empty: every address',
        '127.0.0.1',
      )
      .option('--health-port <port>', 'port of /healthz and /readyz; 0 chooses one', port, 8081)
      .option(
        '--retention <age>',
        'delete results this long after the end of their run, such as 90d (default: never)',
        duration,
      )
      .addOption(
        new Option(
          '--deletion-patience <time>',
          'how long the deletion of a BatchTest waits for a database that is away; then what is not stored is lost',
        )
          .argParser(duration)
          .default(duration(DELETION_PATIENCE), DELETION_PATIENCE),
      )
      .addOption(
        new Option('--log-level <level>', 'how much is logged')
          .choices(['debug', 'info', 'warn', 'error'])
          .default('info'),
      ),
  )
    .addOption(dataDirectoryOption())
    .addOption(metricsOptions.port())
    .addOption(metricsOptions.host())
    .addOption(metricsOptions.secure())
    .addOption(metricsOptions.tlsCert())
    .addOption(metricsOptions.tlsKey())
    .addHelpText(
      'after',
      '\nResults go to DATABASE_URL when it is set, else to the embedded Postgres of\nthe data directory.',
    )
    .action(async (flags: OperatorFlags) => {
      setFlagsFromString(SMALL_HEAP);
      const resultIngest = ingestConfig(flags);
      const metrics = metricsEndpointOf(flags);
      // Loaded here, so that the help does not load it.
      const { runOperator } = await import('../../operator/operator.ts');
      const delivery = deliveryConfig(flags, context.environment);
      checkDeliveryConfig(delivery);
      const logger = createLogger(flags.logLevel);
      const { environment } = context;
      const interruption = untilInterrupted(() => logger.info('asked to stop; once more to end at once'));
      try {
        await runOperator(
          {
            kubeconfig: flags.kubeconfig,
            namespaces: flags.namespace ?? 'All',
            store: resultStoreFrom(environment, () => dataDirectoryOf(flags, environment)),
            leaseNamespace: flags.leaderElect ? flags.leaseNamespace : undefined,
            identity: environment.POD_NAME ?? hostname(),
            retentionMs: flags.retention,
            deletionPatienceMs: flags.deletionPatience,
            resultIngest,
            delivery,
            health: { host: listenHost(flags.healthHost), port: flags.healthPort },
            metrics,
            environment,
          },
          logger,
          interruption.signal,
          (ports) => logger.info(ports, 'operator started'),
        );
      } finally {
        interruption.stop();
      }
    });
