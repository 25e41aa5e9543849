import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

const RESULT = '{"metrics":{"x":1}}';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'batchtest-left-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What a process says that may have few files open, and that has all of them open at first in a function `takeAll` when it calls that. */
function saidWithFewFiles(script: string): unknown {
  const source = (name: string): string => JSON.stringify(new URL(name, import.meta.url).href);
  const whole = `
    import { closeSync, openSync } from 'node:fs';
    import { ArtifactCollector } from ${source('./artifact-collection.ts')};
    import { attemptFiles } from ${source('./attempt-files.ts')};
    import { readLeft } from ${source('./left-by-program.ts')};
    const folder = ${JSON.stringify(folder)};
    const collector = new ArtifactCollector();
    const left = (name, exitCode) =>
      readLeft(attemptFiles(folder, name), { kind: 'Exited', exitCode, ranMs: 1 }, 0, collector);
    const takeAll = () => {
      const taken = [];
      try {
        for (;;) taken.push(openSync('/dev/null'));
      } catch {
        return () => taken.forEach((descriptor) => closeSync(descriptor));
      }
    };
    ${script}`;
  const command = [process.execPath, '--import', 'tsx', '--input-type=module', '--eval', whole];
  const output = execFileSync('/bin/sh', ['-c', 'ulimit -n 60; exec "$@"', 'limited', ...command], {
    cwd: import.meta.dirname,
    encoding: 'utf8',
  });
  return JSON.parse(output);
}

const leaves = (name: string, artifact: Buffer | undefined): void => {
  mkdirSync(join(folder, 'artifacts', name), { recursive: true });
  writeFileSync(join(folder, `${name}.result.json`), RESULT);
  writeFileSync(join(folder, `${name}.stdout.log`), 'its last words');
  writeFileSync(join(folder, `${name}.stderr.log`), '');
  if (artifact !== undefined) writeFileSync(join(folder, 'artifacts', name, 'file'), artifact);
};

it('what a program left is read once files can be opened again: that there were none is not its doing', () => {
  leaves('good', undefined);
  leaves('bad', undefined);
  rmSync(join(folder, 'bad.result.json'));
  const said = saidWithFewFiles(`
    const giveBack = takeAll();
    const good = left('good', 0);
    const bad = left('bad', 3);
    giveBack();
    console.log(JSON.stringify([good instanceof Promise, await good, await bad]));
  `);
  expect(said).toMatchObject([
    true,
    { kind: 'Exited', exitCode: 0, message: RESULT, artifacts: { kind: 'Files', files: [] } },
    { kind: 'Exited', exitCode: 3, message: 'its last words' },
  ]);
}, 60_000);

it('what many programs left that end together is read of a few at a time', () => {
  const names = Array.from({ length: 100 }, (_, index) => `attempt-${index}`);
  for (const name of names) leaves(name, Buffer.alloc(300_000));
  const said = saidWithFewFiles(`
    const collected = await Promise.all(${JSON.stringify(names)}.map((name) =>
      collector.collect(attemptFiles(folder, name).artifacts)));
    console.log(JSON.stringify(collected.map(({ files }) => files?.length)));
  `);
  expect(said).toEqual(names.map(() => 1));
}, 60_000);
