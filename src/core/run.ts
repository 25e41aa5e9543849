import { validateServedManifest } from '../api/v1alpha1/manifest.ts';
import { type BatchTest, type BatchTestSpec, IMMUTABLE_FIELDS } from '../api/v1alpha1/schema.ts';
import { refuseFloatingImages } from './floating-images.ts';
import type { Explanation } from './status.ts';
import { type Trial, trialOrderSeed, trialsInOrder } from './trial.ts';
import { expandVariants, type Variant } from './variants.ts';

export type EngineName = 'local' | 'kubernetes';

/** One execution of a BatchTest: everything about it that does not change while it runs. */
export interface RunDefinition {
  /** The key of everything the run owns: the object's UID in a cluster, a new UUID locally. Never its name. */
  readonly uid: string;
  readonly name: string;
  /** The object's namespace; undefined for a local run. */
  readonly namespace: string | undefined;
  readonly workflowId: string;
  readonly engine: EngineName;
  /** Where the manifest of a local run is; undefined in a cluster. */
  readonly directory: string | undefined;
  readonly manifest: BatchTest;
  readonly variants: readonly Variant[];
  /** Seed of the order of `trials`. */
  readonly seed: number;
  /** In the order in which they start. */
  readonly trials: readonly Trial[];
}

/** What a user may change, or ask for, while the run is under way. */
export interface RunControls
  extends Pick<
    BatchTestSpec,
    | 'parallelism'
    | 'scaleDownPolicy'
    | 'trialDeadlineSeconds'
    | 'trialStartDeadlineSeconds'
    | 'maxPending'
    | 'maxFailedVariants'
    | 'podCleanupPolicy'
  > {
  /** Why the run is to be ended for good. */
  readonly cancel: 'Requested' | 'Deleted' | undefined;
  /** What is wrong with the object as it is now, so that its run is to be ended; undefined for nothing. */
  readonly invalidSpec: string | undefined;
  /** Nothing runs and nothing starts until it is false again. */
  readonly suspended: boolean;
  /** When the run is over its deadline (milliseconds since the epoch); undefined for never. */
  readonly deadlineAt: number | undefined;
  /**
   * Until when the attempts are known to be as they are shown (milliseconds since the epoch): a cluster that cannot be asked tells nothing of what ended since.
   * No attempt is late by a time after that.
   */
  readonly seenUntil: number;
  /** Since when it is known what is wanted of attempts that go on (milliseconds since the epoch): that they end, or that they may go on. */
  readonly wantedSince: number;
  /** How soon it is asked again whether an attempt ended in time, in milliseconds, while that cannot be seen. */
  readonly unseenRetryMs: number;
  /** How many may be started by this decision: fewer than there are slots while many starts are not answered yet, or are being refused for now. */
  readonly startBudget: number;
  /** How long what has ended is kept after its end was stored, in milliseconds: cleaning up must not hold up what is to start in its place. */
  readonly removalDelayMs: number;
  /** Why starts are being refused for now; undefined while they are not. */
  readonly postponed: Explanation | undefined;
}

/**
 * The run that a manifest describes.
 * @throws InvalidBatchTestError as {@link expandVariants} and {@link refuseFloatingImages} do.
 */
export function defineRun(
  manifest: BatchTest,
  identity: { readonly uid: string; readonly engine: EngineName; readonly directory?: string | undefined },
): RunDefinition {
  if (identity.engine === 'kubernetes') refuseFloatingImages(manifest.spec);
  const { uid, engine, directory } = identity;
  const { name, namespace } = manifest.metadata;
  const workflowId = manifest.spec.workflowId ?? name;
  const variants = expandVariants(manifest.spec);
  return withTrials({ uid, name, namespace, workflowId, engine, manifest, variants }, directory);
}

/** What is stored of a run as far as it defines it. */
export type BegunRun = Pick<
  RunDefinition,
  'uid' | 'name' | 'namespace' | 'workflowId' | 'engine' | 'manifest' | 'variants'
>;

/**
 * A run as it was begun, for when its object does not tell any more what it consists of: its variants are those that are stored, whatever this version would make
 * of the manifest.
 */
export function runAsBegun(stored: BegunRun, directory: string | undefined): RunDefinition {
  const { uid, name, namespace, workflowId, engine, manifest } = stored;
  const variants = stored.variants.map(({ id, name, parameters }): Variant => ({ id, name, parameters }));
  return withTrials({ uid, name, namespace, workflowId, engine, manifest, variants }, directory);
}

/**
 * A run that goes on, as an earlier process began it. What cannot be changed of an object is as it is stored: the API server takes many lists in another order for the
 * same, and by that order variants are identified and named (docs/decisions/0027-a-run-goes-on-as-it-was-begun.md).
 * @param described by the object as it is now
 */
export function runGoingOn(
  described: RunDefinition,
  begun: Pick<BegunRun, 'manifest' | 'variants'>,
): RunDefinition {
  const { manifest, directory } = described;
  // What a later version has stored may be none that this one would begin.
  const read = validateServedManifest({ ...begun.manifest }, described.name);
  const stored = read.ok ? read.batchTest.spec : begun.manifest.spec;
  const kept = IMMUTABLE_FIELDS.filter((field) => stored[field] !== undefined).map((field) => [
    field,
    stored[field],
  ]);
  const spec: BatchTestSpec = { ...manifest.spec, ...Object.fromEntries(kept) };
  return runAsBegun({ ...described, manifest: { ...manifest, spec }, variants: begun.variants }, directory);
}

function withTrials(run: BegunRun, directory: string | undefined): RunDefinition {
  const seed = trialOrderSeed(run.uid);
  return {
    ...run,
    directory,
    seed,
    trials: trialsInOrder(run.variants, run.manifest.spec.repetitions, seed),
  };
}
