import { median } from 'simple-statistics';
import { comparisonMatrix } from '../../src/comparison/comparison-matrix.ts';
import { runConclusion } from '../../src/comparison/run-conclusion.ts';
import { shortfalls } from '../../src/comparison/score.ts';
import { reportJson } from '../../src/report/report-json.ts';
import { reportTable } from '../../src/report/report-table.ts';
import { runReport } from '../../src/report/run-report.ts';
import type { StoredRun } from '../../src/results/result-store.ts';
import { aStoredRun } from '../builders/stored-run.ts';
import { timed } from './core.ts';
import type { Figure } from './figure.ts';

const VARIANTS = 10_000;
const REPETITIONS = 5;
const TIMES = 5;

/** What is made of the results of a run of 10,000 variants, each with five trials and two metrics, against a baseline. */
export function benchComparison(): readonly Figure[] {
  const run = measuredRun();
  const { objective } = run.manifest.spec;
  const means = run.variants.map((_, index) => [40 + noise(index), 1_000 + noise(7 * index)]);
  const report = runReport(run);
  return [
    figure('score', 50, () => shortfalls(objective, means)),
    figure('choose the best of', 2_000, () => runConclusion(run)),
    figure('compare', 2_000, () => comparisonMatrix(run)),
    figure('report as JSON', 1_000, () => reportJson(report)),
    figure('report as a table of', 200, () => reportTable(report, { columns: 120, colour: false })),
  ];
}

const figure = (what: string, atMost: number, work: () => unknown): Figure => ({
  name: `${what} ${VARIANTS.toLocaleString('en')} variants`,
  value: median(Array.from({ length: TIMES }, () => timed(work).ms)),
  unit: 'ms',
  budget: { atMost },
});

function measuredRun(): StoredRun {
  const run = aStoredRun({
    objective: {
      metrics: [
        { name: 'p95_ms', goal: 'minimize', weight: '1' },
        { name: 'throughput', goal: 'maximize', weight: '0.5' },
      ],
    },
    variants: Array.from({ length: VARIANTS }, (_, index) => ({
      name: `variant-${index}`,
      parameters: { A: String(index % 100), B: String(Math.floor(index / 100)) },
      trials: Array.from({ length: REPETITIONS }, (_, repetition) => ({
        p95_ms: 40 + noise(REPETITIONS * index + repetition),
        throughput: 1_000 + noise(7 * index + repetition),
      })),
    })),
  });
  const { manifest } = run;
  const comparison = { ...manifest.spec.comparison, baseline: 'variant-0' };
  return { ...run, manifest: { ...manifest, spec: { ...manifest.spec, comparison } } };
}

/** Between 0 and 10, the same each time, and seldom equal. */
const noise = (seed: number): number => (10 * ((seed * 7_919) % 104_729)) / 104_729;
