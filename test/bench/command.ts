import { spawnSync } from 'node:child_process';
import { median } from 'simple-statistics';
import { BATCHTEST_PROGRAM, requireBatchtestProgram } from '../tools/batchtest-program.ts';
import { REPOSITORY } from '../tools/markdown-page.ts';
import type { Figure } from './figure.ts';

const TIMES = 7;

/** What everybody waits for who types a command. Needs `npm run build`. */
export function benchCommand(): readonly Figure[] {
  requireBatchtestProgram();
  // The first one reads the files from the disk.
  validateMs();
  return [
    {
      name: 'batchtest validate of a small manifest, from start to exit',
      value: median(Array.from({ length: TIMES }, validateMs)),
      unit: 'ms',
      budget: { atMost: 500 },
    },
  ];
}

function validateMs(): number {
  const args = [BATCHTEST_PROGRAM, 'validate', 'examples/compression/batchtest.yaml'];
  const begunAt = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: REPOSITORY, encoding: 'utf8' });
  if (status !== 0) throw new Error(`batchtest ended with ${status}: ${stderr}`);
  return performance.now() - begunAt;
}
