import { spawn } from 'node:child_process';

/**
 * Runs a program so many times as child processes of Node, so many at a time, with one more argument each time: the file that its result is for.
 *
 * @param {{ trials: number, parallelism: number, folder: string, program: readonly string[] }} work
 * @param {(trial: number, file: string) => Promise<void>} [store] awaited before another program starts in its place
 */
export async function runPrograms({ trials, parallelism, folder, program: [program, ...args] }, store) {
  let left = trials;
  const worker = async () => {
    while (left > 0) {
      left -= 1;
      const trial = left;
      const file = `${folder}/${trial}.json`;
      await new Promise((resolve, reject) => {
        const child = spawn(program, [...args, file], { stdio: 'ignore' });
        child.on('error', reject);
        child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`exit code ${code}`))));
      });
      await store?.(trial, file);
    }
  };
  await Promise.all(Array.from({ length: parallelism }, worker));
}
