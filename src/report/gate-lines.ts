import { printable } from './printable.ts';
import type { RunReport } from './run-report.ts';
import type { TextStyle } from './text-style.ts';
import { wrappedText } from './wrapped-text.ts';

const LINES_OF_A_GATE = 3;

/** What came of each limit of the gates, the metric and the verdict first. */
export function gateLines(
  { gates }: Pick<RunReport, 'gates'>,
  width: number,
  style: TextStyle,
): readonly string[] {
  return gates.flatMap((gate) => {
    const { metric, result, reason } = gate;
    const mark = result === 'Passed' ? style.green('✔') : style.red('✘');
    const text = `gate ${printable(metric)} ${gateRuleText(gate)}: ${gateResultText(result)}: ${printable(reason)}`;
    return wrappedText(text, width - 2, LINES_OF_A_GATE).map(
      (line, index) => `${index === 0 ? mark : ' '} ${line}`,
    );
  });
}

type ReportedGate = RunReport['gates'][number];

/** What kind of limit it is, in a word or two. */
export function gateRuleText({ rule, against }: Pick<ReportedGate, 'rule' | 'against'>): string {
  if (rule !== 'maxRegressionPercent') return rule;
  return against === 'PreviousRun' ? 'regression since the previous run' : 'regression';
}

/** What came of a limit, in words. */
export function gateResultText(result: ReportedGate['result']): string {
  switch (result) {
    case 'Passed':
      return 'passed';
    case 'Failed':
      return 'failed';
    case 'NotEvaluable':
      return 'cannot be evaluated';
  }
}
