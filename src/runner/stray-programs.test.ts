import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { straysAfter } from './stray-programs.ts';

/** A program that was told to leave its result in this file. */
function aProgram(resultFile: string) {
  const program = spawn('sleep', ['60'], {
    env: { PATH: process.env.PATH, BATCHTEST_RESULT_FILE: resultFile },
    stdio: 'ignore',
  });
  onTestFinished(() => {
    program.kill('SIGKILL');
  });
  return program;
}

describe.runIf(process.platform === 'linux')('stray programs', () => {
  it('are waited for until they have ended', async () => {
    const program = aProgram('/nowhere/runs/a/one.result.json');
    await once(program, 'spawn');
    let hasEnded = false;
    program.once('exit', () => {
      hasEnded = true;
    });
    const waiting = straysAfter('/nowhere/runs/a', 30_000);
    program.kill('SIGKILL');
    expect(await waiting).toEqual([]);
    expect(hasEnded).toBe(true);
  });

  it('are named when they outlast the deadline, those of other runs not', async () => {
    const program = aProgram('/nowhere/runs/b/one.result.json');
    const other = aProgram('/nowhere/runs/bb/one.result.json');
    await Promise.all([once(program, 'spawn'), once(other, 'spawn')]);
    expect(await straysAfter('/nowhere/runs/b', 0)).toEqual([program.pid]);
    expect(await straysAfter('/nowhere/runs/c', 0)).toEqual([]);
  });
});
