import { InvalidArgumentError } from 'commander';

/** The value of an option that is a number from 0 to 999999. */
export function wholeNumber(text: string): number {
  if (!/^[0-9]{1,6}$/.test(text))
    throw new InvalidArgumentError('It must be a whole number from 0 to 999999.');
  return Number(text);
}
