import { join } from 'node:path';
import { type BuildOptions, buildGoPrograms, goProgramsFolder } from './go-programs.ts';

/** Finds Helm in this user's cache, else builds it from the version pinned in test/tools/helm/go.mod. Gives its path. */
export async function resolveHelm(options: BuildOptions): Promise<string> {
  const folder = await goProgramsFolder('helm', ['helm'], options.environment);
  const program = { name: 'helm', moduleFolder: 'helm', goPackage: 'helm.sh/helm/v3/cmd/helm', instead: '' };
  await buildGoPrograms([program], folder, options);
  return join(folder, program.name);
}
