import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import type { BatchTest } from '../api/v1alpha1/schema.ts';
import { validManifest } from '../api/v1alpha1/valid-manifest.ts';
import { UsageError } from './failure.ts';
import type { ProcessContext } from './process-context.ts';

export interface LoadedManifest {
  readonly batchTest: BatchTest;
  /** What relative paths in it are relative to: its folder, or the working directory for standard input. */
  readonly directory: string;
}

/**
 * Reads a manifest from a file, or from standard input for `-`.
 * @throws UsageError when it cannot be read
 * @throws ManifestError when it is invalid
 */
export async function loadManifest(
  file: string,
  { stdin }: Pick<ProcessContext, 'stdin'>,
): Promise<LoadedManifest> {
  if (file === '-') return { batchTest: validManifest(await text(stdin), 'stdin'), directory: process.cwd() };
  return { batchTest: validManifest(await readText(file), file), directory: dirname(resolve(file)) };
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`${file}: ${whyUnreadable(error)}`);
  }
}

function whyUnreadable(error: unknown): string {
  switch (error instanceof Error && 'code' in error ? error.code : undefined) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'there is no such file';
    case 'EISDIR':
      return 'is a directory; give a manifest file, or - for standard input';
    case 'EACCES':
      return 'may not be read (permission denied)';
    default:
      return error instanceof Error ? error.message : 'cannot be read';
  }
}
