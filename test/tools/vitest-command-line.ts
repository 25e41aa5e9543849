import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { REPOSITORY } from './markdown-page.ts';

/** Before the tests that start the command line: it is that of the source as it is now, in the form in which it is shipped. */
export default async function setUp(): Promise<void> {
  await promisify(execFile)('npx', ['tsx', 'scripts/bundle-command-line.ts'], { cwd: REPOSITORY });
}
