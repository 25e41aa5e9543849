import { execFile } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { isExecutable } from './go-programs.ts';
import { resolveGoTool } from './go-tools.ts';

/** The kubectl of this machine, as any will do; where there is none, one is built, which takes minutes once. Gives its path. */
export async function resolveKubectl(): Promise<string> {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, 'kubectl');
    if (folder !== '' && (await isExecutable(path)) && (await works(path))) return path;
  }
  return resolveGoTool('kubectl');
}

const works = (path: string): Promise<boolean> =>
  promisify(execFile)(path, ['version', '--client']).then(
    () => true,
    () => false,
  );
