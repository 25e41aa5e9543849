import { execFile } from 'node:child_process';
import { copyFile, mkdir, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

/** Copies a program of this machine, and what it is linked with, into a folder that becomes an image's root. */
export async function copyProgram(program: string, folder: string, place: string): Promise<void> {
  await copyInto(program, join(folder, place));
  for (const library of await linkedLibraries(program)) await copyInto(library, join(folder, library));
}

/** A shell and the usual commands, in one program without libraries. */
export async function copyShell(folder: string): Promise<void> {
  await copyInto('/bin/busybox', join(folder, 'bin', 'busybox'));
  const { stdout } = await promisify(execFile)('/bin/busybox', ['--list']);
  for (const command of stdout.trim().split('\n'))
    if (command !== 'busybox') await symlink('busybox', join(folder, 'bin', command));
}

/** The files that the dynamic linker would load, by `ldd`. */
async function linkedLibraries(program: string): Promise<readonly string[]> {
  const { stdout } = await promisify(execFile)('ldd', [program]);
  return stdout.split('\n').flatMap((line) => /(?:=> |^\s*)(\/\S+) \(0x/.exec(line)?.[1] ?? []);
}

async function copyInto(file: string, place: string): Promise<void> {
  await mkdir(dirname(place), { recursive: true });
  await copyFile(file, place);
}
