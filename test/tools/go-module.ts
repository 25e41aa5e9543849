import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** The folder with the source of a module, at the version that test/tools/MODULE_FOLDER/go.mod pins. */
export async function goModuleSource(moduleFolder: string, module: string): Promise<string> {
  // Only looks it up when Go has it already.
  const { stdout } = await promisify(execFile)('go', ['mod', 'download', '-json', module], {
    cwd: join(import.meta.dirname, moduleFolder),
    env: { ...process.env, GOWORK: 'off' },
  });
  const { Dir: folder }: { readonly Dir: string } = JSON.parse(stdout);
  return folder;
}
