import { execFile } from 'node:child_process';
import { copyFile, cp, mkdir, readdir, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';

/** Copies a program of this machine, and what it is linked with, into a folder that becomes an image's root. */
export async function copyProgram(program: string, folder: string, place: string): Promise<void> {
  await copyInto(program, join(folder, place));
  for (const library of await linkedLibraries([program])) await copyInto(library, join(folder, library));
}

/** A Python as it is on this machine, and in an image that has it. */
export interface CopiedPython {
  readonly interpreter: string;
  /** For PYTHONPATH. */
  readonly packages: string;
}

/**
 * Copies the Python behind a virtual environment, its standard library, the packages of the environment and what all of them are linked with
 * into a folder that becomes an image's root.
 */
export async function copyPython(environmentPython: string, folder: string): Promise<CopiedPython> {
  const { stdout } = await promisify(execFile)(environmentPython, [
    '-c',
    'import json, os, sys, sysconfig; print(json.dumps([os.path.realpath(sys.executable), *map(sysconfig.get_path, ["stdlib", "platstdlib", "purelib"])]))',
  ]);
  const [interpreter, library, platformLibrary, installed]: [string, string, string, string] =
    JSON.parse(stdout);
  const packages = '/packages';
  await copyProgram(interpreter, folder, interpreter);
  // It finds its standard library by its own place.
  for (const from of new Set([library, platformLibrary])) await copyModules(from, join(folder, from));
  await copyModules(installed, join(folder, packages));
  const modules = await Promise.all([library, platformLibrary, installed].map(sharedObjects));
  // What packages bring along they find by their own place as well.
  for (const linked of await linkedLibraries(modules.flat()))
    if (!linked.startsWith(installed)) await copyInto(linked, join(folder, linked));
  return { interpreter, packages };
}

/** What a program has no use for, or is given otherwise. */
const NOT_COPIED = ['__pycache__', 'site-packages', 'dist-packages', 'test', 'tests'];

const copyModules = (from: string, to: string): Promise<void> =>
  cp(from, to, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (file) => file === from || !NOT_COPIED.includes(basename(file)),
  });

async function sharedObjects(folder: string): Promise<readonly string[]> {
  const files = await readdir(folder, { recursive: true });
  return files.filter((file) => /\.so(\.|$)/.test(file)).map((file) => join(folder, file));
}

/** A shell and the usual commands, in one program without libraries. */
export async function copyShell(folder: string): Promise<void> {
  await copyInto('/bin/busybox', join(folder, 'bin', 'busybox'));
  const { stdout } = await promisify(execFile)('/bin/busybox', ['--list']);
  for (const command of stdout.trim().split('\n'))
    if (command !== 'busybox') await symlink('busybox', join(folder, 'bin', command));
}

/** The files that the dynamic linker would load, by `ldd`. */
async function linkedLibraries(files: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await promisify(execFile)('ldd', [...files], { maxBuffer: 2 ** 26 });
  const found = stdout.split('\n').flatMap((line) => /(?:=> |^\s*)(\/\S+) \(0x/.exec(line)?.[1] ?? []);
  return [...new Set(found)];
}

async function copyInto(file: string, place: string): Promise<void> {
  await mkdir(dirname(place), { recursive: true });
  await copyFile(file, place);
}
