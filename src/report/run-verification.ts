import { trackedOf, type VerificationTally } from '../core/verification-counts.ts';
import type { StoredRun } from '../results/result-store.ts';
import { counted } from './counted.ts';

/** An artifact that is not what its result tells, or that could not be read back yet. */
export interface ReportedArtifactProblem {
  /** Name of the variant. */
  readonly variant: string;
  /** Counts from 0. */
  readonly repetition: number;
  /** Counts from 1. */
  readonly attempt: number;
  readonly name: string;
  readonly uri: string;
  readonly state: 'Mismatch' | 'Missing' | 'Pending';
  readonly reason: string;
}

/** What reading artifacts and results back came to. */
export interface ReportedVerification {
  readonly artifacts: VerificationTally & { readonly tracked: number };
  readonly results: VerificationTally;
  /** The first of the artifacts that are not verified, with the reason. Of a run under way, those that were not read yet are not among them. */
  readonly problems: readonly ReportedArtifactProblem[];
}

const NOTHING: VerificationTally = { pending: 0, verified: 0, mismatched: 0, missing: 0 };

/** Of a run of which nothing is known but how many artifacts are in which state. */
export const verificationOfTally = (
  artifacts: Omit<ReportedVerification['artifacts'], 'pending'> = { tracked: 0, ...NOTHING },
): ReportedVerification => ({
  artifacts: {
    pending: artifacts.tracked - artifacts.verified - artifacts.mismatched - artifacts.missing,
    ...artifacts,
  },
  results: NOTHING,
  problems: [],
});

/** What is stored of the verification of a run. */
export function reportedVerification({
  variants,
  verification: { counts, problems },
}: Pick<StoredRun, 'variants' | 'verification'>): ReportedVerification {
  const names = new Map(variants.map(({ id, name }) => [id, name]));
  return {
    artifacts: { tracked: trackedOf(counts.artifacts), ...counts.artifacts },
    results: counts.results,
    problems: problems.map(({ variantId, ...problem }) => ({
      variant: names.get(variantId) ?? variantId,
      ...problem,
    })),
  };
}

/** Verified and not, of artifacts in one sentence and of results in another; what is as it should be of results goes without saying. */
export function verificationTexts({
  artifacts,
  results,
}: Pick<ReportedVerification, 'artifacts' | 'results'>): readonly {
  readonly isFine: boolean;
  readonly text: string;
}[] {
  const isFine = artifacts.mismatched + artifacts.missing === 0;
  const parts = [
    ...(artifacts.mismatched > 0 ? [`${artifacts.mismatched} not what the result tells`] : []),
    ...(artifacts.missing > 0 ? [`${artifacts.missing} missing`] : []),
    ...(artifacts.pending > 0 ? [`${artifacts.pending} not read back yet`] : []),
  ];
  const tracked =
    artifacts.verified === artifacts.tracked
      ? `${counted(artifacts.tracked, 'artifact')} verified`
      : `${artifacts.verified} of ${counted(artifacts.tracked, 'artifact')} verified, ${parts.join(', ')}`;
  return [
    ...(artifacts.tracked === 0 ? [] : [{ isFine, text: tracked }]),
    ...(results.mismatched + results.missing === 0
      ? []
      : [
          {
            isFine: false,
            text: `${counted(results.mismatched + results.missing, 'stored result')} not what was reported`,
          },
        ]),
  ];
}
