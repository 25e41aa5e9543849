import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { COMMAND_LINE } from '../integration/running-operator.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const BUILT = join('dist', 'cli', 'main.js');

/**
 * What Node is given to run an operator: the built command line, which starts a second of CPU time sooner, as long as it is no older
 * than any of its sources; else the sources. A test of faults starts a hundred operators.
 */
export async function operatorProgram(): Promise<readonly string[]> {
  const built = await modifiedAt(join(REPOSITORY, BUILT));
  if (built === undefined) return COMMAND_LINE;
  const sources = await readdir(join(REPOSITORY, 'src'), { recursive: true });
  for (const source of sources) {
    if (!source.endsWith('.ts') || /\.test(suite)?\.ts$/.test(source)) continue;
    const changed = await modifiedAt(join(REPOSITORY, 'src', source));
    if (changed !== undefined && changed > built) return COMMAND_LINE;
  }
  return [BUILT];
}

const modifiedAt = (path: string): Promise<number | undefined> =>
  stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => undefined,
  );
