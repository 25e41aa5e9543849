/**
 * What the test program of a trial sees in either engine, by the functions that the engines themselves use: the variables that are set for it
 * and how it is called. What differs by nature is left out: the places of the result file, of shared data and of the one who
 * takes pushed results, and what a process inherits or an image brings along.
 */
import { ProgramEnvironment } from '../api/v1alpha1/constants.ts';
import type { BatchTest } from '../api/v1alpha1/schema.ts';
import { attemptName } from '../core/attempt.ts';
import type { EngineName } from '../core/run.ts';
import type { Trial } from '../core/trial.ts';
import { type AttemptRequest, attemptDeadlineSeconds } from '../engine/engine.ts';
import { sharedDataVariables } from '../engine/further-variables.ts';
import { attemptPod } from '../engine/kubernetes/attempt-pod.ts';
import { localProgram, localRunProgram } from '../engine/local/local-program.ts';
import { expandReferences, programOf } from '../engine/program-environment.ts';

/** Stands for a value that only the cluster knows: of a Secret, a ConfigMap or the pod. */
export const UNKNOWN = Symbol('unknown');
export type KnownValue = string | typeof UNKNOWN;

export interface ProgramView {
  /** Undefined when nothing but the image says what it is; then the local engine has nothing to run. */
  readonly command: readonly KnownValue[] | undefined;
  readonly args: readonly KnownValue[];
  readonly environment: ReadonlyMap<string, KnownValue>;
  /** Whether a Secret or a ConfigMap may set variables of any further name (`envFrom`). */
  readonly hasUnknownVariables: boolean;
}

type Variables = Pick<ProgramView, 'environment' | 'hasUnknownVariables'>;

/** The value of a variable; undefined when it is not set. */
export const variableOf = (
  { environment, hasUnknownVariables }: Variables,
  name: string,
): KnownValue | undefined => environment.get(name) ?? (hasUnknownVariables ? UNKNOWN : undefined);

/** Where the result file is said to be for both, because nothing else should differ by it. */
const RESULT_FILE = '/result';
const FILES = { result: RESULT_FILE, artifacts: '/artifacts' };
/** Stands for the UID of a run that there is none of. */
export const NO_RUN_UID = '00000000-0000-0000-0000-000000000000';

/** What the program of a trial sees. */
export const programView = (engine: EngineName, manifest: BatchTest, trial: Trial): ProgramView =>
  engine === 'local' ? localView(manifest, trial) : podView(manifest, trial);

function localView(manifest: BatchTest, trial: Trial): ProgramView {
  const { local } = manifest.spec;
  const container = programOf(manifest);
  const run = localRunProgram(manifest, '/', {});
  const commandWords = (local?.command ?? container.command ?? []).length;
  // Without a command there is still an environment and there are args: an empty word stands for it.
  const commandLine = run.commandLine ?? ['', ...(local?.args ?? container.args ?? [])];
  // At the pod's paths, so that args which refer to a place differ by nothing else.
  const places = new Map((manifest.spec.sharedData ?? []).map(({ name, mountPath }) => [name, mountPath]));
  const sharedData = sharedDataVariables(places);
  const program = localProgram({ ...run, commandLine, sharedData }, trial, FILES, undefined);
  const words = program === undefined ? [] : [program.command, ...program.args];
  // There is none in a pod; a program whose arguments refer to it differs by these.
  const { [ProgramEnvironment.artifactsDirectory]: _, ...environment } = program?.environment ?? {};
  return {
    command: commandWords === 0 ? undefined : words.slice(0, commandWords),
    args: words.slice(Math.max(1, commandWords)),
    environment: new Map(Object.entries(environment)),
    hasUnknownVariables: false,
  };
}

/** As a kubelet reads the container: variables in their order, each of which may refer to those before it. */
function podView(manifest: BatchTest, trial: Trial): ProgramView {
  const { name } = programOf(manifest);
  const { spec } = attemptPod(firstAttempt(withResultFile(manifest), trial, 'default'), undefined);
  const container = spec.containers.find((one) => one.name === name);
  const environment = new Map<string, KnownValue>();
  const hasUnknownVariables = (container?.envFrom ?? []).length > 0;
  const expanded = (text: string): KnownValue => expandedIn({ environment, hasUnknownVariables }, text);
  for (const { name: variable, value = '', valueFrom } of container?.env ?? [])
    environment.set(variable, valueFrom === undefined ? expanded(value) : UNKNOWN);
  return {
    command: container?.command?.map(expanded),
    args: (container?.args ?? []).map(expanded),
    environment,
    hasUnknownVariables,
  };
}

/** The text with its references replaced; what refers to a value that cannot be told cannot be told either. */
function expandedIn(variables: Variables, text: string): KnownValue {
  let isKnown = true;
  const expanded = expandReferences(text, {
    get: (name) => {
      const value = variableOf(variables, name);
      if (value !== UNKNOWN) return value;
      isKnown = false;
      return undefined;
    },
  });
  return isKnown ? expanded : UNKNOWN;
}

/** The same BatchTest with its result file at {@link RESULT_FILE}. */
function withResultFile(manifest: BatchTest): BatchTest {
  const { template } = manifest.spec;
  const program = programOf(manifest);
  const containers = template.spec.containers.map((container) =>
    container === program ? { ...container, terminationMessagePath: RESULT_FILE } : container,
  );
  return {
    ...manifest,
    spec: { ...manifest.spec, template: { ...template, spec: { ...template.spec, containers } } },
  };
}

/** The first attempt of a trial, of a run that has no UID yet. */
export function firstAttempt(manifest: BatchTest, trial: Trial, namespace: string): AttemptRequest {
  const { name } = manifest.metadata;
  const run = {
    uid: NO_RUN_UID,
    name,
    namespace,
    workflowId: manifest.spec.workflowId ?? name,
    engine: 'kubernetes' as const,
    directory: undefined,
    manifest,
    variants: [trial.variant],
    seed: 0,
    trials: [trial],
  };
  return {
    run,
    trial,
    attempt: 1,
    name: attemptName(run, trial, 1),
    deadlineSeconds: attemptDeadlineSeconds(manifest.spec),
  };
}
