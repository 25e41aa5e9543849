import { benchmarkSection } from '../benchmark-section.ts';
import { localPlots } from './plots.ts';
import { localMarkdown } from './result-text.ts';

/** The local engine beside other ways to run the same programs on one machine. */
export const LOCAL_SECTION = benchmarkSection({
  title: 'On one machine',
  command: 'npm run bench:local -- --json docs/benchmarks/local.json',
  json: 'local.json',
  markdown: localMarkdown,
  plots: localPlots,
});
