/**
 * A process that starts programs for the local engine, and ends them when the engine's process has ended without doing so, by kill -9 too.
 *
 * It is small because Node, where there is no better way, starts a program by forking itself, which takes the longer the more memory it has: 3.5 ms
 * at 108 MB, 2.1 ms at 55 MB (measured). And the engine decides and stores meanwhile.
 *
 * node launcher-main.js BATCHTEST_ENGINE=<mark>
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { optimizeLate } from '../../late-optimization.ts';
import { type AttemptLogs, closeLogs, openLogs } from './attempt-files.ts';
import { type LaunchReport, type LaunchRequest, launchFailure, MARK_VARIABLE } from './launcher-protocol.ts';
import { killMarkedPrograms } from './marked-programs.ts';
import { nodeSpawn } from './node-spawn.ts';
import { posixSpawn } from './posix-spawn.ts';
import { endGroup, signalGroup } from './process-group.ts';
import { steadyMs } from './steady-clock.ts';

/** How long programs that lost their engine may take after SIGTERM, in milliseconds. */
const GRACE_MS = 2_000;
const CHECK_MS = 50;
/** Of a program that takes no longer, start and end are told together: measured, 4 % less time for 2,000 of them. */
const STARTS_TOLD_WITHIN_MS = 5;

optimizeLate();
const mark = process.argv[2]?.slice(MARK_VARIABLE.length + 1) ?? '';
const liveGroups = new Set<number>();
const spawnProgram = posixSpawn() ?? nodeSpawn;
const inherited = { ...process.env } as Readonly<Record<string, string>>;

process.on('message', (requests: readonly LaunchRequest[]) => requests.forEach(launch));
process.once('disconnect', endEverything);

function launch(request: LaunchRequest): void {
  const { id, files } = request;
  let logs: AttemptLogs;
  try {
    logs = openLogs(files);
  } catch (error) {
    report({ kind: 'NoLogs', id, ...launchFailure(error) });
    return;
  }
  start(request, logs);
  closeLogs(logs);
}

/** In a process group of its own, without a shell. */
function start(request: LaunchRequest, { stdout, stderr }: AttemptLogs): void {
  const { id, command, args, workingDirectory } = request;
  const environment = { ...inherited, ...request.environment, [MARK_VARIABLE]: mark };
  spawnProgram(
    { command, args, workingDirectory, environment, stdout, stderr },
    {
      failed: (failure) => report({ kind: 'NotStarted', id, ...failure }),
      spawned(group) {
        const startedAt = steadyMs();
        liveGroups.add(group);
        report({ kind: 'Started', id, group, at: startedAt });
        return (exitCode) => {
          const ranMs = steadyMs() - startedAt;
          endGroup(group, () => {
            liveGroups.delete(group);
            report({ kind: 'Ended', id, exitCode, ranMs });
          });
        };
      },
    },
  );
}

let reports: LaunchReport[] = [];
let tellingNow: NodeJS.Immediate | undefined;
let tellingSoon: NodeJS.Timeout | undefined;

/**
 * Each message wakes the engine's process, and has it decide. A slot waits for an end, which is told with all else of its turn of the event loop; nothing waits
 * for a start, which is told a little later, or with the end of a program that is over by then.
 */
function report(message: LaunchReport): void {
  if (message.kind === 'Started') tellingSoon ??= setTimeout(tell, STARTS_TOLD_WITHIN_MS);
  else tellingNow ??= setImmediate(tell);
  reports.push(message);
}

function tell(): void {
  clearTimeout(tellingSoon);
  clearImmediate(tellingNow);
  tellingSoon = undefined;
  tellingNow = undefined;
  // Nobody listens any more once the engine's process has ended; `endEverything` is then under way.
  if (process.connected) process.send?.(reports, () => {});
  reports = [];
}

async function endEverything(): Promise<void> {
  const signalAll = (signal: NodeJS.Signals): void => {
    for (const group of liveGroups) signalGroup(group, signal);
  };
  signalAll('SIGTERM');
  const killAt = performance.now() + GRACE_MS;
  while (liveGroups.size > 0 && performance.now() < killAt) await sleep(CHECK_MS);
  signalAll('SIGKILL');
  killMarkedPrograms(MARK_VARIABLE, mark);
  process.exit();
}
