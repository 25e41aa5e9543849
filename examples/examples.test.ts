import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { batchTestSchema } from '../src/api/v1alpha1/schema.ts';
import { expandVariants } from '../src/core/variants.ts';

const program = fileURLToPath(new URL('compression/compress.js', import.meta.url));

const resultSchema = z.strictObject({
  metrics: z.strictObject({ ratio: z.number(), throughput_mb_s: z.number(), decompress_mb_s: z.number() }),
});

describe('the manifests', () => {
  it.each([
    { example: 'compression', named: 'node-default', variants: 11 },
    { example: 'ml-pipeline', named: 'random-forest', variants: 2 },
  ])('of $example is valid and has $variants variants', ({ example, named, variants }) => {
    const manifest = readFileSync(new URL(`${example}/batchtest.yaml`, import.meta.url), 'utf8');
    const { spec } = batchTestSchema.parse(parse(manifest));
    const expanded = expandVariants(spec);
    expect(expanded).toHaveLength(variants);
    expect(expanded.map((variant) => variant.name)).toContain(named);
  });
});

describe('the compression example', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'batchtest-examples-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  /** Runs the program with exactly this environment, in a folder that is not its own. */
  const run = (env: Readonly<Record<string, string>>, level: string) =>
    spawnSync(process.execPath, [program, `--level=${level}`], {
      cwd: folder,
      env,
      encoding: 'utf8',
      timeout: 30_000,
    });

  const measure = (algorithm: string, level: string) => {
    const resultFile = join(folder, `${algorithm}-${level}.json`);
    rmSync(resultFile, { force: true });
    const { status, stderr } = run({ ALGORITHM: algorithm, BATCHTEST_RESULT_FILE: resultFile }, level);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    return resultSchema.parse(JSON.parse(readFileSync(resultFile, 'utf8'))).metrics;
  };

  it('measures the same ratio twice, and a better one with brotli 11 than with gzip 1', {
    timeout: 90_000,
  }, () => {
    const gzip = [measure('gzip', '1'), measure('gzip', '1')] as const;
    const brotli = [measure('brotli', '11'), measure('brotli', '11')] as const;

    expect(gzip[1].ratio).toBe(gzip[0].ratio);
    expect(brotli[1].ratio).toBe(brotli[0].ratio);
    expect(gzip[0].ratio).toBeGreaterThan(1);
    expect(brotli[0].ratio).toBeGreaterThan(gzip[0].ratio);
    for (const speed of [...gzip, ...brotli].flatMap((m) => [m.throughput_mb_s, m.decompress_mb_s])) {
      expect(Number.isFinite(speed)).toBe(true);
      expect(speed).toBeGreaterThan(0);
    }
  });

  it('does for node-default what it does for gzip at level 6', () => {
    expect(measure('gzip', 'default').ratio).toBe(measure('gzip', '6').ratio);
  });

  it.each([
    {
      mistake: 'an unknown algorithm',
      env: { ALGORITHM: 'lzma' },
      level: '1',
      says: 'environment variable ALGORITHM is "lzma"; expected one of: gzip, deflate, brotli',
    },
    {
      mistake: 'a level the algorithm does not have',
      env: { ALGORITHM: 'gzip' },
      level: '11',
      says: '--level is "11"; expected 0 to 9, or default, for gzip',
    },
    {
      mistake: 'a level below the lowest',
      env: { ALGORITHM: 'brotli' },
      level: '-1',
      says: '--level is "-1"; expected 0 to 11, or default, for brotli',
    },
  ])('refuses $mistake, says what it accepts and writes no result', ({ env, level, says }) => {
    const resultFile = join(folder, 'refused.json');
    const { status, stderr } = run({ ...env, BATCHTEST_RESULT_FILE: resultFile }, level);
    expect(status).toBe(1);
    expect(stderr).toBe(`compress.js: ${says}\n`);
    expect(existsSync(resultFile)).toBe(false);
  });

  it('says that BATCHTEST_RESULT_FILE is missing', () => {
    const { status, stderr } = run({ ALGORITHM: 'gzip' }, '1');
    expect(status).toBe(1);
    expect(stderr).toContain('environment variable BATCHTEST_RESULT_FILE is not set');
  });
});
