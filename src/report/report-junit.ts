import { stripVTControlCharacters } from 'node:util';
import { scoreText } from './comparison-columns.ts';
import { gateResultText, gateRuleText, unlistedGates } from './gate-lines.ts';
import { stateName } from './run-text.ts';
import type { ReportedAttempt, ReportedTrial, TrialReport } from './trial-report.ts';
import { xmlAttributes, xmlText } from './xml-text.ts';

/**
 * The run as JUnit XML, as build servers read it: one test suite, in it a test case per trial and one per limit of the gates, or one of all
 * gates where nothing is known of each, and one of the run itself where that failed and none of these did. Times are in seconds. A trial that the
 * infrastructure failed is an `error`, every other failed one and a gate that is not passed a `failure`, a trial that was not run to its end is `skipped`.
 *
 * Elements and attributes are those of the schema of Jenkins' xUnit plugin, which other readers accept too.
 */
export function reportJunit({ report, trials }: TrialReport): string {
  const { run } = report;
  const stopped = new Set(
    report.matrix.flatMap(({ variantId, stoppedAtLook }) => (stoppedAtLook === null ? [] : [variantId])),
  );
  const parts = [
    ...trials.map((trial) => testCase(run.name, trial, stopped.has(trial.variantId))),
    ...report.gates.map((gate) =>
      gateCase(run.name, { name: `gate ${gate.metric} ${gateRuleText(gate)}`, ...gate }),
    ),
    ...unlistedGates(report).map((gates) => gateCase(run.name, { name: 'gates', failing: [], ...gates })),
  ];
  const isToldToFail = parts.some(({ verdict }) => verdict === 'failure' || verdict === 'error');
  const cases = run.state === 'Failed' && !isToldToFail ? [...parts, runCase(run)] : parts;
  const counts = {
    tests: cases.length,
    failures: cases.filter(({ verdict }) => verdict === 'failure').length,
    errors: cases.filter(({ verdict }) => verdict === 'error').length,
    skipped: cases.filter(({ verdict }) => verdict === 'skipped').length,
  };
  const { skipped: _, ...suitesCounts } = counts;
  const finishedAt = run.finishedAt === null ? Date.parse(run.startedAt) : Date.parse(run.finishedAt);
  const time = seconds(finishedAt - Date.parse(run.startedAt));
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites${xmlAttributes({ name: 'batchtest', ...suitesCounts, time })}>`,
    // A time without its zone is what the schema asks for; it is UTC.
    `<testsuite${xmlAttributes({ name: run.name, ...counts, time, timestamp: run.startedAt.slice(0, 19) })}>`,
    '<properties>',
    ...properties(report).map(([name, value]) => `<property${xmlAttributes({ name, value })}/>`),
    '</properties>',
    ...cases.map(({ xml }) => xml),
    '</testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

function properties({
  run,
  best,
  objective,
  previousRun,
  verification: { artifacts, results },
}: TrialReport['report']): readonly (readonly [string, string])[] {
  return [
    ['batchtest.run', run.uid],
    ['batchtest.workflow', run.workflowId],
    ['batchtest.engine', run.engine],
    ...(run.namespace === null ? [] : [['batchtest.namespace', run.namespace] as const]),
    ['batchtest.state', stateName(run)],
    ...(run.reason === null ? [] : [['batchtest.reason', run.reason] as const]),
    ...(artifacts.tracked === 0
      ? []
      : [
          ['batchtest.artifacts.tracked', String(artifacts.tracked)] as const,
          ['batchtest.artifacts.verified', String(artifacts.verified)] as const,
          ['batchtest.artifacts.mismatched', String(artifacts.mismatched)] as const,
          ['batchtest.artifacts.missing', String(artifacts.missing)] as const,
        ]),
    ...(results.mismatched + results.missing === 0
      ? []
      : [['batchtest.results.mismatched', String(results.mismatched + results.missing)] as const]),
    ['batchtest.objective', objective.map(({ metric, goal }) => `${goal} ${metric}`).join(', ')],
    ...(previousRun === null ? [] : [['batchtest.previousRun', previousRun.uid] as const]),
    ...(best === null
      ? []
      : [
          ['batchtest.best', best.name] as const,
          ['batchtest.best.score', scoreText(best.score)] as const,
          ...best.ties.map((name) => ['batchtest.best.tie', name] as const),
        ]),
  ];
}

type ReportedGate = TrialReport['report']['gates'][number];

interface TestCase {
  readonly verdict: 'passed' | 'failure' | 'error' | 'skipped';
  readonly xml: string;
}

function testCase(classname: string, trial: ReportedTrial, isStopped: boolean): TestCase {
  const decisive = trial.attempts.at(-1);
  const attributes = xmlAttributes({
    classname,
    name: `${trial.variant} [repetition ${trial.repetition}]`,
    time: seconds(decisive === undefined ? 0 : attemptDuration(decisive)),
  });
  const withContent = (verdict: TestCase['verdict'], content: string): TestCase => ({
    verdict,
    xml: `<testcase${attributes}>${content}</testcase>`,
  });
  switch (trial.phase) {
    case 'Succeeded':
      return { verdict: 'passed', xml: `<testcase${attributes}/>` };
    case 'Pending':
      return withContent('skipped', '<skipped message="not run to its end yet"/>');
    case 'Cancelled':
      return withContent('skipped', '<skipped message="cancelled"/>');
    case 'Skipped':
      return withContent(
        'skipped',
        `<skipped message="${isStopped ? 'the variant was stopped early' : 'another variant met the target'}"/>`,
      );
    case 'Failed': {
      const verdict = decisive?.outcome === 'Infrastructure' ? 'error' : 'failure';
      return withContent(verdict, failure(verdict, decisive));
    }
  }
}

function gateCase(
  classname: string,
  {
    name,
    result,
    reason,
    failing,
  }: Pick<ReportedGate, 'result' | 'reason' | 'failing'> & { readonly name: string },
): TestCase {
  const attributes = xmlAttributes({ classname, name, time: seconds(0) });
  if (result === 'Passed') return { verdict: 'passed', xml: `<testcase${attributes}/>` };
  const details = [`${gateResultText(result)}: ${reason}`, ...failing].join('\n');
  const failed = `<failure${xmlAttributes({ message: reason, type: result })}>${xmlText(details)}</failure>`;
  return { verdict: 'failure', xml: `<testcase${attributes}>${failed}</testcase>` };
}

/** A run that failed by something else than its trials and gates: build servers go by test cases alone. */
function runCase({ name, state, reason, message }: TrialReport['report']['run']): TestCase {
  const type = reason ?? state;
  const attributes = xmlAttributes({ classname: name, name: 'run', time: seconds(0) });
  const failed = `<failure${xmlAttributes({ message: message ?? type, type })}>${xmlText(`${type}: ${message ?? ''}`)}</failure>`;
  return { verdict: 'failure', xml: `<testcase${attributes}>${failed}</testcase>` };
}

function failure(verdict: 'failure' | 'error', decisive: ReportedAttempt | undefined): string {
  if (decisive === undefined) return `<${verdict} message="no attempt is stored"/>`;
  const { attempt, outcome, reason, logs } = decisive;
  const message = stripVTControlCharacters(decisive.message);
  const [firstLine = ''] = message.split('\n', 1);
  const details = [
    `${outcome}: ${reason} (attempt ${attempt})`,
    message,
    ...(logs === null ? [] : [`logs: ${logs}`]),
  ].join('\n');
  const attributes = xmlAttributes({ message: firstLine === '' ? reason : firstLine, type: outcome });
  return `<${verdict}${attributes}>${xmlText(details)}</${verdict}>`;
}

/** Milliseconds from the start to the end of an attempt; 0 for one that never started. */
const attemptDuration = ({ startedAt, finishedAt }: ReportedAttempt): number =>
  startedAt === null ? 0 : Math.max(0, finishedAt - startedAt);

const seconds = (milliseconds: number): string => (milliseconds / 1_000).toFixed(3);
