import { spawnSync } from 'node:child_process';
import { VERSION } from '../../src/version.ts';

/** Of this program, with the commit that it is of, where it is in a Git repository; `-dirty` says that files have changed since. */
export function measuredVersion(): string {
  const { status, stdout } = spawnSync('git', ['describe', '--always', '--dirty', '--exclude=*'], {
    cwd: import.meta.dirname,
    encoding: 'utf8',
  });
  return status === 0 ? `${VERSION} (${stdout.trim()})` : VERSION;
}
