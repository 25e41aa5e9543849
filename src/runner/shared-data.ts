import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import type { BatchTest } from '../api/v1alpha1/schema.ts';
import { sharedDataPaths } from '../engine/local/shared-data-paths.ts';
import { errorCode } from '../error-code.ts';
import { RunNotResumableError, SharedDataError } from './errors.ts';
import { prepareRunDirectory, runDirectoryOf } from './runs-directory.ts';
import { treeDigest } from './tree-digest.ts';

/** Digests by name, as they are kept beside the output of a run, for when it is resumed. */
const digestsSchema = z.record(z.string(), z.string());
const FILE = 'shared-data.json';

/** @throws SharedDataError when data that a manifest names is not there, or cannot be looked at */
export function refuseMissingData(manifest: BatchTest, manifestDirectory: string): void {
  const paths = sharedDataPaths(manifest, manifestDirectory);
  const missing = (manifest.spec.sharedData ?? []).flatMap(({ name, local }, index) => {
    const path = paths.get(name);
    const problem = path === undefined ? undefined : problemAt(path);
    return problem === undefined
      ? []
      : [`spec.sharedData[${index}].local ${JSON.stringify(local)} ${problem}`];
  });
  if (missing.length > 0) throw new SharedDataError(missing.join('\n'));
}

/** The rest of a sentence about the entry; undefined when something is there. */
function problemAt(path: string): string | undefined {
  try {
    statSync(path);
    return undefined;
  } catch (error) {
    // A file in the place of a folder on the way: nothing is there, either.
    const isMissing = ['ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? '');
    return isMissing
      ? `is not there: expected a folder or a file at ${path}`
      : `cannot be read: ${reasonOf(error)}`;
  }
}

/** A run whose data is read. */
interface DataOfRun {
  readonly manifest: BatchTest;
  readonly manifestDirectory: string;
  /** Where the run's output is. */
  readonly dataDirectory: string;
  readonly uid: string;
  readonly isResumed: boolean;
}

/** What the trials of a local run read, as it was when the run began. */
export class SharedDataState {
  readonly #paths: ReadonlyMap<string, string>;
  readonly #digests: ReadonlyMap<string, string>;

  private constructor(paths: ReadonlyMap<string, string>, digests: ReadonlyMap<string, string>) {
    this.#paths = paths;
    this.#digests = digests;
  }

  /**
   * Reads all of it, before any trial does.
   * @param cancel stops the reading; what was not read is not looked at again
   * @throws SharedDataError when something cannot be read; RunNotResumableError when it is not what the run began with; EmbeddedPostgresError when what it is
   * cannot be kept
   */
  static async read(run: DataOfRun, cancel: AbortSignal): Promise<SharedDataState> {
    const { manifest, manifestDirectory } = run;
    const paths = sharedDataPaths(manifest, manifestDirectory);
    const digests = new Map<string, string>();
    for (const [name, path] of paths) {
      const digest = await treeDigest(path, cancel).catch((error: unknown) => {
        if (cancel.aborted) return undefined;
        throw new SharedDataError(`spec.sharedData: ${name} cannot be read: ${reasonOf(error)}`, {
          cause: error,
        });
      });
      if (digest !== undefined) digests.set(name, digest);
    }
    if (!cancel.aborted && digests.size > 0) await sameAsBefore(run, digests);
    return new SharedDataState(paths, digests);
  }

  /** Reads it again: what has changed, as a sentence; undefined when nothing has. */
  async changed(): Promise<string | undefined> {
    const changed: string[] = [];
    for (const [name, before] of this.#digests) {
      const path = this.#paths.get(name) ?? '';
      const now = await treeDigest(path, NEVER).catch(reasonOf);
      if (now !== before) changed.push(/^[0-9a-f]{64}$/.test(now) ? `${name} (${path})` : `${name} (${now})`);
    }
    return changed.length === 0
      ? undefined
      : `shared data has changed while the run was under way: ${changed.join(', ')}`;
  }
}

/** Reading takes as long as the disk needs; a person who waits for more than a moment is told what for. */
const NOTICE_AFTER_MS = 2_000;

/** Does something that reads all data, and tells of it when that takes long. */
export async function toldOf<T>(
  reading: () => Promise<T>,
  when: string,
  onNotice: (notice: string) => void = () => {},
): Promise<T> {
  const notice = `reading the shared data ${when}, to tell whether it changes under the trials`;
  const timer = setTimeout(() => onNotice(notice), NOTICE_AFTER_MS);
  try {
    return await reading();
  } finally {
    clearTimeout(timer);
  }
}

const NEVER = new AbortController().signal;

/** A resumed run goes on with the data that it began with, or not at all. */
async function sameAsBefore(
  { dataDirectory, uid, isResumed }: DataOfRun,
  digests: ReadonlyMap<string, string>,
): Promise<void> {
  const file = join(runDirectoryOf(dataDirectory, uid), FILE);
  const before = readDigests(file);
  if (before === undefined) {
    if (isResumed)
      throw new RunNotResumableError(
        `the run cannot go on: what its shared data was is told in ${file}, which is not there; name the data directory that the run began with`,
      );
    const text = `${JSON.stringify(Object.fromEntries(digests))}\n`;
    await prepareRunDirectory(dataDirectory, uid, { [FILE]: text });
    return;
  }
  const changed = [...digests].filter(([name, digest]) => before[name] !== digest).map(([name]) => name);
  if (changed.length > 0)
    throw new RunNotResumableError(
      `the run cannot go on: its shared data has changed since it began (${changed.join(', ')}); run the BatchTest anew, without --resume`,
    );
}

function readDigests(file: string): Readonly<Record<string, string>> | undefined {
  try {
    return digestsSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new RunNotResumableError(
      `${file} does not tell what the run's shared data was: ${reasonOf(error)}`,
      {
        cause: error,
      },
    );
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
