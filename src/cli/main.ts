#!/usr/bin/env node
import { basename } from 'node:path';
import { Command, CommanderError } from 'commander';
import { optimizeLate } from '../late-optimization.ts';
import { VERSION } from '../version.ts';
import { commandsFor } from './commands.ts';
import { ExitCode } from './exit-code.ts';
import { explainFailure } from './failure.ts';
import { processContext } from './process-context.ts';

optimizeLate();
const context = processContext();

// `batchtest list | head` closes the pipe early; that is no failure. What is reported is stored by then, and its exit code is set.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  process.stderr.write(`stdout cannot be written: ${error.message}\n`);
  process.exit(ExitCode.infrastructure);
});
// Nobody reads the progress, as of a run whose terminal was closed: no reason to lose the run.
process.stderr.on('error', () => undefined);

// kubectl finds a plugin by the name of its program and runs it as a command of its own.
const name = basename(process.argv[1] ?? '') === 'kubectl-batchtest' ? 'kubectl batchtest' : 'batchtest';
const program = new Command(name)
  .description(
    'Which variant is best? Runs a test program once per variant, stores every result and names the best.',
  )
  .version(VERSION)
  .showHelpAfterError(`(${name} --help tells more)`)
  .exitOverride();
for (const commandOf of await commandsFor(process.argv[2])) {
  const command = commandOf(context).copyInheritedSettings(program);
  for (const part of command.commands)
    part
      .copyInheritedSettings(command)
      .showHelpAfterError(`(${name} ${command.name()} ${part.name()} --help tells more)`);
  program.addCommand(command.showHelpAfterError(`(${name} ${command.name()} --help tells more)`));
}

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : ExitCode.invalidInput;
  else {
    const { exitCode, text } = explainFailure(error);
    process.stderr.write(`${text}\n`);
    process.exitCode = exitCode;
  }
}
