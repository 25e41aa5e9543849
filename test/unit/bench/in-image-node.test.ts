import { execFile } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { temporaryDirectory } from '../../bench/temporary-directory.ts';
import { readOperatorImage } from '../../tools/operator-image.ts';

const PROGRAM = `
const major: string | undefined = process.versions.node.split('.')[0];
console.log(major, process.argv[2]);
process.exitCode = 3;
`;

it('runs a program in the major release of Node that the image has, and ends as it does', async () => {
  const directory = temporaryDirectory();
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const program = join(directory, 'program.ts');
  writeFileSync(program, PROGRAM);
  const run = promisify(execFile)('npx', ['tsx', 'test/bench/in-image-node.ts', program, '--an-option']);
  const { nodeMajor } = await readOperatorImage();
  await expect(run).rejects.toMatchObject({ code: 3, stdout: `${nodeMajor} --an-option\n`, stderr: '' });
}, 120_000);
