import { type Candidate, meansOfSamples } from '../comparison/candidate.ts';
import { type ComparableRun, candidateOf, variantRecords } from '../comparison/comparable-run.ts';
import type { Conclusion } from '../comparison/conclusion.ts';
import { holmAdjusted } from '../comparison/holm.ts';
import { momentsOf } from '../comparison/moments.ts';
import { leadOn, type ObjectiveMeans, type ScoreScale, scoreScale, shortfalls } from '../comparison/score.ts';
import { trialLeads } from '../comparison/trial-leads.ts';
import { welchDifference, welchPValue } from '../comparison/welch.ts';
import type { Finding } from './difference.ts';
import type { VariantPair } from './paired-variants.ts';

/** Pairs grow with the square of the variants; further ones decide nothing about the best. */
const MOST_RANKED = 200;

/** What the best variants of two runs come to. */
export type BestParity =
  | { readonly kind: 'Same' }
  | { readonly kind: 'Different' | 'Undecided'; readonly text: string };

/**
 * Whether two runs can both be right about the best variant. They can unless each rules out the other's: a variant that ties with the best of
 * its run may be the best. Names are those of the first run.
 */
export function bestParity(
  first: Conclusion['best'],
  second: Conclusion['best'],
  pairs: readonly VariantPair[],
): BestParity {
  if (first === undefined && second === undefined) return { kind: 'Same' };
  if (first === undefined || second === undefined)
    return { kind: 'Different', text: `best is ${first?.name ?? 'none'} and ${second?.name ?? 'none'}` };
  const names = new Map(pairs.map((pair) => [pair.second.name, pair.first.name]));
  const inFirst = (name: string): string => names.get(name) ?? name;
  const ofFirst = new Set([first.name, ...first.ties]);
  const ofSecond = new Set([second.name, ...second.ties].map(inFirst));
  if (first.name === inFirst(second.name)) return { kind: 'Same' };
  const text = `best is ${first.name} and ${inFirst(second.name)}`;
  if (ofFirst.has(inFirst(second.name)) || ofSecond.has(first.name)) return { kind: 'Same' };
  return first.evidence === 'TooFewSamples' || second.evidence === 'TooFewSamples'
    ? { kind: 'Undecided', text: `${text}, and a run has too few trials to tell chance apart` }
    : { kind: 'Different', text };
}

/**
 * Pairs of variants that are in one order in one run and in the other order in the other, significantly in both: the larger p-value of both
 * runs' Welch tests of the trials' scores, adjusted by Holm's procedure for all pairs whose order is reversed. Of the variants that the first run
 * ranks the best {@link MOST_RANKED} are looked at.
 */
export function rankingFindings(
  first: ComparableRun,
  second: ComparableRun,
  pairs: readonly VariantPair[],
  confidence: number,
): readonly Finding[] {
  const [inFirst, inSecond] = [scoredRun(first), scoredRun(second)];
  const ranked = pairs
    .flatMap(({ first: { id, name }, second: { id: otherId } }) => {
      const [one, other] = [inFirst.candidates.get(id), inSecond.candidates.get(otherId)];
      return one === undefined || other === undefined ? [] : [{ name, one, other }];
    })
    .sort((a, b) => a.one.shortfall - b.one.shortfall)
    .slice(0, MOST_RANKED);
  const reversed = ranked.flatMap((better, index) =>
    ranked.slice(index + 1).flatMap((worse) => {
      const isReversed =
        leadOn(inFirst.scale, better.one.means, worse.one.means) > 0 &&
        leadOn(inSecond.scale, worse.other.means, better.other.means) > 0;
      if (!isReversed) return [];
      const pValue = Math.max(
        leadPValue(inFirst.scale, better.one, worse.one),
        leadPValue(inSecond.scale, worse.other, better.other),
      );
      return [{ better: better.name, worse: worse.name, pValue }];
    }),
  );
  const adjusted = holmAdjusted(reversed.map(({ pValue }) => pValue));
  return reversed.flatMap(({ better, worse }, index): readonly Finding[] =>
    (adjusted[index] ?? 1) <= 1 - confidence
      ? [
          {
            kind: 'RankingDiffers',
            subject: null,
            text: `${better} is before ${worse} in the first run and behind it in the second`,
          },
        ]
      : [],
  );
}

/** A candidate of a run, as far as scores go. */
interface ScoredCandidate {
  readonly candidate: Candidate;
  readonly means: ObjectiveMeans;
  readonly shortfall: number;
}

/** The scale of a run, and its candidates by the identity of the variant. */
function scoredRun(run: ComparableRun): {
  readonly scale: ScoreScale;
  readonly candidates: ReadonlyMap<string, ScoredCandidate>;
} {
  const { objective } = run.manifest.spec;
  const candidates = variantRecords(run).flatMap((record) => {
    const candidate = candidateOf(record, run);
    return candidate === undefined
      ? []
      : [{ id: record.variant.id, candidate, means: meansOfSamples(candidate.samples) }];
  });
  const means = candidates.map((candidate) => candidate.means);
  const short = shortfalls(objective, means);
  return {
    scale: scoreScale(objective, means),
    candidates: new Map(
      candidates.map(({ id, ...scored }, index) => [id, { ...scored, shortfall: short[index] ?? 1 }]),
    ),
  };
}

/** The p-value of a difference between the scores of two candidates; 1 when there are too few trials to tell. */
function leadPValue(scale: ScoreScale, one: ScoredCandidate, other: ScoredCandidate): number {
  const momentsFor = ({ candidate }: ScoredCandidate) => momentsOf(trialLeads(scale, candidate, one.means));
  const lead = welchDifference(momentsFor(one), momentsFor(other));
  return lead === undefined ? 1 : welchPValue(lead);
}
