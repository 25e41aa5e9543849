import { readdirSync, readFileSync } from 'node:fs';
import { errorCode } from '../../error-code.ts';

/** How long killed processes may take to end, in milliseconds: what waits for a disk that does not answer cannot be waited for. */
const END_LIMIT_MS = 10_000;
const FIRST_CHECK_MS = 2;
const LONGEST_CHECK_MS = 200;

/** What became of a signal to a group: nothing is left of it; or all that is left of it belongs to another user. */
export type SignalOutcome = 'Sent' | 'Gone' | 'NotPermitted';

/** Sends a signal to every process of a group that may be signalled. */
export function signalGroup(group: number, signal: NodeJS.Signals | 0): SignalOutcome {
  try {
    process.kill(-group, signal);
    return 'Sent';
  } catch (error) {
    // macOS says EPERM of a group in which only zombies are left.
    return errorCode(error) === 'EPERM' && process.platform === 'linux' ? 'NotPermitted' : 'Gone';
  }
}

/**
 * Kills what is left of a group whose first process has ended, as the end of a container's first process does, and calls `onGone`
 * once nothing is left: at once in the ordinary case.
 */
export function endGroup(group: number, onGone: () => void): void {
  // What another user's programs leave behind is not waited for: this cannot end it.
  if (signalGroup(group, 'SIGKILL') !== 'Sent') {
    onGone();
    return;
  }
  const giveUpAt = performance.now() + END_LIMIT_MS;
  const checkIn = (delayMs: number): void => {
    setTimeout(() => {
      if (signalGroup(group, 0) !== 'Sent' || hasOnlyZombies(group) || performance.now() >= giveUpAt)
        onGone();
      else checkIn(Math.min(delayMs * 2, LONGEST_CHECK_MS));
    }, delayMs);
  };
  checkIn(FIRST_CHECK_MS);
}

/**
 * Where nobody collects orphans, as in a container without an init, ended processes stay listed for ever. Told from /proc, so
 * always false where there is none.
 */
function hasOnlyZombies(group: number): boolean {
  try {
    const processes = readdirSync('/proc').filter((entry) => /^[0-9]+$/.test(entry));
    return !processes.some((pid) => isLiveMember(pid, group));
  } catch {
    return false;
  }
}

function isLiveMember(pid: string, group: number): boolean {
  try {
    // proc_pid_stat(5): pid (command) state parent group …; the command may hold blanks and parentheses.
    const status = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const [state, , memberOf] = status.slice(status.lastIndexOf(')') + 2).split(' ');
    return Number(memberOf) === group && state !== 'Z' && state !== 'X';
  } catch {
    // It has ended since it was listed.
    return false;
  }
}
