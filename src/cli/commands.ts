import type { Command } from 'commander';
import type { ProcessContext } from './process-context.ts';

type CommandOf = (context: ProcessContext) => Command;

/** In the order of the help. Each is loaded by itself: all together take most of the time of a short command. */
const COMMANDS: Readonly<Record<string, () => Promise<CommandOf>>> = {
  run: async () => (await import('./commands/run.ts')).runCommand,
  rerun: async () => (await import('./commands/rerun.ts')).rerunCommand,
  cancel: async () => (await import('./commands/cancel.ts')).cancelCommand,
  wait: async () => (await import('./commands/wait.ts')).waitCommand,
  status: async () => (await import('./commands/status.ts')).statusCommand,
  validate: async () => (await import('./commands/validate.ts')).validateCommand,
  parity: async () => (await import('./commands/parity.ts')).parityCommand,
  report: async () => (await import('./commands/report.ts')).reportCommand,
  list: async () => (await import('./commands/list.ts')).listCommand,
  prune: async () => (await import('./commands/prune.ts')).pruneCommand,
  outbox: async () => (await import('./commands/outbox.ts')).outboxCommand,
  migrate: async () => (await import('./commands/migrate.ts')).migrateCommand,
  operator: async () => (await import('./commands/operator.ts')).operatorCommand,
};

/**
 * What a call needs: the command that its first argument names, else all of them, for the help and for what is said of a wrong name.
 * @param first of the arguments; undefined when there is none
 */
export function commandsFor(first: string | undefined): Promise<readonly CommandOf[]> {
  const named = first !== undefined && Object.hasOwn(COMMANDS, first) ? COMMANDS[first] : undefined;
  const wanted = named === undefined ? Object.values(COMMANDS) : [named];
  return Promise.all(wanted.map((load) => load()));
}
