/**
 * Runs a program so many times, with one more argument each time, as child processes of Node: what the local engine is compared with. A process of its own,
 * because starting a program costs the more the larger the process is that starts it.
 *
 * node bare-spawn.mjs TRIALS PARALLELISM FOLDER PROGRAM [ARGS…]
 */
import { spawn } from 'node:child_process';

const [trials, parallelism, folder, program, ...args] = process.argv.slice(2);
let left = Number(trials);
const worker = async () => {
  while (left > 0) {
    left -= 1;
    const file = `${folder}/${left}.json`;
    await new Promise((resolve, reject) => {
      const child = spawn(program, [...args, file], { stdio: 'ignore' });
      child.on('error', reject);
      child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`exit code ${code}`))));
    });
  }
};
await Promise.all(Array.from({ length: Number(parallelism) }, worker));
