import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { pythonWith } from '../../tools/python-environment.ts';
import { aDataDirectory, runCommand } from './command-line.ts';

const EXAMPLE = fileURLToPath(new URL('../../../examples/ml-pipeline', import.meta.url));
const FIRST_INSTALLATION_MS = 15 * 60_000;

const data = aDataDirectory();
afterAll(() => data.remove());
let python = '';
beforeAll(async () => {
  python = await pythonWith(`${EXAMPLE}/requirements.txt`);
}, FIRST_INSTALLATION_MS);

describe('examples/ml-pipeline', () => {
  it('compares a random forest with gradient boosting on this machine', { timeout: 120_000 }, async () => {
    const manifest = parse(readFileSync(`${EXAMPLE}/batchtest.yaml`, 'utf8'));
    expect(manifest.spec.local).toEqual({ command: ['.venv/bin/python', 'pipeline.py'] });
    manifest.spec.repetitions = 2;
    manifest.spec.local = { command: [python, 'pipeline.py'], workingDir: EXAMPLE };

    const { exitCode, stdout, stderr } = await runCommand(
      ['run', '-', '-o', 'json', '--data-dir', data.path],
      { input: JSON.stringify(manifest) },
    );
    expect(exitCode, stderr + stdout).toBe(0);
    const { matrix, best } = JSON.parse(stdout);
    expect(
      Object.fromEntries(
        matrix.map((row: { variant: string; parameters: unknown }) => [row.variant, row.parameters]),
      ),
    ).toEqual({ 'random-forest': { train: 'rf' }, xgboost: { train: 'xgb' } });
    expect(matrix.map(({ variant }: { variant: string }) => variant)).toContain(best.name);
    for (const { metrics, trials } of matrix) {
      expect(trials).toMatchObject({ total: 2, succeeded: 2 });
      expect(metrics.accuracy).toMatchObject({ n: 2 });
      expect(metrics.accuracy.mean).toBeGreaterThan(0.5);
      expect(metrics.accuracy.mean).toBeLessThanOrEqual(1);
      expect(metrics.fit_seconds.mean).toBeGreaterThan(0);
    }
  });
});
