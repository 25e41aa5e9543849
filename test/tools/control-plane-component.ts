import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import type { ComponentLaunch } from './component-launch.ts';
import type { ControlPlaneProgram } from './control-plane-binaries.ts';
import { logTail, type SupervisedProcess, startSupervised } from './supervised-process.ts';

/** One program of a control plane, to be stopped, crashed and started again by a test of faults. */
export interface ControlPlaneComponent {
  readonly name: ControlPlaneProgram;
  /** Undefined while it does not run. */
  readonly pid: number | undefined;
  /** Everything it has printed, over all its starts. */
  readonly logFile: string;
  /** Resolves when it answers its readiness check; on the same port and with the same data as before. */
  start(): Promise<void>;
  /** Ends it in an orderly way (SIGTERM, and SIGKILL after 5 s). Nothing happens when it does not run. */
  stop(): Promise<void>;
  /** Ends it like a crash, with SIGKILL. Nothing happens when it does not run. */
  kill(): Promise<void>;
}

const READY_DEADLINE_MS = 90_000;
const READY_POLL_MS = 25;
const STOP_GRACE_SECONDS = 5;

/** Describes a component; `start` starts it. */
export function createComponent(
  name: ControlPlaneProgram,
  binary: string,
  launch: ComponentLaunch,
  directory: string,
): ControlPlaneComponent {
  const logFile = join(directory, `${name}.log`);
  let running: SupervisedProcess | undefined;

  return {
    name,
    logFile,
    get pid() {
      return running?.pid;
    },
    async start() {
      if (running !== undefined) throw new Error(`${name} runs already`);
      const started = await startSupervised({
        name,
        command: binary,
        args: launch.args,
        // Nothing of the surrounding shell (proxies, KUBECONFIG, cloud credentials) should reach a control plane. A
        // home of its own, as KWOK keeps a configuration there.
        environment: { HOME: directory, PATH: '/usr/bin:/bin' },
        workingDirectory: directory,
        logFile,
        graceSeconds: STOP_GRACE_SECONDS,
      });
      running = started;
      started.exited.then(() => {
        if (running === started) running = undefined;
      });
      try {
        await waitUntilReady(started, launch.readinessUrl);
      } catch (cause) {
        await started.stop();
        throw new Error(`${name} did not start; ${await logTail(logFile)}`, { cause });
      }
    },
    async stop() {
      await running?.stop();
    },
    async kill() {
      await running?.kill();
    },
  };
}

async function waitUntilReady(component: SupervisedProcess, url: string): Promise<void> {
  // Only asks whether something answers, on loopback, and sends no credentials: certificates need no check.
  const agent = new Agent({ connect: { rejectUnauthorized: false } });
  const deadline = performance.now() + READY_DEADLINE_MS;
  let exitCode: number | undefined;
  component.exited.then((code) => {
    exitCode = code;
  });
  try {
    let answer = await readinessAnswer(agent, url);
    while (answer !== 'ready') {
      if (exitCode !== undefined) throw new Error(`it ended with exit code ${exitCode} before it was ready`);
      if (performance.now() > deadline) {
        throw new Error(`not ready after ${READY_DEADLINE_MS / 1000} s; ${url}: ${answer}`);
      }
      await sleep(READY_POLL_MS);
      answer = await readinessAnswer(agent, url);
    }
  } finally {
    await agent.close();
  }
}

async function readinessAnswer(agent: Agent, url: string): Promise<string> {
  try {
    const response = await request(url, { dispatcher: agent, headersTimeout: 5_000, bodyTimeout: 5_000 });
    const text = await response.body.text();
    return response.statusCode === 200 ? 'ready' : `${response.statusCode} ${text.slice(0, 500)}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
