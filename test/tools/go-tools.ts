import { join } from 'node:path';
import { BUILD_OPTIONS, buildGoPrograms, goProgramsFolder } from './go-programs.ts';

/** Programs of which each has a module of its own, named like it, and the package that it is built from. */
const PACKAGES = {
  actionlint: 'github.com/rhysd/actionlint/cmd/actionlint',
  argo: 'github.com/argoproj/argo-workflows/v4/cmd/workflow-controller',
  helm: 'helm.sh/helm/v3/cmd/helm',
  kubectl: '.',
  kueue: 'sigs.k8s.io/kueue/cmd/kueue',
} as const;

/** Finds the program in this user's cache, else builds it from the version pinned in test/tools/NAME/go.mod. Gives its path. */
export async function resolveGoTool(name: keyof typeof PACKAGES): Promise<string> {
  const folder = await goProgramsFolder(name, [name], BUILD_OPTIONS.environment);
  await buildGoPrograms(
    [{ name, moduleFolder: name, goPackage: PACKAGES[name], instead: '' }],
    folder,
    BUILD_OPTIONS,
  );
  return join(folder, name);
}
