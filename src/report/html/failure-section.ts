import { stripVTControlCharacters } from 'node:util';
import { counted } from '../counted.ts';
import type { ReportedFailure, RunReport } from '../run-report.ts';
import { nameLabel } from './labels.ts';
import { html, type Markup } from './markup.ts';

/** Failures that are open when the page is. */
const OPEN_FAILURES = 1;

/** The failed trials: which, why, what their programs said last, and where their output is. */
export function failureSection({ failures, failureCount }: RunReport): Markup {
  if (failureCount === 0) return html``;
  const more = failureCount - failures.length;
  return html`<section>
<h2>${counted(failureCount, 'failed trial')}</h2>
${failures.map(failureDetails)}${more > 0 ? html`<p class="note">${counted(more, 'failed trial')} not shown; the result store has them.</p>` : ''}
</section>
`;
}

function failureDetails(failure: ReportedFailure, position: number): Markup {
  const { variant, repetition, attempt, outcome, reason, message, logs } = failure;
  // Line by line, because text in a page is printable text, which has no line breaks.
  const lines = stripVTControlCharacters(message)
    .trimEnd()
    .split(/\r\n|[\r\n\u2028\u2029]/)
    .map((line) => html`${line.replaceAll('\t', '    ')}\n`);
  return html`<details class="failure"${position < OPEN_FAILURES ? html` open` : ''}><summary>${nameLabel(variant)} <span>repetition ${repetition}${attempt === 1 ? '' : `, attempt ${attempt}`}</span> <span class="failed">${outcome}</span> <span>${reason}</span></summary>
<pre tabindex="0">${lines}</pre>
${logs === null ? '' : html`<p class="logs">logs <code>${logs}</code></p>`}</details>
`;
}
