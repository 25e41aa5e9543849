import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AttemptPod } from '../../../src/engine/kubernetes/attempt-pod.ts';
import type { ClusterCredentials } from '../../tools/kubeconfig.ts';
import { bundleProgram } from '../bundled-program.ts';
import type { Contender } from './contender.ts';
import type { Scenario } from './scenario.ts';
import { trialPods } from './trial-pod.ts';

/** What a loop keeps open. */
export type Unit = 'Job' | 'Pod';

/** What a loop's process is told, in this order, all but the first once for each scenario; it answers `prepare` and `take` with a message. */
export type LoopMessage =
  | {
      readonly command: 'prepare';
      readonly unit: Unit;
      readonly credentials: ClusterCredentials;
      readonly namespace: string;
    }
  | {
      readonly command: 'take';
      readonly scenario: Scenario;
      /** Of the pods of each batch, by its name. */
      readonly templates: readonly (readonly [batch: string, pod: AttemptPod])[];
    }
  | { readonly command: 'begin' | 'cancel' };

const program = fileURLToPath(new URL('./loop-main.ts', import.meta.url));

/** A loop that keeps as many Jobs or pods open as may be, in a process of its own. */
const loop = (name: string, unit: Unit): Contender => ({
  name,
  async prepare({ cluster, namespace, directory }) {
    const script = join(directory, 'loop.mjs');
    bundleProgram(program, script);
    const child = fork(script, { execArgv: [] });
    const tell = (message: LoopMessage) => child.send(message);
    const { url, certificateAuthority, token } = cluster;
    const credentials = { url, certificateAuthority, token };
    tell({ command: 'prepare', unit, credentials, namespace });
    await untilAnswered(child);
    return {
      pid: child.pid,
      async take(scenario) {
        tell({ command: 'take', scenario, templates: [...trialPods(scenario)] });
        await untilAnswered(child);
        return {
          begin: async () => {
            tell({ command: 'begin' });
          },
          cancel: async () => {
            tell({ command: 'cancel' });
          },
          finish: async () => undefined,
          ownFigures: async () => ({}),
        };
      },
      account: async () => (child.exitCode === null ? 'the loop runs' : 'the loop has ended'),
      end: () => endOf(child),
    };
  },
});

/** What a user does with a shell and `kubectl`. */
export const LOOP_OF_JOBS: Contender = loop('loop of Jobs', 'Job');
/** The floor: nothing between a free slot and the next pod. */
export const LOOP_OF_PODS: Contender = loop('loop of bare pods', 'Pod');

async function untilAnswered(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the loop ended with exit code ${code} before it was ready`);
  });
  await Promise.race([once(child, 'message'), ended]);
}

async function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
