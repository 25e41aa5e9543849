import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { dirname } from 'node:path';
import type { Plot } from './plot.ts';

/** What every benchmark that `--json` writes says of itself. */
export interface BenchmarkRecord {
  /** RFC 3339. */
  readonly date: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly machine: Machine;
}

export interface Machine {
  readonly processors: string;
  readonly memoryGiB: number;
  /** Processes that wanted to run in the minute before; figures of a busy machine mean little. */
  readonly loadBefore: number;
}

/** This one, as it is before anything is measured. */
export const thisMachine = (): Machine => ({
  processors: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}`,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  loadBefore: loadavg()[0] ?? 0,
});

/** When, on what and with what it was measured, in a sentence or two. */
export function recordText({ date, versions, machine }: BenchmarkRecord): string {
  const versionTexts = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `${date.slice(0, 10)}, ${machine.processors}, ${machine.memoryGiB} GiB of memory, load ${machine.loadBefore.toFixed(1)} in the minute before. ${versionTexts.join(', ')}.`;
}

/** As docs/benchmarks.md shows it. */
export const plotMarkdown = ({ file, text }: Pick<Plot, 'file' | 'text'>): string =>
  `![${text}](benchmarks/${file})`;

/** @param file where `--json` wants it; undefined: nowhere */
export function writeResult(file: string | undefined, result: BenchmarkRecord): void {
  if (file === undefined) return;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(result, undefined, 2)}\n`);
}
