import { InvalidArgumentError } from 'commander';

const UNITS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** The value of an option that is a length of time, such as 90d or 12h, in milliseconds. */
export function duration(text: string): number {
  const [, number, unit = ''] = /^(\d{1,6})([smhdw])$/.exec(text) ?? [];
  const unitMs = UNITS[unit];
  if (number === undefined || unitMs === undefined)
    throw new InvalidArgumentError('It must be a number and one of s, m, h, d, w, such as 90d.');
  return Number(number) * unitMs;
}
