import type { DryRun } from '../parity/dry-run.ts';
import { dryRunMarkdown } from '../parity/dry-run-markdown.ts';
import { dryRunTable } from '../parity/dry-run-table.ts';
import type { RunParity } from '../parity/run-parity.ts';
import { runParityMarkdown } from '../parity/run-parity-markdown.ts';
import { runParityTable } from '../parity/run-parity-table.ts';
import type { OutputFormat } from './common-options.ts';
import type { ProcessContext } from './process-context.ts';
import { renderedData } from './rendered-data.ts';
import { terminalOf } from './terminal.ts';

export type ParityFormat = OutputFormat | 'markdown';

/** What a dry run found, in the format that was asked for, laid out for stdout. */
export function renderedDryRun(
  run: DryRun,
  { output }: { readonly output: ParityFormat },
  { stdout, environment }: ProcessContext,
): string {
  if (output === 'markdown') return dryRunMarkdown(run);
  return renderedData(run, output, () => dryRunTable(run, terminalOf(stdout, environment)));
}

/** How two runs compare, in the format that was asked for, laid out for stdout. */
export function renderedRunParity(
  parity: RunParity,
  { output }: { readonly output: ParityFormat },
  { stdout, environment }: ProcessContext,
): string {
  if (output === 'markdown') return runParityMarkdown(parity);
  return renderedData(parity, output, () => runParityTable(parity, terminalOf(stdout, environment)));
}
