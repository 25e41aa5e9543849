import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Contender } from './contender.ts';
import { resultFiles } from './result-files.ts';
import { PROGRAM } from './work.ts';

/** A shell's way. */
export const XARGS: Contender = {
  name: 'xargs -P',
  keeps: 'nothing',
  versions: {},
  async prepare() {
    await promisify(execFile)('xargs', ['--version']).catch((cause: unknown) => {
      throw new Error('xargs cannot be run: install GNU findutils (Debian: apt install findutils)', {
        cause,
      });
    });
  },
  launch({ trials, parallelism }, directory) {
    const { folder, witness } = resultFiles(directory);
    return {
      command: '/bin/sh',
      args: [
        '-c',
        'trials=$1; shift; seq "$trials" | xargs "$@"',
        'sh',
        String(trials),
        '-P',
        String(parallelism),
        // Not the usual {}, which could occur in the program.
        '-I%',
        ...PROGRAM,
        `${folder}/%.json`,
      ],
      witness,
    };
  },
};
