import type { BatchTestSpec } from '../api/v1alpha1/schema.ts';

type FailurePolicy = NonNullable<BatchTestSpec['failurePolicy']>;
type FailureRule = FailurePolicy['rules'][number];

export type FailureAction = FailureRule['action'];

/**
 * What `spec.failurePolicy` says of a program that failed with this exit code: the action of the first rule that matches, as Jobs'
 * podFailurePolicy does; undefined when none does.
 */
export function failureActionFor(
  policy: FailurePolicy | undefined,
  exitCode: number | undefined,
): FailureAction | undefined {
  if (exitCode === undefined || exitCode === 0) return undefined;
  return policy?.rules.find((rule) => matches(rule, exitCode))?.action;
}

function matches({ onExitCodes: { operator, values } }: FailureRule, exitCode: number): boolean {
  switch (operator) {
    case 'In':
      return values.includes(exitCode);
    case 'NotIn':
      return !values.includes(exitCode);
  }
}
