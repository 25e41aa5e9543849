import type { BenchmarkSection } from '../benchmarks-page.ts';
import { svgOf } from '../plot.ts';
import { clusterPlots } from './plots.ts';
import type { BenchmarkResult } from './result.ts';
import { clusterMarkdown } from './result-text.ts';

/** The operator beside other ways to do the same work in a cluster. */
export const CLUSTER_SECTION: BenchmarkSection = {
  title: 'In a cluster',
  command: 'npm run bench:cluster -- --json docs/benchmarks/cluster.json',
  json: 'cluster.json',
  markdown: (result) => clusterMarkdown(result as BenchmarkResult, clusterPlots(result as BenchmarkResult)),
  async plots(result) {
    const files = new Map<string, string>();
    for (const { file, spec } of clusterPlots(result as BenchmarkResult)) files.set(file, await svgOf(spec));
    return files;
  },
};
