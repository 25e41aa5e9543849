import type { BatchTestManifest } from '../api/v1alpha1/schema.ts';
import { validManifest } from '../api/v1alpha1/valid-manifest.ts';
import { type DryRun, dryRun, withServerCheck } from '../parity/dry-run.ts';
import { type RunStatus, runStatus } from '../report/run-status.ts';
import type { KubernetesRunner } from './kubernetes-runner.ts';
import { OpenedOnce } from './opened-once.ts';
import type { Environment } from './presets.ts';
import type { BatchTestRunner, RunOptions, RunResult, WaitOptions } from './runner.ts';
import type { KubernetesRunnerConfig } from './runner-config.ts';
import { RunsUnderWay } from './runs-under-way.ts';
import { StoredResults } from './stored-results.ts';
import type { ClusterOptions, WatchOutcome } from './watched-run.ts';

/**
 * The runner of a cluster. Its modules are loaded with its first use: what talks to a cluster is a fifth of the memory of a local run that never uses it,
 * and starting a program costs the more the larger the process is that starts it.
 */
export class ClusterRunner implements BatchTestRunner {
  /** In the database of the operator, when the configuration names that. */
  readonly results: StoredResults;
  readonly #options: ClusterOptions;
  readonly #runner: OpenedOnce<KubernetesRunner>;
  readonly #waits = new RunsUnderWay();

  constructor(config: KubernetesRunnerConfig, environment: Environment) {
    const { kubeconfig, namespace } = config;
    this.#options = { kubeconfig, namespace, environment };
    this.#runner = new OpenedOnce(
      async () => {
        const { KubernetesRunner } = await import('./kubernetes-runner.ts');
        return new KubernetesRunner(config, environment);
      },
      (runner) => runner.shutdown(),
    );
    this.results = new StoredResults(async () => (await this.#runner.get()).store());
  }

  async run(batchTest: BatchTestManifest, options?: RunOptions): Promise<RunResult> {
    return (await this.#runner.get()).run(batchTest, options);
  }

  /** As every runner's, and the API server is asked whether it would admit the BatchTest, a Job and its pod. Nothing is created. */
  async dryRun(batchTest: BatchTestManifest): Promise<DryRun> {
    const manifest = validManifest(batchTest);
    const run = dryRun(manifest, manifest.metadata.namespace ?? this.#options.namespace);
    const { serverDryRun } = await import('./server-dry-run.ts');
    return withServerCheck(run, await serverDryRun(manifest, this.#options));
  }

  /**
   * What a run of the cluster does now, told by its object alone: what `batchtest status -o json` prints.
   * @param name of the BatchTest
   * @throws NoSuchRunError when there is none of that name
   * @throws ClusterUnavailableError
   */
  async status(name: string): Promise<RunStatus> {
    const { clusterRun } = await import('./watched-run.ts');
    return runStatus(await clusterRun(name, this.#options));
  }

  /**
   * Waits for the end of a run of the cluster, told by its object alone. The run goes on when the waiting is ended, also by the shutdown of
   * this runner.
   * @param name of the BatchTest
   * @throws NoSuchRunError when there is none of that name to begin with
   * @throws ClusterUnavailableError when the cluster cannot be reached to begin with; later on that is waited for
   */
  async wait(name: string, { signal, onChange, onNotice }: WaitOptions = {}): Promise<WatchOutcome> {
    const { watchedRun } = await import('./watched-run.ts');
    return this.#waits.track(signal, (end) =>
      watchedRun(name, this.#options, {
        signal: end,
        ...(onChange === undefined ? {} : { onChange: (object) => onChange(runStatus(object)) }),
        ...(onNotice === undefined ? {} : { onNotice }),
      }),
    );
  }

  async cancel(name: string): Promise<string> {
    const { cancelClusterRun } = await import('./cancel-cluster-run.ts');
    const { kubeconfig, namespace, environment } = this.#options;
    return cancelClusterRun(name, {
      namespace,
      environment,
      ...(kubeconfig === undefined ? {} : { kubeconfig }),
    });
  }

  async shutdown(): Promise<void> {
    await this.#waits.end();
    await this.#runner.close();
  }
}
