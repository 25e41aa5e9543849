import { Command, InvalidArgumentError, Option } from 'commander';

/** The command line of a benchmark: what `npm run <script> -- --help` tells. A wrong option ends the process with a message, as all of commander's do. */
export const benchmarkCommand = (script: string, description: string): Command =>
  new Command(`npm run ${script} --`)
    .description(description)
    .showHelpAfterError('--help tells what there is');

/** An option that counts something. */
export const countingOption = (flags: string, description: string): Option =>
  new Option(flags, description).argParser(positiveInteger);

function positiveInteger(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new InvalidArgumentError('Expected a whole number from 1 to 9999.');
  return Number(text);
}
