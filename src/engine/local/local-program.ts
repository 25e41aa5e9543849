import { resolve } from 'node:path';
import { ProgramEnvironment } from '../../api/v1alpha1/constants.ts';
import type { BatchTest } from '../../api/v1alpha1/schema.ts';
import type { Trial } from '../../core/trial.ts';
import { type PushTarget, pushVariables, sharedDataVariables } from '../further-variables.ts';
import {
  type DeclaredVariable,
  expandReferences,
  programEnvironment,
  programOf,
  trialVariables,
} from '../program-environment.ts';
import type { AttemptFiles } from './attempt-files.ts';
import { sharedDataPaths } from './shared-data-paths.ts';

/** What is to be spawned for one attempt. */
export interface LocalProgram {
  readonly command: string;
  readonly args: readonly string[];
  /** Absolute. */
  readonly workingDirectory: string;
  /** Beside {@link inheritedEnvironment}. */
  readonly environment: Readonly<Record<string, string>>;
  /** The folders in which the program looks for commands: its PATH. */
  readonly searchPath: string | undefined;
  /** The field of the manifest that the command is from, for error messages. */
  readonly commandField: string;
}

/** What the programs of a run have in common. */
export interface LocalRunProgram {
  /** Command and args before expansion; undefined when the manifest tells neither `spec.local.command` nor a container's command. */
  readonly commandLine: readonly string[] | undefined;
  readonly commandField: string;
  readonly workingDirectory: string;
  readonly inherited: Readonly<Record<string, string>>;
  readonly declared: readonly DeclaredVariable[];
  /** What tells the program where the data is that all trials read. */
  readonly sharedData: readonly (readonly [string, string])[];
}

/** Why a program without a command is refused. */
export const COMMAND_MISSING_MESSAGE =
  "neither spec.local.command nor the container's command says what to run: set spec.local.command, because the entrypoint that an image brings along cannot be known locally";

/**
 * The parent's environment as programs inherit it: without what leads to the result store, and without what an outer BatchTest told
 * this process.
 */
export function inheritedEnvironment(parent: NodeJS.ProcessEnv): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(parent).flatMap(([name, value]) =>
      value === undefined || name.startsWith('DATABASE_URL') || /^(PG|BATCHTEST_)/.test(name)
        ? []
        : [[name, value] as const],
    ),
  );
}

/** The folder that the programs of a manifest run in: its own, unless it says another. */
export const workingDirectoryOf = ({ spec }: BatchTest, manifestDirectory: string): string =>
  resolve(manifestDirectory, spec.local?.workingDir ?? '.');

/** Works out once what all attempts of a run share. `inherited` is what {@link inheritedEnvironment} gave. */
export function localRunProgram(
  manifest: BatchTest,
  manifestDirectory: string,
  inherited: LocalRunProgram['inherited'],
): LocalRunProgram {
  const { local, template } = manifest.spec;
  const container = programOf(manifest);
  const index = template.spec.containers.indexOf(container);
  const command = local?.command ?? container.command ?? [];
  const args = local?.args ?? container.args ?? [];
  return {
    commandLine: command.length === 0 ? undefined : [...command, ...args],
    commandField:
      local?.command === undefined ? `spec.template.spec.containers[${index}].command` : 'spec.local.command',
    workingDirectory: workingDirectoryOf(manifest, manifestDirectory),
    inherited,
    declared: declaredLocally(manifest),
    sharedData: sharedDataVariables(sharedDataPaths(manifest, manifestDirectory)),
  };
}

/** The entries of `local.env`, then those of the container that `local.env` does not replace and that have a value of their own. */
function declaredLocally(manifest: BatchTest): readonly DeclaredVariable[] {
  const local = manifest.spec.local?.env ?? {};
  const container = programOf(manifest).env ?? [];
  return [
    ...Object.entries(local).map(([name, value]) => ({ name, value })),
    ...container.filter(({ name, valueFrom }) => valueFrom === undefined && !Object.hasOwn(local, name)),
  ];
}

/**
 * The program of one attempt; undefined when the run has no command.
 * @param push where its result may be pushed to; undefined when it may not
 */
export function localProgram(
  run: LocalRunProgram,
  trial: Trial,
  files: Pick<AttemptFiles, 'result' | 'artifacts'>,
  push: PushTarget | undefined,
): LocalProgram | undefined {
  const { commandLine, commandField, workingDirectory, inherited, declared, sharedData } = run;
  const further = [
    [ProgramEnvironment.artifactsDirectory, files.artifacts] as const,
    ...sharedData,
    ...(push === undefined ? [] : pushVariables(push)),
  ];
  const variables = programEnvironment(trialVariables(trial, files.result, further), declared);
  const [command, ...args] = (commandLine ?? []).map((word) => expandReferences(word, variables));
  if (command === undefined) return undefined;
  const environment = Object.fromEntries(variables);
  const searchPath = environment.PATH ?? inherited.PATH;
  return { command, args, workingDirectory, environment, searchPath, commandField };
}
