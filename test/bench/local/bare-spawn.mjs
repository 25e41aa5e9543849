/**
 * Programs a second that Node alone starts and waits for, on standard output: what the local engine is compared with. A process of its own, because starting a
 * program costs the more the larger the process is that starts it.
 *
 * node bare-spawn.mjs TRIALS PARALLELISM COMMAND [ARGS…]
 */
import { spawn } from 'node:child_process';

const [trials, parallelism, command, ...args] = process.argv.slice(2);
let left = Number(trials);
const worker = async () => {
  while (left > 0) {
    left -= 1;
    await new Promise((resolve, reject) => {
      const child = spawn(command, args, { stdio: 'ignore' });
      child.on('error', reject);
      child.on('exit', resolve);
    });
  }
};
const start = performance.now();
await Promise.all(Array.from({ length: Number(parallelism) }, worker));
process.stdout.write(String(Number(trials) / ((performance.now() - start) / 1_000)));
