import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freeLoopbackPorts } from './loopback-port.ts';
import { logTail, startSupervised } from './supervised-process.ts';

/** One series of the answer to a query over a time range. */
export interface RangeSeries {
  readonly metric: Readonly<Record<string, string>>;
  /** Pairs of seconds since the epoch and a number as text. */
  readonly values: readonly (readonly [number, string])[];
}

/** A real Prometheus on loopback that scrapes one program, and itself as a program of another job, in a temporary directory. It cannot outlive this process. */
export interface PrometheusServer {
  /** The series from the start of the server until now. @throws Error with Prometheus' own words when the expression is wrong */
  range(expression: string): Promise<readonly RangeSeries[]>;
  /** The values of a label among the series of a metric. */
  labelValues(label: string, metric: string): Promise<readonly string[]>;
  /** Alerts of the rule file that are pending or firing, by name. */
  alerts(): Promise<readonly string[]>;
  stop(): Promise<void>;
}

const DEADLINE_MS = 60_000;

/**
 * Starts it with the alerts of this repository; resolves when it has scraped both once, 5 s after it answers:
 * what was counted before the first scrape has no rate.
 * @param target host and port of what is scraped each second
 */
export async function startPrometheus(target: string, ruleFile: string): Promise<PrometheusServer> {
  const directory = await mkdtemp(join(tmpdir(), 'batchtest-prometheus-'));
  const [port = 0] = await freeLoopbackPorts(1);
  const configuration = {
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
    rule_files: [ruleFile],
    // A namespace that a metric has is not that of the target.
    scrape_configs: [
      { job_name: 'batchtest', honor_labels: true, static_configs: [{ targets: [target] }] },
      { job_name: 'prometheus', static_configs: [{ targets: [`127.0.0.1:${port}`] }] },
    ],
  };
  const configFile = join(directory, 'prometheus.yml');
  // JSON is YAML.
  await writeFile(configFile, JSON.stringify(configuration));
  const logFile = join(directory, 'prometheus.log');
  const server = await startSupervised({
    name: 'prometheus',
    command: 'prometheus',
    args: [
      `--config.file=${configFile}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    environment: { PATH: process.env.PATH },
    workingDirectory: directory,
    logFile,
    graceSeconds: 10,
  });
  let exitCode: number | undefined;
  void server.exited.then((code) => {
    exitCode = code;
  });
  const stop = async () => {
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${port}`;
  const startedAt = Math.floor(Date.now() / 1_000);
  const ask = async <Data>(path: string, query: Readonly<Record<string, string>>): Promise<Data> => {
    const answer = await fetch(`${url}${path}?${new URLSearchParams(query)}`, {
      signal: AbortSignal.timeout(10_000),
    });
    const body = (await answer.json()) as {
      readonly status: string;
      readonly data: Data;
      readonly error?: string;
    };
    if (body.status !== 'success') throw new Error(`${Object.values(query).join(' ')}: ${body.error}`);
    return body.data;
  };
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const hasScraped = await ask<{ readonly activeTargets: readonly { readonly health: string }[] }>(
      '/api/v1/targets',
      { state: 'active' },
    ).then(
      ({ activeTargets }) => activeTargets.length > 0 && activeTargets.every(({ health }) => health === 'up'),
      () => false,
    );
    if (hasScraped) break;
    if (exitCode !== undefined || performance.now() > deadline) {
      const why =
        exitCode === 127
          ? 'prometheus cannot be run: install it (Debian: apt install prometheus)'
          : `prometheus did not scrape ${target}; ${await logTail(logFile)}`;
      await stop();
      throw new Error(why);
    }
    await sleep(100);
  }
  return {
    range: async (expression) => {
      const { result } = await ask<{ readonly result: readonly RangeSeries[] }>('/api/v1/query_range', {
        query: expression,
        start: String(startedAt),
        end: String(Math.ceil(Date.now() / 1_000)),
        step: '1s',
      });
      return result;
    },
    labelValues: (label, metric) =>
      ask<readonly string[]>(`/api/v1/label/${label}/values`, { 'match[]': metric }),
    alerts: async () => {
      const { alerts } = await ask<{
        readonly alerts: readonly { readonly labels: { readonly alertname: string } }[];
      }>('/api/v1/alerts', {});
      return alerts.map(({ labels }) => labels.alertname);
    },
    stop,
  };
}
