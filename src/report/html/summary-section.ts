import { bestText, evidenceText } from '../best-text.ts';
import { meanAndDeviationTexts, summaryOf } from '../comparison-columns.ts';
import { counted } from '../counted.ts';
import { gateResultText, gateRuleText, unlistedGates } from '../gate-lines.ts';
import { parameterNames, parameterValue, varyingParameters } from '../report-names.ts';
import type { RunReport } from '../run-report.ts';
import { endOf, runDuration, stateName, timeText, trialCountsText } from '../run-text.ts';
import { verificationTexts } from '../run-verification.ts';
import { goalMark, nameLabel, valueLabel } from './labels.ts';
import { type Content, html, type Markup } from './markup.ts';

const NAMES_SHOWN = 10;

/** What ran, how it ended, and which variant is best. */
export function summarySection(report: RunReport): Markup {
  const { run } = report;
  return html`<header>
<p class="kind">BatchTest</p>
<h1><bdi>${run.name}</bdi> <span class="state state-${stateName(run).toLowerCase()}">${stateName(run)}</span></h1>
${verdict(report)}
${message(report)}
<dl class="facts">${facts(report).map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
${gates(report)}
${verification(report)}
</header>
`;
}

function verdict(report: RunReport): Markup {
  const best = bestText(report);
  if (best.kind === 'None') return html`<p class="verdict none">${best.text}.</p>`;
  const names = best.names.slice(0, NAMES_SHOWN);
  const more = best.names.length - names.length;
  const list = names.map((name, position) => [
    separator(position, names.length, more),
    html`<strong>${nameLabel(name)}</strong>`,
  ]);
  return html`<p class="verdict">★ ${list}${more > 0 ? ` and ${counted(more, 'other')}` : ''} ${best.verdict}</p>
${best.names.length > 1 ? '' : html`<ul class="evidence">${evidence(report)}</ul>`}
${[evidenceText(report)].filter((text) => text !== '').map((text) => html`<p class="note">${text}</p>`)}`;
}

function separator(position: number, count: number, more: number): string {
  if (position === 0) return '';
  return position === count - 1 && more === 0 ? ' and ' : ', ';
}

function gates(report: RunReport): Markup {
  const items = [
    ...report.gates.map(
      (gate) =>
        html`<li>${gateVerdict(gate.result)} ${valueLabel(gate.metric)} ${gateRuleText(gate)}: ${gate.reason}</li>`,
    ),
    ...unlistedGates(report).map(({ result, reason }) => html`<li>${gateVerdict(result)}: ${reason}</li>`),
  ];
  if (items.length === 0) return html``;
  return html`<h2>Gates</h2>
<ul class="gates">${items}</ul>`;
}

const gateVerdict = (result: RunReport['gates'][number]['result']): Markup =>
  html`<span class="${result === 'Passed' ? 'passed' : 'failed'}">${result === 'Passed' ? '✔' : '✘'} ${gateResultText(result)}</span>`;

function verification({ verification: { problems, ...counts } }: RunReport): Markup {
  const texts = verificationTexts(counts);
  if (texts.length === 0) return html``;
  const items = texts.map(
    ({ isFine, text }) =>
      html`<li><span class="${isFine ? 'passed' : 'failed'}">${isFine ? '✔' : '✘'}</span> ${text}</li>`,
  );
  const which = problems.map(
    ({ variant, repetition, name, state, reason, uri }) =>
      html`<li>${nameLabel(variant)} repetition ${repetition}: ${valueLabel(name)} <span class="failed">${state}</span>: ${reason} <code>${uri}</code></li>`,
  );
  return html`<h2>Verification</h2>
<ul class="gates">${items}${which}</ul>`;
}

/** The metrics of the best row, written as precisely as in the matrix. */
function evidence({ objective, matrix }: RunReport): readonly Markup[] {
  return objective.flatMap(({ metric, goal }) => {
    const [text] = meanAndDeviationTexts(
      matrix.map((row) => summaryOf(row, metric)),
      true,
    );
    if (text === undefined) return [];
    const value = text.mean + text.deviation.replace(/± +/, '± ').trimEnd();
    return [html`<li>${valueLabel(metric)} ${goalMark(goal)} <b>${value}</b></li>`];
  });
}

function message({ run }: RunReport): Markup {
  if (run.interrupted)
    return html`<p class="message">The process that ran it has gone; it can be resumed.</p>`;
  const end = endOf(run);
  return end === undefined ? html`` : html`<p class="message">${end.reason}: ${end.message}</p>`;
}

function facts(report: RunReport): readonly (readonly [string, Content])[] {
  const { run, objective, matrix, previousRun } = report;
  const weights = objective.some(({ weight }) => weight !== objective[0]?.weight);
  const goals = objective.map(
    ({ metric, goal, weight, target }) =>
      html`<li>${goal} ${valueLabel(metric)}${weights ? `, weight ${weight}` : ''}${target === null ? '' : `, target ${target}`}</li>`,
  );
  return [
    ['trials', trialCountsText(run.trials)],
    ...(matrix.length === 0 ? [] : [['variants', matrix.length] as const]),
    ...runDuration(run).map((duration) => ['took', duration] as const),
    ['started', timeText(run.startedAt)],
    ['engine', run.namespace === null ? run.engine : `${run.engine}, namespace ${run.namespace}`],
    ...(run.workflowId === run.name ? [] : [['workflow', html`<bdi>${run.workflowId}</bdi>`] as const]),
    ['run', html`<code>${run.uid}</code>`],
    ...(previousRun === null
      ? []
      : [
          [
            'previous run',
            html`<code>${previousRun.uid}</code>, started ${timeText(previousRun.startedAt)}`,
          ] as const,
        ]),
    ['objective', html`<ul>${goals}</ul>`],
    ...constantParameters(report),
  ];
}

function constantParameters(report: RunReport): readonly (readonly [string, Content])[] {
  const [first] = report.matrix;
  if (first === undefined) return [];
  const varying = varyingParameters(report);
  const constant = parameterNames(report).filter((name) => !varying.includes(name));
  if (constant.length === 0) return [];
  const items = constant.map(
    (name) => html`<li>${valueLabel(name)} = ${valueLabel(parameterValue(first, name) ?? '')}</li>`,
  );
  return [['same for all', html`<ul>${items}</ul>`]];
}
