import type { Outcome } from '../../core/outcome.ts';
import { counted } from '../counted.ts';
import { durationText } from '../duration-text.ts';
import type { ReportedAttempt, ReportedTrial, TrialReport } from '../trial-report.ts';
import { html, type Markup } from './markup.ts';
import { percent } from './svg-place.ts';

const ATTEMPTS_SHOWN = 2_000;
const TALLEST = 640;
const SLOT_HEIGHT = 18;
const AXIS_INTERVALS = 4;
/** Percent of the width: an attempt that is much shorter than the run is still seen. */
const NARROWEST = 0.15;

interface TimedAttempt extends ReportedAttempt {
  readonly startedAt: number;
  readonly trial: ReportedTrial;
}

/** When each attempt ran, in slots: attempts in one row ran one after the other. */
export function timelineSection({ trials }: TrialReport): Markup {
  const attempts = trials.filter(({ isReused }) => !isReused).flatMap(timedAttempts);
  attempts.sort((one, other) => one.startedAt - other.startedAt || one.finishedAt - other.finishedAt);
  const shown = attempts.slice(0, ATTEMPTS_SHOWN);
  const [first] = shown;
  if (first === undefined) return html``;
  const start = first.startedAt;
  const end = shown.reduce((latest, { finishedAt }) => Math.max(latest, finishedAt), start + 1);
  const slots = slotsOf(shown);
  const slotCount = slots.reduce((most, slot) => Math.max(most, slot + 1), 1);
  const slotHeight = Math.min(SLOT_HEIGHT, TALLEST / slotCount);
  const height = Math.ceil(slotHeight * slotCount);
  const place = (time: number): number => ((time - start) / (end - start)) * 100;
  const neverStarted = trials
    .filter(({ isReused }) => !isReused)
    .reduce((sum, trial) => sum + trial.attempts.filter(({ startedAt }) => startedAt === null).length, 0);
  const notes = [
    `${counted(shown.length, 'attempt')} in ${counted(slotCount, 'slot')}, over ${durationText(end - start)}.`,
    ...(attempts.length > shown.length
      ? [`The first ${shown.length} of ${attempts.length} attempts; the later ones are not drawn.`]
      : []),
    ...(neverStarted > 0 ? [`${counted(neverStarted, 'attempt')} never started.`] : []),
  ];
  const bars = shown.map((attempt, index) =>
    bar(attempt, (slots[index] ?? 0) * slotHeight, slotHeight, place),
  );
  return html`<section>
<h2>Timeline</h2>
<p class="note">${notes.join(' ')} Attempts that succeeded are lower than the others.</p>
${legend(shown)}
<figure class="timeline">
<svg role="img" aria-label="${notes.join(' ')}" width="100%" height="${height}">${ticks(height)}${bars}</svg>
<svg class="axis-x" aria-hidden="true" width="100%" height="22">${Array.from(
    { length: AXIS_INTERVALS + 1 },
    (_, index) =>
      html`<text x="${percent((index * 100) / AXIS_INTERVALS)}" y="15" text-anchor="${anchor(index)}">${durationText(((end - start) * index) / AXIS_INTERVALS)}</text>`,
  )}</svg>
</figure>
</section>
`;
}

const timedAttempts = (trial: ReportedTrial): readonly TimedAttempt[] =>
  trial.attempts.flatMap((attempt) =>
    attempt.startedAt === null ? [] : [{ ...attempt, startedAt: attempt.startedAt, trial }],
  );

/** For each attempt the first slot that is free when it starts. The attempts are in the order of their starts. */
function slotsOf(attempts: readonly TimedAttempt[]): readonly number[] {
  const freeFrom: number[] = [];
  return attempts.map(({ startedAt, finishedAt }) => {
    const free = freeFrom.findIndex((time) => time <= startedAt);
    const slot = free === -1 ? freeFrom.length : free;
    freeFrom[slot] = Math.max(startedAt, finishedAt);
    return slot;
  });
}

function bar(
  attempt: TimedAttempt,
  top: number,
  slotHeight: number,
  place: (time: number) => number,
): Markup {
  const { startedAt, finishedAt, outcome, reason, trial } = attempt;
  const gap = slotHeight > 4 ? 1 : 0;
  const inset = outcome === 'Succeeded' ? slotHeight / 6 : 0;
  const width = Math.max(NARROWEST, place(finishedAt) - place(startedAt));
  const verdict = outcome === 'Succeeded' ? outcome : `${outcome} (${reason})`;
  const title = `${trial.variant}, repetition ${trial.repetition}${attempt.attempt === 1 ? '' : `, attempt ${attempt.attempt}`}: ${verdict}, ${durationText(finishedAt - startedAt)}`;
  return html`<rect class="o-${outcome}" x="${percent(place(startedAt))}" width="${percent(width)}" y="${round(top + inset + gap / 2)}" height="${round(slotHeight - 2 * inset - gap)}"><title>${title}</title></rect>`;
}

const round = (value: number): number => Number(value.toFixed(2));

const ticks = (height: number): readonly Markup[] =>
  Array.from(
    { length: AXIS_INTERVALS + 1 },
    (_, index) =>
      html`<line class="grid" x1="${percent((index * 100) / AXIS_INTERVALS)}" x2="${percent((index * 100) / AXIS_INTERVALS)}" y1="0" y2="${height}"/>`,
  );

function anchor(index: number): 'start' | 'middle' | 'end' {
  if (index === 0) return 'start';
  return index === AXIS_INTERVALS ? 'end' : 'middle';
}

const OUTCOMES: readonly Outcome[] = [
  'Succeeded',
  'TestFailed',
  'ResultInvalid',
  'TimedOut',
  'Infrastructure',
  'Cancelled',
];

function legend(attempts: readonly TimedAttempt[]): Markup {
  const items = OUTCOMES.flatMap((outcome) => {
    const count = attempts.filter((attempt) => attempt.outcome === outcome).length;
    return count === 0 ? [] : [html`<li><i class="o-${outcome}"></i>${outcome} ${count}</li>`];
  });
  return html`<ul class="legend">${items}</ul>`;
}
