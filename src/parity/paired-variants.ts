import type { StoredRun } from '../results/result-store.ts';
import type { Finding } from './difference.ts';

export type StoredVariant = StoredRun['variants'][number];

/** A variant as both runs have it. */
export interface VariantPair {
  readonly first: StoredVariant;
  readonly second: StoredVariant;
}

/**
 * The variants that both runs have: those of one name, then of the rest those of one identity. Every other one is a finding, and so is
 * what differs within a pair.
 */
export function pairedVariants(
  first: StoredRun,
  second: StoredRun,
  nameOf: (run: StoredRun) => string,
): { readonly pairs: readonly VariantPair[]; readonly findings: readonly Finding[] } {
  const byName = new Map(second.variants.map((variant) => [variant.name, variant]));
  const named = first.variants.flatMap((variant) => {
    const other = byName.get(variant.name);
    return other === undefined ? [] : [{ first: variant, second: other }];
  });
  const left = without(
    first.variants,
    named.map((pair) => pair.first),
  );
  const byId = new Map(
    without(
      second.variants,
      named.map((pair) => pair.second),
    ).map((one) => [one.id, one]),
  );
  const renamed = left.flatMap((variant) => {
    const other = byId.get(variant.id);
    return other === undefined ? [] : [{ first: variant, second: other }];
  });
  const pairs = [...named, ...renamed];
  const only = (run: StoredRun, of: readonly StoredVariant[]): readonly Finding[] =>
    without(run.variants, of).map(({ name }) => ({
      kind: 'VariantMissing',
      subject: null,
      text: `variant ${name} is in run ${nameOf(run)} only`,
    }));
  return {
    pairs,
    findings: [
      ...only(
        first,
        pairs.map((pair) => pair.first),
      ),
      ...only(
        second,
        pairs.map((pair) => pair.second),
      ),
      ...renamed.map(
        (pair): Finding => ({
          kind: 'VariantRenamed',
          subject: null,
          text: `variant ${pair.first.name} is called ${pair.second.name} in run ${nameOf(second)}`,
        }),
      ),
      ...named.flatMap(identityFindings),
    ],
  };
}

function without(
  variants: readonly StoredVariant[],
  taken: readonly StoredVariant[],
): readonly StoredVariant[] {
  const set = new Set(taken);
  return variants.filter((variant) => !set.has(variant));
}

function identityFindings({ first, second }: VariantPair): readonly Finding[] {
  const { name } = first;
  const parameters = differingParameters(first, second).map(
    (parameter): Finding => ({
      kind: 'ParametersDiffer',
      subject: parameter,
      text: `variant ${name} has ${parameter} ${valueText(first, parameter)} and ${valueText(second, parameter)}`,
    }),
  );
  // The identity is made of both: where the parameters differ nothing tells of the template.
  if (parameters.length > 0 || first.id === second.id) return parameters;
  return [
    {
      kind: 'TemplateDiffers',
      subject: null,
      text: `variant ${name} runs another pod template (identity ${first.id} and ${second.id})`,
    },
  ];
}

function differingParameters(first: StoredVariant, second: StoredVariant): readonly string[] {
  const names = new Set([...Object.keys(first.parameters), ...Object.keys(second.parameters)]);
  return [...names].filter((name) => first.parameters[name] !== second.parameters[name]);
}

const valueText = ({ parameters }: StoredVariant, name: string): string =>
  Object.hasOwn(parameters, name) ? JSON.stringify(parameters[name]) : 'no value';
