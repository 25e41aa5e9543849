import { areEqualButForRounding } from '../../comparison/rounding.ts';
import { columnNumberText } from '../number-text.ts';

/** Maps values to places on an axis. */
export interface Scale {
  /** Place of a value in percent of the axis, from 0 to 100. */
  readonly position: (value: number) => number;
  readonly ticks: readonly number[];
  /** A tick as text, as precise as the ticks need. */
  readonly text: (value: number) => string;
  readonly isLogarithmic: boolean;
}

/** Steps are rounded up, so that there are three to six intervals. */
const MOST_INTERVALS = 6;
const MOST_TICKS = 8;
/** Share of the axis that stays free at both ends. */
const MARGIN = 0.04;
/** Smaller differences have too few digits left to divide by. */
const SMALLEST_SPAN = 1e-300;
/** Positive values that span more than this factor would lie on top of each other on a linear axis. */
const LOGARITHMIC_FROM = 50;

/** A linear axis that holds all values, with round numbers as ticks. */
export function linearScale(values: readonly number[]): Scale {
  const { low, high } = bounds(values);
  // Halves, because the difference of two very large numbers is not finite.
  const span = high / 2 - low / 2;
  const first = largestFinite(low - 2 * span * MARGIN);
  const last = largestFinite(high + 2 * span * MARGIN);
  const position = (value: number): number => ((value / 2 - first / 2) / (last / 2 - first / 2)) * 100;
  const ticks = roundTicks(first, last);
  return { position, ticks, text: tickText(ticks), isLogarithmic: false };
}

/** A linear axis, or a logarithmic one for positive values that span orders of magnitude. */
export function axisScale(values: readonly number[]): Scale {
  const { low, high } = bounds(values);
  // Numbers smaller than that are not exact enough for their logarithms.
  if (low <= SMALLEST_SPAN || high / low < LOGARITHMIC_FROM) return linearScale(values);
  const inner = linearScale(values.map(Math.log10));
  const distinct = [...new Set(values)].sort((one, other) => one - other);
  const powers = inner.ticks.filter(Number.isInteger).map((tick) => 10 ** tick);
  const ticks = [distinct, powers].find(({ length }) => length > 1 && length <= MOST_TICKS) ?? [low, high];
  return {
    position: (value) => inner.position(Math.log10(value)),
    ticks,
    text: tickText(ticks),
    isLogarithmic: true,
  };
}

const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 4 });
const COMPACT_FROM = 100_000;

/** Large numbers are short (`150M`), because there is little room between ticks, unless that makes two of them the same. */
function tickText(ticks: readonly number[]): (value: number) => string {
  const isLarge = ticks.some((tick) => Math.abs(tick) >= COMPACT_FROM && Math.abs(tick) < 1e15);
  if (isLarge && new Set(ticks.map(compact.format)).size === ticks.length) return compact.format;
  const text = columnNumberText(ticks, []);
  return new Set(ticks.map(text)).size === ticks.length ? text : String;
}

function bounds(values: readonly number[]): { readonly low: number; readonly high: number } {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return { low: 0, high: 1 };
  if (high / 2 - low / 2 > SMALLEST_SPAN && !areEqualButForRounding(low, high)) return { low, high };
  const around = Math.abs(low) <= SMALLEST_SPAN ? 1 : Math.abs(low) / 10;
  return { low: largestFinite(low - around), high: largestFinite(high + around) };
}

const largestFinite = (value: number): number =>
  Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, value));

function roundTicks(first: number, last: number): readonly number[] {
  const step = roundStep(last / MOST_INTERVALS - first / MOST_INTERVALS);
  const ticks: number[] = [];
  for (let index = Math.ceil(first / step); ticks.length < MOST_TICKS; index += 1) {
    const tick = index * step;
    if (!(tick <= last)) break;
    // Without what remains of the rounding of 3 * 0.1, unless the axis shows differences as small as that.
    const rounded = Number(tick.toPrecision(12));
    ticks.push(Math.abs(rounded - tick) < step / 1_000 ? rounded : tick);
  }
  // Between neighbouring numbers there is no room for more.
  return [...new Set(ticks)];
}

/** 1, 2 or 5 times a power of ten, at least the wanted step. */
function roundStep(wanted: number): number {
  const power = 10 ** Math.floor(Math.log10(wanted));
  const factor = [1, 2, 5, 10].find((candidate) => candidate * power >= wanted) ?? 10;
  return factor * power;
}
