import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * A manifest of two variants: `quick` succeeds at once; `stubborn` and the process that it starts refuse to end when they are asked to,
 * and leave their process ids in `folder`.
 */
export const stubbornManifest = (name: string, folder: string, graceSeconds: number): string =>
  JSON.stringify({
    apiVersion: 'batchtest.dev/v1alpha1',
    kind: 'BatchTest',
    metadata: { name },
    spec: {
      parallelism: 2,
      variants: [
        { name: 'quick', parameters: { MODE: 'quick' } },
        { name: 'stubborn', parameters: { MODE: 'stubborn' } },
      ],
      template: {
        spec: {
          terminationGracePeriodSeconds: graceSeconds,
          containers: [{ name: 'test', image: 'none', command: ['/bin/sh', '-c', PROGRAM, 'sh', folder] }],
        },
      },
      objective: { metrics: [{ name: 'm', goal: 'maximize' }] },
    },
  });

/** In a container's command `$$$$` is `$$`, the shell's own process id. */
const PROGRAM = `
if [ "$MODE" = quick ]; then echo '{"metrics":{"m":1}}' > "$BATCHTEST_RESULT_FILE"; exit; fi
trap '' TERM INT HUP
(while :; do sleep 0.1; done) &
echo "$$$$ $!" > "$1/pids.part" && mv "$1/pids.part" "$1/pids"
while :; do sleep 0.1; done
`;

/** The ids of the stubborn program and of what it started, once both are there. */
export async function stubbornProcesses(folder: string): Promise<readonly number[]> {
  const file = join(folder, 'pids');
  for (const deadline = Date.now() + 20_000; !existsSync(file); await sleep(20))
    if (Date.now() > deadline) throw new Error('the stubborn program has not started within 20 s');
  return readFileSync(file, 'utf8').trim().split(' ').map(Number);
}

/** Those of the processes that run. One that has ended and that nobody collects does not. */
export function runningOf(pids: readonly number[]): readonly number[] {
  return pids.filter((pid) => {
    try {
      return !execFileSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).startsWith('Z');
    } catch {
      // ps fails when there is no such process.
      return false;
    }
  });
}
