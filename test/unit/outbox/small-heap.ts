/** Handles what is due in a process of its own, whose heap is as small as an operator's may become. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Connection } from '../../integration/postgres-server.ts';

/** @throws what the process ended with: an error, or a signal when its heap was too small */
export async function deliverInASmallHeap(
  connection: Connection,
  notifyUrls: readonly string[] = [],
): Promise<void> {
  const program = fileURLToPath(new URL('./delivery-program.ts', import.meta.url));
  await promisify(execFile)(process.execPath, [
    ...['--max-old-space-size=128', '--import', 'tsx', program],
    JSON.stringify({ connection, notifyUrls }),
  ]);
}
