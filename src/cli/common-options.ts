import { Option } from 'commander';

const OUTPUT_FORMATS = ['table', 'json', 'yaml'] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

const REPORT_FORMATS = [...OUTPUT_FORMATS, 'csv', 'markdown', 'junit', 'html'] as const;
export type ReportFormat = (typeof REPORT_FORMATS)[number];

export const outputOption = (): Option => formatOption(OUTPUT_FORMATS);

/** As {@link outputOption}, for commands that print the report of a run. */
export const reportOutputOption = (): Option => formatOption(REPORT_FORMATS);

const formatOption = (formats: readonly string[]): Option =>
  new Option('-o, --output <format>', 'how to print the result').choices(formats).default('table');

export const dataDirectoryOption = (): Option =>
  new Option(
    '--data-dir <directory>',
    'where results and the output of trials are kept (default: a directory of this user)',
  );

export interface DataDirectoryFlag {
  readonly dataDir?: string;
}
