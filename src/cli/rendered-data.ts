import { reportJson } from '../report/report-json.ts';
import { reportYaml } from '../report/report-yaml.ts';
import type { OutputFormat } from './common-options.ts';

/**
 * Something as data, or as its table.
 * @param table laid out only when it is asked for
 */
export function renderedData(data: object, output: OutputFormat, table: () => string): string {
  switch (output) {
    case 'table':
      return table();
    case 'json':
      return reportJson(data);
    case 'yaml':
      return reportYaml(data);
  }
}
