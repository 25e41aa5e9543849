import { canonicalJson } from '../core/canonical-json.ts';
import { type ProgramView, UNKNOWN } from './program-view.ts';

/** One way in which two programs are not told the same. Values are not part of it: they may be secrets. */
export interface ProgramDifference {
  /** `Command` is what is run, `Arguments` what follows it, `Variable` one of the environment. */
  readonly kind: 'Command' | 'Arguments' | 'Variable';
  /** Of the variable; null for what else there is. */
  readonly name: string | null;
  /**
   * - `OnlyFirst`, `OnlySecond`: the variable is set for one of them only.
   * - `Differs`: both have another value.
   * - `Unknown`: one of them gets it from its image, a Secret, a ConfigMap or its pod, so that nobody can tell from here.
   */
  readonly how: 'OnlyFirst' | 'OnlySecond' | 'Differs' | 'Unknown';
}

/** How what two programs see differs; none when they see the same. */
export function programDifferences(first: ProgramView, second: ProgramView): readonly ProgramDifference[] {
  return [...callDifferences(first, second), ...variableDifferences(first, second)];
}

function callDifferences(first: ProgramView, second: ProgramView): readonly ProgramDifference[] {
  const difference = (kind: 'Command' | 'Arguments', how: 'Differs' | 'Unknown'): ProgramDifference => ({
    kind,
    name: null,
    how,
  });
  const haveSameArgs = areEqual(first.args, second.args);
  if (first.command === undefined && second.command === undefined)
    return haveSameArgs ? [] : [difference('Arguments', 'Differs')];
  if (first.command === undefined || second.command === undefined)
    return [difference('Command', 'Unknown'), ...(haveSameArgs ? [] : [difference('Arguments', 'Differs')])];
  // Where the command ends and the args begin is of no interest to the program.
  return areEqual([...first.command, ...first.args], [...second.command, ...second.args])
    ? []
    : [difference(areEqual(first.command, second.command) ? 'Arguments' : 'Command', 'Differs')];
}

function variableDifferences(first: ProgramView, second: ProgramView): readonly ProgramDifference[] {
  const names = [...new Set([...first.environment.keys(), ...second.environment.keys()])].sort();
  return names.flatMap((name): readonly ProgramDifference[] => {
    const one = first.environment.get(name);
    const other = second.environment.get(name);
    if (one === other && one !== UNKNOWN) return [];
    return [{ kind: 'Variable', name, how: howTheyDiffer(one, other) }];
  });
}

function howTheyDiffer(
  one: string | symbol | undefined,
  other: string | symbol | undefined,
): ProgramDifference['how'] {
  if (other === undefined) return 'OnlyFirst';
  if (one === undefined) return 'OnlySecond';
  return one === UNKNOWN || other === UNKNOWN ? 'Unknown' : 'Differs';
}

const areEqual = (one: readonly string[], other: readonly string[]): boolean =>
  canonicalJson(one) === canonicalJson(other);

/** A difference that several variants have. */
export interface CommonDifference extends ProgramDifference {
  /** Name of the first variant that has it. */
  readonly variant: string;
  /** How many have it. */
  readonly variants: number;
}

/** The differences of all variants, each told once. */
export function commonDifferences(
  variants: Iterable<{ readonly name: string; readonly differences: readonly ProgramDifference[] }>,
): readonly CommonDifference[] {
  const found = new Map<string, CommonDifference>();
  for (const { name: variant, differences } of variants)
    for (const difference of differences) {
      const key = canonicalJson(difference);
      const before = found.get(key);
      found.set(
        key,
        before === undefined
          ? { ...difference, variant, variants: 1 }
          : { ...before, variants: before.variants + 1 },
      );
    }
  return [...found.values()];
}
