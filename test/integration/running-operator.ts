import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { BATCHTEST_PROGRAM } from '../tools/batchtest-program.ts';
import { REPOSITORY } from '../tools/markdown-page.ts';
import { logTail, startSupervised } from '../tools/supervised-process.ts';
import { CANARY, secretsIn } from './canaries.ts';

export interface OperatorLaunch {
  /** Without one it has a service account, of which `environment` tells. */
  readonly kubeconfigPath?: string;
  /** Where it works and keeps its Lease. */
  readonly namespace: string;
  readonly databaseUrl: string;
  /** What it is told about where it works and how it is elected, when that is not what `namespace` and `elects` say. */
  readonly args?: readonly string[];
  /** Takes part in an election. */
  readonly elects?: boolean;
  /** Its name among the operators. */
  readonly identity?: string;
  /** What Node is given to run: the command line, by default. */
  readonly program?: readonly string[];
  /** Beside what every operator gets. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Further options of the command line. */
  readonly options?: readonly string[];
  readonly logFile: string;
}

/** A line of the operator's log. */
export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface HealthAnswer {
  readonly status: number;
  readonly text: string;
}

/** The operator as a process of its own, as it is started for real. It cannot outlive this one. */
export interface RunningOperator {
  readonly pid: number;
  readonly isRunning: boolean;
  /** The answer of `/healthz` or `/readyz`. */
  health(path: string): Promise<HealthAnswer>;
  untilReady(): Promise<void>;
  /** Resolves with the first line of its log that satisfies the condition. */
  untilLogged(what: string, condition: (line: LogLine) => boolean): Promise<LogLine>;
  log(): Promise<readonly LogLine[]>;
  logTail(): Promise<string>;
  /** Secrets in what it wrote and, while it runs, serves. */
  leaks(): Promise<readonly string[]>;
  /** SIGTERM; the exit code. */
  terminate(): Promise<number>;
  /** SIGKILL. Resolves when it is gone. */
  kill(): Promise<void>;
}

const DEADLINE_MS = 30_000;

/** Starts the operator; resolves when it serves its health, which is before it is ready. */
export async function startOperator(launch: OperatorLaunch): Promise<RunningOperator> {
  const { PATH, HOME, TMPDIR } = process.env;
  const supervised = await startSupervised({
    name: 'operator',
    command: process.execPath,
    args: [
      ...(launch.program ?? [BATCHTEST_PROGRAM]),
      'operator',
      ...(launch.args ?? [
        ...['--namespace', launch.namespace],
        ...(launch.elects === true ? ['--lease-namespace', launch.namespace] : ['--no-leader-elect']),
      ]),
      ...(launch.kubeconfigPath === undefined ? [] : ['--kubeconfig', launch.kubeconfigPath]),
      ...['--health-port', '0'],
      ...['--log-level', 'debug'],
      ...(launch.options ?? []),
    ],
    environment: {
      ...(PATH === undefined ? {} : { PATH }),
      ...(HOME === undefined ? {} : { HOME }),
      ...(TMPDIR === undefined ? {} : { TMPDIR }),
      DATABASE_URL: launch.databaseUrl,
      API_KEY: CANARY.operatorEnvironment,
      AWS_SECRET_ACCESS_KEY: CANARY.s3Secret,
      POD_NAME: launch.identity ?? 'operator',
      ...launch.environment,
    },
    workingDirectory: REPOSITORY,
    logFile: launch.logFile,
    graceSeconds: 5,
  });
  let isRunning = true;
  void supervised.exited.then(() => {
    isRunning = false;
  });

  const log = async (): Promise<readonly LogLine[]> => {
    const text = await readFile(launch.logFile, 'utf8').catch(() => '');
    return text
      .split('\n')
      .flatMap((line) => (line.startsWith('{') && line.endsWith('}') ? [JSON.parse(line)] : []));
  };
  const tail = () => logTail(launch.logFile, 30);
  const until = async <T>(what: string, look: () => Promise<T | undefined>): Promise<T> => {
    const deadline = performance.now() + DEADLINE_MS;
    for (;;) {
      const found = await look();
      if (found !== undefined) return found;
      if (!isRunning) throw new Error(`the operator ended before ${what}; ${await tail()}`);
      if (performance.now() > deadline)
        throw new Error(`${what}: not within ${DEADLINE_MS} ms; ${await tail()}`);
      await sleep(25);
    }
  };
  const untilLogged = (what: string, condition: (line: LogLine) => boolean) =>
    until(what, async () => (await log()).find(condition));

  const { healthPort } = await untilLogged(
    'the operator has started',
    ({ msg }) => msg === 'operator started',
  );
  const health = async (path: string): Promise<HealthAnswer> => {
    const answer = await fetch(`http://127.0.0.1:${healthPort}${path}`, {
      signal: AbortSignal.timeout(10_000),
    });
    return { status: answer.status, text: (await answer.text()).trim() };
  };
  return {
    pid: supervised.pid,
    get isRunning() {
      return isRunning;
    },
    health,
    async untilReady() {
      await until('the operator is ready', async () =>
        (await health('/readyz')).status === 200 ? true : undefined,
      );
    },
    untilLogged,
    log,
    logTail: tail,
    async leaks() {
      const metrics = isRunning ? await health('/metrics').catch(() => undefined) : undefined;
      return [
        ...secretsIn(launch.logFile, await readFile(launch.logFile, 'utf8').catch(() => '')),
        ...secretsIn('/metrics', metrics?.text ?? ''),
      ];
    },
    async terminate() {
      process.kill(supervised.pid, 'SIGTERM');
      const exitCode = await Promise.race([supervised.exited, sleep(DEADLINE_MS, undefined, { ref: false })]);
      if (exitCode !== undefined) return exitCode;
      throw new Error(`the operator did not end within ${DEADLINE_MS} ms of SIGTERM; ${await tail()}`);
    },
    async kill() {
      await supervised.kill();
    },
  };
}
