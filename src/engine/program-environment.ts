/**
 * What a test program is told, by environment variables and by `$(NAME)` in its command and args. The same for every engine: one
 * gives it to a process, the other writes it into a pod.
 */
import type { V1Container } from '@kubernetes/client-node';
import { ProgramEnvironment } from '../api/v1alpha1/constants.ts';
import type { BatchTest } from '../api/v1alpha1/schema.ts';
import type { Trial } from '../core/trial.ts';

/** Names the container that is the test program, on a template and on every pod. kubectl's own annotation. */
export const PROGRAM_CONTAINER_ANNOTATION = 'kubectl.kubernetes.io/default-container';

/**
 * The container of the template that is the test program: the one that the annotation kubectl.kubernetes.io/default-container
 * names, else the first.
 */
export function programOf(manifest: BatchTest): V1Container {
  const { metadata, spec } = manifest.spec.template;
  const { containers } = spec;
  const chosen = metadata?.annotations?.[PROGRAM_CONTAINER_ANNOTATION];
  const program = containers.find(({ name }) => name === chosen) ?? containers[0];
  if (program === undefined)
    throw new Error(`BatchTest ${manifest.metadata.name}: its template has no container`);
  return program;
}

/**
 * What BatchTest itself tells the program of a trial: its parameters, and the variables whose names begin with BATCHTEST_, which no
 * parameter can replace. All are meant literally.
 * @param resultFile path of the file that the program writes its result to, as the program sees it
 * @param further more of these variables; see further-variables.ts
 */
export function trialVariables(
  trial: Trial,
  resultFile: string,
  further: readonly (readonly [string, string])[] = [],
): ReadonlyMap<string, string> {
  const { name, parameters } = trial.variant;
  // Postgres gives them back in an order of its own, with which a run goes on after a restart.
  const sorted = Object.entries(parameters).sort(([a], [b]) => (a < b ? -1 : 1));
  return new Map([
    ...sorted,
    [ProgramEnvironment.variant, name],
    [ProgramEnvironment.parameters, JSON.stringify(Object.fromEntries(sorted))],
    [ProgramEnvironment.repetition, String(trial.repetition)],
    [ProgramEnvironment.resultFile, resultFile],
    ...further,
  ]);
}

/** An entry of a container's `env`. Without a value it sets an empty one, as in Kubernetes. */
export interface DeclaredVariable {
  readonly name: string;
  readonly value?: string | undefined;
}

/**
 * The whole of what is set for a program: what is fixed, and what is declared under other names. A declared value may refer to
 * everything fixed and to what is declared before it, as in a container's `env`; what is fixed is literal.
 */
export function programEnvironment(
  fixed: ReadonlyMap<string, string>,
  declared: readonly DeclaredVariable[],
): ReadonlyMap<string, string> {
  const environment = new Map(fixed);
  for (const { name, value } of declared)
    if (!fixed.has(name)) environment.set(name, expandReferences(value ?? '', environment));
  return environment;
}

/**
 * Replaces each `$(NAME)` by the variable's value, once: values are not looked into. A reference to an unknown variable stays as it
 * is, and `$$` stands for `$`. No shell has a part in it.
 *
 * The rules are those of a container's command, args and env: `Expand` in Kubernetes' third_party/forked/golang/expansion.
 */
export function expandReferences(text: string, variables: Pick<ReadonlyMap<string, string>, 'get'>): string {
  let expanded = '';
  let position = 0;
  for (;;) {
    const dollar = text.indexOf('$', position);
    if (dollar === -1) return expanded + text.slice(position);
    expanded += text.slice(position, dollar);
    const closer = text[dollar + 1] === '(' ? text.indexOf(')', dollar) : -1;
    if (closer !== -1) {
      const name = text.slice(dollar + 2, closer);
      expanded += variables.get(name) ?? `$(${name})`;
      position = closer + 1;
    } else if (text[dollar + 1] === '(') {
      // Nothing after it is ever closed either, and none of it need be searched again.
      return expanded + text.slice(dollar).replaceAll('$$', () => '$');
    } else {
      expanded += '$';
      position = dollar + (text[dollar + 1] === '$' ? 2 : 1);
    }
  }
}

/** The text that {@link expandReferences} turns into `literal`, whatever the variables are. */
export function escapeReferences(literal: string): string {
  return literal.replaceAll('$', '$$$$');
}
