import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { access, constants, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { acquireBuildLock } from './build-lock.ts';
import { logTail, startSupervised } from './supervised-process.ts';

/** A program that is built from the Go module proxy. */
export interface GoProgram {
  readonly name: string;
  /** Folder under test/tools whose go.mod and go.sum pin the program and all it is made of. */
  readonly moduleFolder: string;
  readonly goPackage: string;
  /** What a person can do in place of installing Go, as the end of "Install it, or …"; empty when there is nothing. */
  readonly instead: string;
}

const BUILD_FLAGS = ['-trimpath', '-buildvcs=false'];
const UNFINISHED = 'building-';

export interface BuildOptions {
  readonly environment: NodeJS.ProcessEnv;
  /** Told what is being built, as a first build takes minutes. */
  readonly report: (line: string) => void;
}

/** As for whoever runs the tests. */
export const BUILD_OPTIONS: BuildOptions = {
  environment: process.env,
  report: (line) => process.stderr.write(`${line}\n`),
};

/** This user's folder for programs built from exactly these modules' pins for this platform. It may not exist yet. */
export async function goProgramsFolder(
  kind: string,
  moduleFolders: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<string> {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch} ${BUILD_FLAGS.join(' ')}`);
  for (const moduleFolder of moduleFolders) {
    for (const file of ['go.mod', 'go.sum'])
      hash.update(await readFile(join(modulePath(moduleFolder), file)));
  }
  const cacheHome = environment.XDG_CACHE_HOME || join(environment.HOME ?? homedir(), '.cache');
  return join(cacheHome, 'batchtest', kind, hash.digest('hex').slice(0, 16));
}

function modulePath(moduleFolder: string): string {
  return join(import.meta.dirname, moduleFolder);
}

/** True for a file that may be run. */
export async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** Builds those of the programs that are not in the folder yet. Throws an error that says what to install when Go is missing or too old. */
export async function buildGoPrograms(
  programs: readonly GoProgram[],
  cacheFolder: string,
  options: BuildOptions,
): Promise<void> {
  await mkdir(cacheFolder, { recursive: true });
  const releaseLock = await acquireBuildLock(join(cacheFolder, 'build.lock'), options.report);
  try {
    await removeInterruptedBuilds(cacheFolder);
    for (const program of programs) {
      // Another process may have built it while this one waited for the lock.
      if (!(await isExecutable(join(cacheFolder, program.name))))
        await buildProgram(program, cacheFolder, options);
    }
  } finally {
    await releaseLock();
  }
}

async function removeInterruptedBuilds(cacheFolder: string): Promise<void> {
  for (const entry of await readdir(cacheFolder)) {
    if (entry.startsWith(UNFINISHED)) await rm(join(cacheFolder, entry), { force: true });
  }
}

async function buildProgram(
  { name: program, moduleFolder, goPackage, instead }: GoProgram,
  cacheFolder: string,
  options: BuildOptions,
): Promise<void> {
  const workingDirectory = modulePath(moduleFolder);
  const goMod = await readFile(join(workingDirectory, 'go.mod'), 'utf8');
  // Without cgo no C compiler is needed, and the programs depend on no library of this machine.
  const environment = { ...options.environment, CGO_ENABLED: '0', GOWORK: 'off' };
  await checkGoVersion(moduleFolder, goMod, environment, instead);

  options.report(`building ${program} for the tests, once (${goPackage})`);
  const startedAt = performance.now();
  const unfinished = join(cacheFolder, `${UNFINISHED}${program}-${randomUUID()}`);
  const logFile = join(cacheFolder, `${program}.log`);
  await rm(logFile, { force: true });
  const build = await startSupervised({
    name: `go build ${goPackage}`,
    command: 'go',
    args: ['build', ...BUILD_FLAGS, '-ldflags', linkerFlags(goMod), '-o', unfinished, goPackage],
    environment,
    workingDirectory,
    logFile,
    graceSeconds: 10,
  });
  const exitCode = await build.exited;
  if (exitCode !== 0) {
    throw new Error(`go build ${goPackage} ended with exit code ${exitCode}; ${await logTail(logFile)}`);
  }
  // Only a complete program gets its name, so an interrupted build is never taken for one.
  await rename(unfinished, join(cacheFolder, program));
  await rm(logFile, { force: true });
  options.report(`built ${program} in ${Math.round((performance.now() - startedAt) / 1000)} s`);
}

/** Strips symbols and stamps the version: unstamped, the API server reports one that clients cannot parse. */
function linkerFlags(goMod: string): string {
  const version = /^\s*k8s\.io\/kubernetes v(\d+)\.(\d+)\.(\d+)\b/m.exec(goMod);
  if (version === null) return '-s -w';
  const [, major, minor, patch] = version;
  const stamp = (name: string, value: string) => `-X k8s.io/component-base/version.${name}=${value}`;
  return [
    '-s -w',
    stamp('gitVersion', `v${major}.${minor}.${patch}`),
    stamp('gitMajor', `${major}`),
    stamp('gitMinor', `${minor}`),
  ].join(' ');
}

async function checkGoVersion(
  moduleFolder: string,
  goMod: string,
  environment: NodeJS.ProcessEnv,
  instead: string,
): Promise<void> {
  const required = /^go (\d+\.\d+(?:\.\d+)?)$/m.exec(goMod)?.[1];
  if (required === undefined) throw new Error(`test/tools/${moduleFolder}/go.mod has no "go" line`);
  const remedy =
    `Programs for the tests are built with Go ${required} or newer (test/tools/${moduleFolder}/go.mod). ` +
    `Install it from https://go.dev/dl/ and put it on PATH${instead === '' ? '' : `, or ${instead}`}.`;

  // Asked inside the module, as Go may switch to a newer toolchain for it.
  const installed = await promisify(execFile)('go', ['env', 'GOVERSION'], {
    cwd: modulePath(moduleFolder),
    env: environment,
  }).catch((cause: unknown) => {
    throw new Error(`Go cannot be run, or refuses this module. ${remedy}`, { cause });
  });
  const version = /^go(\d+\.\d+(?:\.\d+)?)/.exec(installed.stdout)?.[1];
  if (version === undefined || isOlder(version, required)) {
    throw new Error(
      `Go is ${installed.stdout.trim() || 'of an unknown version'}, which is too old. ${remedy}`,
    );
  }
}

/** Compares dotted version numbers; a missing part counts as 0. */
function isOlder(version: string, required: string): boolean {
  const parts = version.split('.').map(Number);
  const requiredParts = required.split('.').map(Number);
  for (const [index, requiredPart] of requiredParts.entries()) {
    const part = parts[index] ?? 0;
    if (part !== requiredPart) return part < requiredPart;
  }
  return false;
}
