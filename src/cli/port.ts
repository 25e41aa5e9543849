import { InvalidArgumentError } from 'commander';

/** The value of an option that is a TCP port. */
export function port(text: string): number {
  const number = Number(text);
  if (!/^\d{1,5}$/.test(text) || number > 65_535)
    throw new InvalidArgumentError('It must be a port from 0 to 65535.');
  return number;
}
