import { type Command, Option } from 'commander';
import { notEmpty } from './not-empty.ts';
import { port } from './port.ts';
import { resultLimit } from './result-limit.ts';

export const engineOption = (): Option =>
  new Option(
    '--engine <engine>',
    'where trials run: as processes of this machine, or in the current cluster',
  ).choices(['local', 'kubernetes']);

/** The options that say which cluster, and where in it. */
export const clusterOptions = (command: Command): Command =>
  command
    .option(
      '-n, --namespace <namespace>',
      'namespace, when nothing else names one (kubernetes engine)',
      notEmpty,
    )
    .option('--kubeconfig <file>', 'kubeconfig to use (kubernetes engine)');

export const resultLimitOption = (what: string): Option =>
  new Option('--result-limit <size>', what).argParser(resultLimit);

/** The same, for commands that are about a cluster only. */
export const clusterOnlyOptions = (command: Command): Command =>
  command
    .option('-n, --namespace <namespace>', "namespace (default: that of the kubeconfig's context)", notEmpty)
    .option(
      '--kubeconfig <file>',
      'kubeconfig to use (default: KUBECONFIG, ~/.kube/config, the service account)',
    );

export interface ClusterFlags {
  readonly namespace?: string;
  readonly kubeconfig?: string;
}

export const runMetricsOption = (): Option =>
  new Option(
    '--metrics-port <port>',
    'serve /metrics on 127.0.0.1 while it runs; 0 chooses a port (local engine)',
  ).argParser(port);
