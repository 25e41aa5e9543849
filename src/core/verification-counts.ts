import type { BatchTestStatus } from '../api/v1alpha1/status.ts';

/** How many of something were read back, and what that came to. */
export type VerificationTally = Readonly<Record<'pending' | 'verified' | 'mismatched' | 'missing', number>>;

/** How far the verification of a run is, as it is committed. */
export interface VerificationCounts {
  readonly artifacts: VerificationTally;
  /** Results that have a digest. */
  readonly results: VerificationTally;
}

/** True while something of the run has not been read back. */
export const isVerificationPending = ({ artifacts, results }: VerificationCounts): boolean =>
  artifacts.pending + results.pending > 0;

/** All that are counted. */
export const trackedOf = ({ pending, verified, mismatched, missing }: VerificationTally): number =>
  pending + verified + mismatched + missing;

type VerifiedStatus = Pick<BatchTestStatus, 'artifacts' | 'results'>;

/** What a status says of it: of artifacts when there are any, of results when not all are as they were reported. */
export function verifiedStatus({ artifacts, results }: VerificationCounts): VerifiedStatus {
  const { verified, mismatched, missing } = artifacts;
  const tracked = trackedOf(artifacts);
  return {
    ...(tracked === 0 ? {} : { artifacts: { tracked, verified, mismatched, missing } }),
    ...(results.mismatched + results.missing === 0
      ? {}
      : { results: { mismatched: results.mismatched, missing: results.missing } }),
  };
}

/**
 * The status of a run that is over with what was verified since; undefined when it says that already. It never says less than before: what is stored of a run
 * may be deleted before its object is.
 */
export function statusAfterVerification(
  status: BatchTestStatus,
  counts: VerificationCounts,
): BatchTestStatus | undefined {
  const { artifacts, results } = verifiedStatus(counts);
  const moreArtifacts =
    artifacts !== undefined && total(artifacts) > total(status.artifacts) ? { artifacts } : {};
  const moreResults = results !== undefined && total(results) > total(status.results) ? { results } : {};
  const more = { ...moreArtifacts, ...moreResults };
  return Object.keys(more).length === 0 ? undefined : { ...status, ...more };
}

const total = (counts: Readonly<Record<string, number>> | undefined): number =>
  Object.values(counts ?? {}).reduce((sum, count) => sum + count, 0);
