import type { VerificationCounts } from '../core/verification-counts.ts';

/** Identifies an attempt in the store. */
export interface AttemptReference {
  readonly runUid: string;
  readonly variantId: string;
  readonly repetition: number;
  readonly attempt: number;
}

/** Identifies an artifact in the store. */
export interface ArtifactReference extends AttemptReference {
  /** Place among the artifacts of its attempt, from 0. */
  readonly position: number;
}

/**
 * What reading something back came to: what was told of it (`Verified`), something else (`Mismatch`), or that it is not there (`Missing`). `Pending` until it
 * was read.
 */
export type VerificationState = 'Pending' | 'Verified' | 'Mismatch' | 'Missing';

/** A stored result, as its verification needs it. */
export interface ResultToVerify extends AttemptReference {
  /** The digest that its writer made of the result; undefined for one that was taken over from another run. */
  readonly digest: string | undefined;
  /** The digests that what is stored now may have: with its outputs, and without them, for when they were pushed. */
  readonly storedDigests: readonly string[];
}

/** An artifact as the result tells of it. */
export interface ArtifactToVerify extends ArtifactReference {
  readonly name: string;
  readonly uri: string;
  readonly sha256: string | undefined;
  /** Bytes. */
  readonly size: number | undefined;
}

export interface ResultVerdict extends AttemptReference {
  readonly state: 'Verified' | 'Mismatch';
}

/** What is to be noted of an artifact. Pending: it could not be read yet, for that reason. */
export interface ArtifactVerdict extends ArtifactReference {
  readonly state: VerificationState;
  /** A sentence for a person; undefined when there is nothing to say. */
  readonly reason: string | undefined;
}

/** The part of the result store that reads results and artifacts back. Methods reject as those of {@link ResultStore} do. */
export interface Verification {
  /** Those of the results that are stored. */
  results(references: readonly AttemptReference[]): Promise<readonly ResultToVerify[]>;
  noteResults(verdicts: readonly ResultVerdict[]): Promise<void>;
  /** Those of the artifacts that are stored. */
  artifacts(references: readonly ArtifactReference[]): Promise<readonly ArtifactToVerify[]>;
  noteArtifacts(verdicts: readonly ArtifactVerdict[]): Promise<void>;
  counts(runUid: string): Promise<VerificationCounts>;
}
