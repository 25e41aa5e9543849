import type { BenchmarkSection } from '../benchmarks-page.ts';
import { svgOf } from '../plot.ts';
import { localPlots } from './plots.ts';
import type { LocalResult } from './result.ts';
import { localMarkdown } from './result-text.ts';

/** The local engine beside other ways to run the same programs on one machine. */
export const LOCAL_SECTION: BenchmarkSection = {
  title: 'On one machine',
  command: 'npm run bench:local -- --json docs/benchmarks/local.json',
  json: 'local.json',
  markdown: (result) => localMarkdown(result as LocalResult, localPlots(result as LocalResult)),
  async plots(result) {
    const files = new Map<string, string>();
    for (const { file, spec } of localPlots(result as LocalResult)) files.set(file, await svgOf(spec));
    return files;
  },
};
