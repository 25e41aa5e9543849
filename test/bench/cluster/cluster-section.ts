import { benchmarkSection } from '../benchmark-section.ts';
import { clusterPlots } from './plots.ts';
import { clusterMarkdown } from './result-text.ts';

/** The operator beside other ways to do the same work in a cluster. */
export const CLUSTER_SECTION = benchmarkSection({
  title: 'In a cluster',
  command: 'npm run bench:cluster -- --json docs/benchmarks/cluster.json',
  json: 'cluster.json',
  markdown: clusterMarkdown,
  plots: clusterPlots,
});
