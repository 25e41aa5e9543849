import { chmodSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../../error-code.ts';

/** Gives back the right to change folders, which programs take away as well: Go does, of the modules that it keeps. Changes nothing that is no folder. */
export function makeWritable(path: string): void {
  try {
    if (!lstatSync(path).isDirectory()) return;
    chmodSync(path, 0o700);
    for (const entry of readdirSync(path, { withFileTypes: true }))
      if (entry.isDirectory()) makeWritable(join(path, entry.name));
  } catch (error) {
    // What could be removed still goes, after the first failure.
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}
