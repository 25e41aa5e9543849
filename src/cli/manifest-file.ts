import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { problemInManifest } from '../api/v1alpha1/manifest.ts';
import type { BatchTest } from '../api/v1alpha1/schema.ts';
import { ManifestError, validManifest } from '../api/v1alpha1/valid-manifest.ts';
import { InvalidBatchTestError } from '../core/errors.ts';
import { UsageError } from './failure.ts';
import type { ProcessContext } from './process-context.ts';

export interface LoadedManifest {
  readonly batchTest: BatchTest;
  /** What relative paths in it are relative to: its folder, or the working directory for standard input. */
  readonly directory: string;
  /** What it was read from; undefined for one that was stored. */
  readonly source?: { readonly name: string; readonly text: string };
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
  const isInput = file === '-';
  const source = isInput
    ? { name: 'stdin', text: await text(stdin) }
    : { name: file, text: await readText(file) };
  return {
    batchTest: validManifest(source.text, source.name),
    directory: isInput ? process.cwd() : dirname(resolve(file)),
    source,
  };
}

/**
 * Does something with a manifest.
 * @throws ManifestError for a mistake that only this finds, with its place in the text, as those have that its reading finds
 */
export async function withPlaces<T>({ source }: LoadedManifest, use: () => T | Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (error) {
    if (!(error instanceof InvalidBatchTestError) || source === undefined) throw error;
    const { path, problem } = error;
    throw new ManifestError([problemInManifest(source.text, source.name, { path, message: problem })]);
  }
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
