import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  BUILD_OPTIONS,
  type BuildOptions,
  buildGoPrograms,
  type GoProgram,
  goProgramsFolder,
  isExecutable,
} from './go-programs.ts';

/** The programs of the control plane, in the order in which they start. */
export const CONTROL_PLANE_PROGRAMS = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kwok',
] as const;

const INSTEAD = `set KUBEBUILDER_ASSETS to a folder that holds ${CONTROL_PLANE_PROGRAMS.join(', ')}`;

export type ControlPlaneProgram = (typeof CONTROL_PLANE_PROGRAMS)[number];

/** Absolute path of each program. */
export type ControlPlaneBinaries = Readonly<Record<ControlPlaneProgram, string>>;

const SOURCES: Readonly<Record<ControlPlaneProgram, Pick<GoProgram, 'moduleFolder' | 'goPackage'>>> = {
  etcd: { moduleFolder: 'kubernetes', goPackage: 'go.etcd.io/etcd/server/v3' },
  'kube-apiserver': { moduleFolder: 'kubernetes', goPackage: 'k8s.io/kubernetes/cmd/kube-apiserver' },
  'kube-controller-manager': {
    moduleFolder: 'kubernetes',
    goPackage: 'k8s.io/kubernetes/cmd/kube-controller-manager',
  },
  'kube-scheduler': { moduleFolder: 'kubernetes', goPackage: 'k8s.io/kubernetes/cmd/kube-scheduler' },
  kwok: { moduleFolder: 'kwok', goPackage: 'sigs.k8s.io/kwok/cmd/kwok' },
};

/**
 * Finds the programs of the control plane: in the folder that `KUBEBUILDER_ASSETS` names, else in this user's cache,
 * else by building them with Go from the versions pinned in go.mod and go.sum (minutes the first time, then never
 * again until the pins change). Throws an error that says what to install when Go is missing or too old.
 */
export async function resolveControlPlaneBinaries(options: BuildOptions): Promise<ControlPlaneBinaries> {
  const cacheFolder = await controlPlaneCacheFolder(options.environment);
  const given = options.environment.KUBEBUILDER_ASSETS;
  const folders = given === undefined || given === '' ? [cacheFolder] : [given, cacheFolder];
  const found = await findPrograms(folders);
  const missing = CONTROL_PLANE_PROGRAMS.filter((program) => found[program] === undefined);
  if (missing.length > 0)
    await buildGoPrograms(
      missing.map((name) => ({ name, ...SOURCES[name], instead: INSTEAD })),
      cacheFolder,
      options,
    );

  const pathOf = (program: ControlPlaneProgram) => found[program] ?? join(cacheFolder, program);
  return {
    etcd: pathOf('etcd'),
    'kube-apiserver': pathOf('kube-apiserver'),
    'kube-controller-manager': pathOf('kube-controller-manager'),
    'kube-scheduler': pathOf('kube-scheduler'),
    kwok: pathOf('kwok'),
  };
}

/** This user's folder for the programs built from exactly these pins for this platform. It may not exist yet. */
export const controlPlaneCacheFolder = (environment: NodeJS.ProcessEnv): Promise<string> =>
  goProgramsFolder('control-plane', ['kubernetes', 'kwok'], environment);

async function findPrograms(
  folders: readonly string[],
): Promise<Readonly<Partial<Record<ControlPlaneProgram, string>>>> {
  const found: Partial<Record<ControlPlaneProgram, string>> = {};
  for (const program of CONTROL_PLANE_PROGRAMS) {
    for (const folder of folders) {
      if (found[program] === undefined && (await isExecutable(join(folder, program)))) {
        found[program] = join(folder, program);
      }
    }
  }
  return found;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await resolveControlPlaneBinaries(BUILD_OPTIONS);
  process.stdout.write(`${await controlPlaneCacheFolder(process.env)}\n`);
}
