import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NotDataError, treeDigest } from './tree-digest.ts';

const NEVER = new AbortController().signal;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'batchtest-tree-'));
  mkdirSync(join(folder, 'data/sub'), { recursive: true });
  writeFileSync(join(folder, 'data/a'), 'one');
  writeFileSync(join(folder, 'data/sub/b'), 'two');
  writeFileSync(join(folder, 'outside'), 'three');
  symlinkSync('../outside', join(folder, 'data/link'));
  symlinkSync('nowhere', join(folder, 'data/dangling'));
  symlinkSync('..', join(folder, 'data/sub/up'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const at = (path: string): string => join(folder, path);
const digest = (path = 'data') => treeDigest(at(path), NEVER);

describe('the digest of a folder', () => {
  it.each<readonly [change: string, make: () => void]>([
    ['a content', () => writeFileSync(at('data/sub/b'), 'twO')],
    ['a file more', () => writeFileSync(at('data/sub/c'), '')],
    ['a file less', () => unlinkSync(at('data/a'))],
    ['a folder more', () => mkdirSync(at('data/empty'))],
    ['another name', () => renameSync(at('data/a'), at('data/z'))],
    ['another place', () => renameSync(at('data/a'), at('data/sub/a'))],
    ['what a link leads to', () => writeFileSync(at('outside'), 'four')],
    [
      'where a link leads that leads nowhere',
      () => {
        unlinkSync(at('data/dangling'));
        symlinkSync('elsewhere', at('data/dangling'));
      },
    ],
    [
      'a folder in the place of a file',
      () => {
        unlinkSync(at('data/a'));
        mkdirSync(at('data/a'));
      },
    ],
  ])('changes with %s', async (_, make) => {
    const before = await digest();
    make();
    expect(await digest()).not.toBe(before);
  });

  it('does not change with times, permissions or where the folder is', async () => {
    const before = await digest();
    expect(await digest()).toBe(before);
    utimesSync(at('data/a'), 1, 1);
    chmodSync(at('data/a'), 0o600);
    mkdirSync(at('moved'));
    renameSync(at('outside'), at('moved/outside'));
    renameSync(at('data'), at('moved/data'));
    expect(await digest('moved/data')).toBe(before);
  });

  it('reads each folder once, however many ways lead to it through links, and changes with what is in it', async () => {
    // As pnpm lays out packages: each links to two others, so that the ways double with every second package.
    const packages = 60;
    for (let index = 0; index < packages; index += 1) {
      mkdirSync(at(`data/p${index}/node_modules`), { recursive: true });
      writeFileSync(at(`data/p${index}/index.js`), 'x');
      for (const other of [index + 1, index + 2].filter((one) => one < packages))
        symlinkSync(`../../p${other}`, at(`data/p${index}/node_modules/p${other}`));
    }
    const before = await digest();
    expect(await digest()).toBe(before);
    writeFileSync(at(`data/p${packages - 1}/index.js`), 'y');
    const changed = await digest();
    expect(changed).not.toBe(before);
    unlinkSync(at('data/p3/node_modules/p5'));
    symlinkSync('../../p6', at('data/p3/node_modules/p5'));
    expect(await digest()).not.toBe(changed);
  });

  it('is the same as in earlier versions, which a run may have begun with', async () => {
    writeFileSync(at('data/ü'), '');
    writeFileSync(at('data/z'), '');
    writeFileSync(at('data/\u{1f980}'), '');
    writeFileSync(at('data/\uff01'), '');
    expect(await digest()).toBe('dc94acff716f1e056f30bcc6cc5e14cd0d66dea7c593635709396f5312852e5c');
  });

  // Elsewhere a file system may take no such names.
  it.runIf(process.platform === 'linux')('counts names that are not UTF-8 by their bytes', async () => {
    const bytesAt = (name: string) => Buffer.concat([Buffer.from(at('data/')), Buffer.from(name, 'latin1')]);
    writeFileSync(bytesAt('caf\xe9'), 'one');
    writeFileSync(bytesAt('caf\xe8'), 'two');
    mkdirSync(bytesAt('d\xfcr'));
    writeFileSync(bytesAt('d\xfcr/inside'), '');
    symlinkSync(bytesAt('n\xfcrgends'), at('data/into'));
    const before = await digest();
    expect(await digest()).toBe(before);
    renameSync(bytesAt('caf\xe9'), bytesAt('caf\xea'));
    const renamed = await digest();
    expect(renamed).not.toBe(before);
    writeFileSync(bytesAt('caf\xe8'), 'twO');
    expect(await digest()).not.toBe(renamed);
  });

  it('tells a tree from one whose names and contents only look alike in a row', async () => {
    mkdirSync(at('one'));
    writeFileSync(at('one/a'), 'b');
    mkdirSync(at('two'));
    writeFileSync(at('two/ab'), '');
    expect(await digest('one')).not.toBe(await digest('two'));
  });
});

it('is that of the content for a single file, through a link as well', async () => {
  symlinkSync('data', at('through'));
  expect(await digest('through')).toBe(await digest());
  writeFileSync(at('same'), 'one');
  expect(await digest('same')).toBe(await digest('data/a'));
});

it('refuses what is no data instead of waiting for it', async () => {
  execFileSync('/bin/sh', ['-c', 'mkfifo "$1"', 'sh', at('data/fifo')]);
  await expect(digest()).rejects.toThrow(
    new NotDataError(`${at('data/fifo')} is neither a file nor a folder`),
  );
  await expect(treeDigest('/dev/zero', NEVER)).rejects.toThrow(NotDataError);
});

it('stops when it is told to', async () => {
  const stop = new AbortController();
  stop.abort(new Error('enough'));
  await expect(treeDigest(at('data'), stop.signal)).rejects.toThrow('enough');
});

it('holds little of a large file in memory', async () => {
  const file = at('large');
  writeFileSync(file, '');
  truncateSync(file, 300 * 1_024 * 1_024);
  const script = `
    import { treeDigest } from ${JSON.stringify(join(import.meta.dirname, 'tree-digest.ts'))};
    await treeDigest(${JSON.stringify(file)}, new AbortController().signal);
    console.log(process.resourceUsage().maxRSS);`;
  const kibibytes = (path: string) =>
    Number(
      execFileSync(
        process.execPath,
        ['--import', 'tsx', '--input-type=module', '-e', script.replace(file, path)],
        {
          encoding: 'utf8',
          cwd: join(import.meta.dirname, '../..'),
        },
      ),
    );
  expect(kibibytes(file) - kibibytes(at('data/a'))).toBeLessThan(150 * 1_024);
});
