import { printable } from '../printable.ts';
import { cutMiddle } from '../text-width.ts';
import { html, type Markup } from './markup.ts';

const NAME_WIDTH = 64;
const VALUE_WIDTH = 40;
/** A parameter may have a thousand characters, and there may be thousands of them on a page. */
const TITLE_WIDTH = 120;

/** A variant's name, cut where it is very long; pointing at it shows more of it. */
export const nameLabel = (name: string): Markup => cutLabel(name, NAME_WIDTH);

/** A parameter's value or a metric's name, cut where it is very long. */
export const valueLabel = (value: string): Markup => cutLabel(value, VALUE_WIDTH);

/** `bdi` keeps text that is written from right to left from moving what stands around it. */
function cutLabel(text: string, width: number): Markup {
  const full = withoutMiddle(printable(text));
  const shown = cutMiddle(full, width);
  return shown === full
    ? html`<bdi>${shown}</bdi>`
    : html`<bdi title="${cutMiddle(full, TITLE_WIDTH)}">${shown}</bdi>`;
}

/** Of a very long text the ends, of which a title is made: to find the characters of all of it takes long. */
const withoutMiddle = (text: string): string =>
  text.length <= 4 * TITLE_WIDTH ? text : text.slice(0, 2 * TITLE_WIDTH) + text.slice(-2 * TITLE_WIDTH);

/** Which way a metric is better, for after its name. */
export const goalMark = (goal: 'minimize' | 'maximize'): Markup =>
  goal === 'minimize'
    ? html`<span class="goal" title="less is better" aria-label="less is better">↓</span>`
    : html`<span class="goal" title="more is better" aria-label="more is better">↑</span>`;
