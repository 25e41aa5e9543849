import { printable } from './printable.ts';
import type { RunReport } from './run-report.ts';
import type { TextStyle } from './text-style.ts';
import { wrappedText } from './wrapped-text.ts';

const LINES_OF_A_GATE = 3;

/** What came of each limit of the gates, the metric and the verdict first. */
export function gateLines(
  report: Pick<RunReport, 'gates' | 'gate'>,
  width: number,
  style: TextStyle,
): readonly string[] {
  const all = [
    ...report.gates.map((gate) => ({
      ...gate,
      subject: `gate ${printable(gate.metric)} ${gateRuleText(gate)}`,
    })),
    ...unlistedGates(report).map((gates) => ({ ...gates, subject: 'gates' })),
  ];
  return all.flatMap(({ subject, result, reason }) => {
    const mark = result === 'Passed' ? style.green('✔') : style.red('✘');
    const text = `${subject}: ${gateResultText(result)}: ${printable(reason)}`;
    return wrappedText(text, width - 2, LINES_OF_A_GATE).map(
      (line, index) => `${index === 0 ? mark : ' '} ${line}`,
    );
  });
}

type ReportedGate = RunReport['gates'][number];

/**
 * What came of the gates where it is not known of each limit, because the results cannot be read and the run's object tells no more: one for all of
 * them. Empty where the limits tell.
 */
export function unlistedGates({
  gates,
  gate,
}: Pick<RunReport, 'gates' | 'gate'>): readonly Pick<ReportedGate, 'result' | 'reason'>[] {
  if (gate === null || gates.length > 0) return [];
  return [{ result: gate, reason: 'what came of each limit is in the results, which cannot be read' }];
}

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
