/**
 * `tsx in-image-node.ts PROGRAM [ARGUMENT…]`: runs a TypeScript program in the release of Node that the operator's image has, and ends as it does.
 * What is measured is then what is shipped, whichever Node is at hand.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { nodeRelease } from '../tools/node-release.ts';
import { readOperatorImage } from '../tools/operator-image.ts';

const { nodeMajor } = await readOperatorImage();
const child = spawn(await nodeRelease(nodeMajor), ['--import', 'tsx', ...process.argv.slice(2)], {
  stdio: 'inherit',
});
// A terminal tells both of Ctrl-C.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));
const [code] = await once(child, 'exit');
process.exitCode = code ?? 1;
