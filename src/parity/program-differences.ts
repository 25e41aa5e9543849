import { canonicalJson } from '../core/canonical-json.ts';
import { type KnownValue, type ProgramView, UNKNOWN, variableOf } from './program-view.ts';

/** One way in which two programs are not told the same. Values are not part of it: they may be secrets. */
export interface ProgramDifference {
  /** `Command` is what is run, `Arguments` what follows it, `Variable` one of the environment. */
  readonly kind: 'Command' | 'Arguments' | 'Variable';
  /** Of the variable; null for what else there is. */
  readonly name: string | null;
  /**
   * - `OnlyFirst`, `OnlySecond`: the variable is set for one of them only.
   * - `Differs`: both have another value.
   * - `Unknown`: one of them gets it, or a part of it, from its image, a Secret, a ConfigMap or its pod, so that nobody can tell from here.
   */
  readonly how: 'OnlyFirst' | 'OnlySecond' | 'Differs' | 'Unknown';
}

/** How what two programs see differs; none when they see the same. */
export function programDifferences(first: ProgramView, second: ProgramView): readonly ProgramDifference[] {
  return [...callDifferences(first, second), ...variableDifferences(first, second)];
}

function callDifferences(first: ProgramView, second: ProgramView): readonly ProgramDifference[] {
  const { command: one, args } = first;
  const { command: other } = second;
  if (one === undefined || other === undefined)
    return [
      ...(one === other ? [] : callDifference('Command', 'Unknown')),
      ...callDifference('Arguments', howWordsDiffer(args, second.args)),
    ];
  // Where the command ends and the args begin is of no interest to the program.
  const how = howWordsDiffer([...one, ...args], [...other, ...second.args]);
  const isOfCommand = how !== undefined && howWordsDiffer(one, other) === how;
  return callDifference(isOfCommand ? 'Command' : 'Arguments', how);
}

const callDifference = (
  kind: 'Command' | 'Arguments',
  how: ProgramDifference['how'] | undefined,
): readonly ProgramDifference[] => (how === undefined ? [] : [{ kind, name: null, how }]);

function howWordsDiffer(
  one: readonly KnownValue[],
  other: readonly KnownValue[],
): ReturnType<typeof howValuesDiffer> {
  if (one.length !== other.length) return 'Differs';
  const ways = one.map((word, index) => howValuesDiffer(word, other[index] ?? ''));
  return ways.find((how) => how === 'Differs') ?? ways.find((how) => how === 'Unknown');
}

/** Undefined when they are the same. One that cannot be told may be any. */
function howValuesDiffer(one: KnownValue, other: KnownValue): 'Differs' | 'Unknown' | undefined {
  if (one === UNKNOWN || other === UNKNOWN) return 'Unknown';
  return one === other ? undefined : 'Differs';
}

function variableDifferences(first: ProgramView, second: ProgramView): readonly ProgramDifference[] {
  const names = [...new Set([...first.environment.keys(), ...second.environment.keys()])].sort();
  return names.flatMap((name): readonly ProgramDifference[] => {
    const how = howVariablesDiffer(variableOf(first, name), variableOf(second, name));
    return how === undefined ? [] : [{ kind: 'Variable', name, how }];
  });
}

function howVariablesDiffer(
  one: KnownValue | undefined,
  other: KnownValue | undefined,
): ProgramDifference['how'] | undefined {
  if (other === undefined) return 'OnlyFirst';
  if (one === undefined) return 'OnlySecond';
  return howValuesDiffer(one, other);
}

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
