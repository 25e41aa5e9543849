import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from './markdown-page.ts';

/** The command line as it is shipped: what Node is given to run. The global setup of the tests, or `npm run build`, makes it of the source. */
export const BATCHTEST_PROGRAM = join(REPOSITORY, 'dist/cli/main.js');

/** @throws when it has not been built, with what to run */
export function requireBatchtestProgram(): void {
  if (!existsSync(BATCHTEST_PROGRAM))
    throw new Error(`${BATCHTEST_PROGRAM} is missing: run npm run build first`);
}
