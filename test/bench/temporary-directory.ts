import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A new directory that the unprivileged account which runs Postgres for root may enter. The caller removes it. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'batchtest-bench-'));
  chmodSync(directory, 0o755);
  return directory;
}
