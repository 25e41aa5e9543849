import { UsageError } from './failure.ts';

/**
 * Refuses options that the command has no use for here, which would be ignored without a word.
 * @param names as commander has them: `notifyUrl` for `--notify-url`
 * @param why what follows the name of the option in the sentence that the user reads
 * @throws UsageError when one of them is given
 */
export function refuseOptions<Flags>(
  flags: Flags,
  names: readonly (keyof Flags & string)[],
  why: string,
): void {
  for (const name of names)
    if (flags[name] !== undefined)
      throw new UsageError(`--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} ${why}`);
}
