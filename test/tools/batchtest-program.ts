import { join } from 'node:path';
import { REPOSITORY } from './markdown-page.ts';

/** The command line as it is shipped: what Node is given to run. The global setup of the tests, or `npm run build`, makes it of the source. */
export const BATCHTEST_PROGRAM = join(REPOSITORY, 'dist/cli/main.js');
