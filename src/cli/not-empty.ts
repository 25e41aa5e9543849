import { InvalidArgumentError } from 'commander';

/** The value of an argument, or of an option, that names something. An empty one is that of a variable which was not set. */
export function notEmpty(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('It must name something, and is empty.');
  return text;
}

/** The same for an option that takes several. */
export const noneEmpty = (text: string, before: readonly string[] = []): readonly string[] => [
  ...before,
  notEmpty(text),
];
