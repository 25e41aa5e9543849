import { type Plot, svgOf } from './plot.ts';

/** A part of docs/benchmarks.md: what one benchmark measured, as its committed JSON has it. */
export interface BenchmarkSection {
  readonly title: string;
  /** Writes the JSON. */
  readonly command: string;
  /** In docs/benchmarks. */
  readonly json: string;
  /** @param result what the JSON holds */
  readonly markdown: (result: unknown) => string;
  /** SVG files in docs/benchmarks, which the text shows, by their names. */
  readonly plots: (result: unknown) => Promise<ReadonlyMap<string, string>>;
}

interface SectionParts<Result> extends Pick<BenchmarkSection, 'title' | 'command' | 'json'> {
  readonly markdown: (result: Result, plots: readonly Plot[]) => string;
  readonly plots: (result: Result) => readonly Plot[];
}

/** The section of a benchmark whose JSON holds results of this type. */
export const benchmarkSection = <Result>({
  markdown,
  plots,
  ...section
}: SectionParts<Result>): BenchmarkSection => ({
  ...section,
  markdown: (result) => markdown(result as Result, plots(result as Result)),
  async plots(result) {
    const files = new Map<string, string>();
    for (const { file, spec } of plots(result as Result)) files.set(file, await svgOf(spec));
    return files;
  },
});
