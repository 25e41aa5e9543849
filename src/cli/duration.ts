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

/** A timer of Node's takes 2,147,483,647 ms, and fires at once for more. */
const LONGEST_WAIT = '24d';

/** The same of a time to wait for, which has a limit. */
export function waitingTime(text: string): number {
  const waitMs = duration(text);
  if (waitMs > duration(LONGEST_WAIT)) throw new InvalidArgumentError(`It must be ${LONGEST_WAIT} at most.`);
  return waitMs;
}
