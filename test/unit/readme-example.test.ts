import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type PostgresServer, startPostgresServer } from '../integration/postgres-server.ts';

const repository = fileURLToPath(new URL('../..', import.meta.url));

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgresServer();
}, 120_000);
afterAll(() => server?.stop());

it('runs the TypeScript example of the README as it is written', async () => {
  const readme = readFileSync(join(repository, 'README.md'), 'utf8');
  const [, example] = /```ts\n(\/\/ batchtest-readme-example\n[\s\S]*?)```/.exec(readme) ?? [];
  if (example === undefined)
    throw new Error('README.md has no ```ts block that begins with // batchtest-readme-example');
  const folder = mkdtempSync(join(tmpdir(), 'batchtest-readme-'));
  chmodSync(folder, 0o755);
  try {
    // The package by its name, from its source: a build may not be there, or be an older one.
    const file = join(folder, 'example.mts');
    writeFileSync(
      file,
      example.replace("from 'batchtest'", `from ${JSON.stringify(join(repository, 'src/index.ts'))}`),
    );
    // The embedded server of the user who runs the tests is left alone.
    const { host, port, user, database } = await server.createDatabase();
    const query = new URLSearchParams({ host, port: String(port), user });
    const output = execFileSync(process.execPath, ['--import', 'tsx', file], {
      cwd: repository,
      encoding: 'utf8',
      env: {
        ...process.env,
        HOME: folder,
        XDG_DATA_HOME: folder,
        DATABASE_URL: `postgres:///${database}?${query}`,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    expect(output).toMatch(/^(md5|sha256|sha512) \[/);
    expect(output).toContain('1 ]');
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 });
  }
});
