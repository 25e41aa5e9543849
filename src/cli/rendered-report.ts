import { comparisonMarkdown } from '../report/comparison-markdown.ts';
import { comparisonTable } from '../report/comparison-table.ts';
import { reportCsv } from '../report/report-csv.ts';
import { reportHtml } from '../report/report-html.ts';
import { reportJson } from '../report/report-json.ts';
import { reportJunit } from '../report/report-junit.ts';
import { reportMarkdown } from '../report/report-markdown.ts';
import { reportTable } from '../report/report-table.ts';
import { reportYaml } from '../report/report-yaml.ts';
import type { RunComparison } from '../report/run-comparison.ts';
import { type RunList, runListTable } from '../report/run-list.ts';
import type { RunStatus } from '../report/run-status.ts';
import { runStatusTable } from '../report/run-status-table.ts';
import type { TrialReport } from '../report/trial-report.ts';
import type { OutputFormat, ReportFormat } from './common-options.ts';
import { UsageError } from './failure.ts';
import type { ProcessContext } from './process-context.ts';
import { renderedData } from './rendered-data.ts';
import { terminalOf } from './terminal.ts';

/** A run's report in the format that was asked for, laid out for stdout. */
export function renderedReport(
  reported: TrialReport,
  { output, all }: { readonly output: ReportFormat; readonly all?: boolean },
  { stdout, environment }: ProcessContext,
): string {
  const { report } = reported;
  switch (output) {
    case 'table': {
      const { columns, colour } = terminalOf(stdout, environment);
      return reportTable(report, { columns, colour, all: all ?? false });
    }
    case 'json':
      return reportJson(report);
    case 'yaml':
      return reportYaml(report);
    case 'csv':
      return reportCsv(report);
    case 'markdown':
      return reportMarkdown(report);
    case 'junit':
      return reportJunit(reported);
    case 'html':
      return reportHtml(reported);
  }
}

/**
 * One run against another in the format that was asked for, laid out for stdout.
 * @throws UsageError for the formats that show a single run
 */
export function renderedComparison(
  comparison: RunComparison,
  { output, all }: { readonly output: ReportFormat; readonly all?: boolean },
  { stdout, environment }: ProcessContext,
): string {
  switch (output) {
    case 'table': {
      const { columns, colour } = terminalOf(stdout, environment);
      return comparisonTable(comparison, { columns, colour, all: all ?? false });
    }
    case 'json':
      return reportJson(comparison);
    case 'yaml':
      return reportYaml(comparison);
    case 'markdown':
      return comparisonMarkdown(comparison);
    case 'csv':
    case 'junit':
    case 'html':
      throw new UsageError(`-o ${output} shows one run: --compare prints table, json, yaml or markdown`);
  }
}

/** A list of runs in the format that was asked for, laid out for stdout. */
export function renderedRunList(
  list: RunList,
  { output }: { readonly output: OutputFormat },
  { stdout, environment }: ProcessContext,
): string {
  return renderedData(list, output, () => runListTable(list, terminalOf(stdout, environment)));
}

/** The status of a run in the format that was asked for, laid out for stdout. */
export function renderedRunStatus(
  status: RunStatus,
  { output }: { readonly output: OutputFormat },
  { stdout, environment }: ProcessContext,
): string {
  return renderedData(status, output, () =>
    runStatusTable(status, { ...terminalOf(stdout, environment), now: Date.now() }),
  );
}
