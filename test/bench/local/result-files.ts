import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ResultWitness } from './contender.ts';

/** A new folder in which each program leaves its result: where nobody stores it, it is seen when it is written. */
export function resultFiles(directory: string): { readonly folder: string; readonly witness: ResultWitness } {
  const folder = join(directory, 'results');
  mkdirSync(folder);
  return {
    folder,
    witness: {
      furtherProcess: () => undefined,
      async seen() {
        const written = readdirSync(folder)
          .map((name) => statSync(join(folder, name)))
          .filter(({ size }) => size > 0)
          .map(({ mtimeMs }) => mtimeMs)
          .sort((a, b) => a - b);
        return {
          firstAt: written[0] ?? Number.NaN,
          lastAt: written.at(-1) ?? Number.NaN,
          count: written.length,
          committed: 0,
        };
      },
    },
  };
}
