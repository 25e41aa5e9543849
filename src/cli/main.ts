#!/usr/bin/env node
import { basename } from 'node:path';
import { Command, CommanderError } from 'commander';
import { optimizeLate } from '../late-optimization.ts';
import { VERSION } from '../version.ts';
import { cancelCommand } from './commands/cancel.ts';
import { listCommand } from './commands/list.ts';
import { migrateCommand } from './commands/migrate.ts';
import { operatorCommand } from './commands/operator.ts';
import { outboxCommand } from './commands/outbox.ts';
import { parityCommand } from './commands/parity.ts';
import { pruneCommand } from './commands/prune.ts';
import { reportCommand } from './commands/report.ts';
import { rerunCommand } from './commands/rerun.ts';
import { runCommand } from './commands/run.ts';
import { statusCommand } from './commands/status.ts';
import { validateCommand } from './commands/validate.ts';
import { waitCommand } from './commands/wait.ts';
import { ExitCode } from './exit-code.ts';
import { explainFailure } from './failure.ts';
import { processContext } from './process-context.ts';

optimizeLate();
const context = processContext();

// `batchtest list | head` closes the pipe early; that is no failure. What is reported is stored by then, and its exit code is set.
process.stdout.on('error', (error: NodeJS.ErrnoException) =>
  process.exit(error.code === 'EPIPE' ? process.exitCode : ExitCode.infrastructure),
);
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
for (const commandOf of [
  runCommand,
  rerunCommand,
  cancelCommand,
  waitCommand,
  statusCommand,
  validateCommand,
  parityCommand,
  reportCommand,
  listCommand,
  pruneCommand,
  outboxCommand,
  migrateCommand,
  operatorCommand,
]) {
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
