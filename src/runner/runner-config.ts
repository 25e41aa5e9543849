import type { DeliveryConfig } from '../outbox/delivery-config.ts';

/** Where results go: a Postgres of yours, or the embedded one in a directory. */
export type ResultStoreConfig =
  | { readonly kind: 'database'; readonly url: string }
  /** A file with the URL, such as a mounted Secret. The password is read anew for each connection. */
  | { readonly kind: 'databaseFile'; readonly path: string }
  | { readonly kind: 'embedded'; readonly dataDirectory: string };

export interface LocalRunnerConfig {
  readonly engine: 'local';
  readonly store: ResultStoreConfig;
  /** Trials leave their output and result files in `runs` below it. */
  readonly dataDirectory: string;
  /** What relative paths in a manifest are relative to. */
  readonly manifestDirectory: string;
  /** Removes the data directory when the runner is shut down. */
  readonly removeDataDirectory: boolean;
  /** Bytes that a pushed result may have (`spec.results.push`). Default: 1 MiB. */
  readonly resultLimitBytes?: number;
  /** Who is notified of the end of runs, and where artifacts are read back from beside this machine. Default: nobody, and nowhere. */
  readonly delivery?: DeliveryConfig;
}

export interface KubernetesRunnerConfig {
  readonly engine: 'kubernetes';
  /** The store that the cluster's operator writes to. */
  readonly store: ResultStoreConfig;
  /** Path of a kubeconfig; undefined: KUBECONFIG, ~/.kube/config or the pod's own service account. */
  readonly kubeconfig: string | undefined;
  /** Namespace for manifests that name none; undefined: that of the kubeconfig's current context. */
  readonly namespace: string | undefined;
}

export type RunnerConfig = LocalRunnerConfig | KubernetesRunnerConfig;
