import { randomUUID } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { asAnyUser } from '../../test/tools/any-user.ts';
import { removeRunOutput } from './run-output.ts';

const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

/** The output of a run in a data directory of a user's own: the paths of both. */
function someOutput(uid: string): { readonly data: string; readonly output: string } {
  const data = mkdtempSync(join(tmpdir(), 'batchtest-output-'));
  const output = join(data, 'runs', uid);
  const modules = join(output, 'artifacts', 'a-0', 'mod');
  const module = join(modules, 'x@v1');
  mkdirSync(module, { recursive: true });
  writeFileSync(join(module, 'go.mod'), '');
  if (isRoot)
    for (const folder of [
      data,
      join(data, 'runs'),
      output,
      join(output, 'artifacts'),
      dirname(modules),
      modules,
      module,
    ])
      chownSync(folder, NOBODY, NOBODY);
  for (const folder of [modules, module]) chmodSync(folder, 0o555);
  onTestFinished(() => {
    for (const folder of [modules, module]) if (existsSync(folder)) chmodSync(folder, 0o755);
    rmSync(data, { recursive: true, force: true });
  });
  return { data, output };
}

it('removes folders as well that a program let nobody write to', async () => {
  const uid = randomUUID();
  const { data, output } = someOutput(uid);
  await asAnyUser(() => removeRunOutput({ uid, engine: 'local' }, data));
  expect(existsSync(output)).toBe(false);
});

it('touches no folder of another name, and nothing for a run of a cluster', async () => {
  const uid = randomUUID();
  const { data, output } = someOutput(uid);
  await removeRunOutput({ uid: `../runs/${uid}`, engine: 'local' }, data);
  await removeRunOutput({ uid, engine: 'kubernetes' }, data);
  expect(existsSync(output)).toBe(true);
});
