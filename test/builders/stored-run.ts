import { batchTestSchema, type Objective } from '../../src/api/v1alpha1/schema.ts';
import type { Outcome } from '../../src/core/outcome.ts';
import type { StoredRun, StoredTrialDetails } from '../../src/results/result-store.ts';

/** One trial of a variant: its metrics when it succeeded, else what became of it. */
export type TrialStory =
  | Readonly<Record<string, number>>
  | 'pending'
  | 'cancelled'
  | 'skipped'
  | { readonly failed: Outcome; readonly reason?: string; readonly message?: string; readonly logs?: string };

export interface VariantStory {
  readonly name: string;
  readonly parameters?: Readonly<Record<string, string>>;
  readonly trials: readonly TrialStory[];
  readonly stoppedAtLook?: number;
}

const OBJECTIVE: Objective = { metrics: [{ name: 'p95_ms', goal: 'minimize', weight: '1' }] };

/** A run of 4 minutes and 12 seconds that stored what the variants tell. Complete, or Failed when a trial did. */
export function aStoredRun({
  variants,
  objective = OBJECTIVE,
  ...overrides
}: {
  readonly variants: readonly VariantStory[];
  readonly objective?: Objective;
} & Partial<Omit<StoredRun, 'variants'>>): StoredRun {
  const trialDetails = variants.flatMap(({ trials }, position) =>
    trials.map((story, repetition) => trialDetailsOf(story, variantId(position), repetition)),
  );
  const count = (phase: StoredTrialDetails['phase']): number =>
    trialDetails.filter((trial) => trial.phase === phase).length;
  const failed = count('Failed');
  return {
    uid: '0f9c1a2b-7d1e-4d3a-9b60-2f5a3a9c1d11',
    name: 'checkout-cache',
    namespace: undefined,
    workflowId: 'checkout',
    engine: 'local',
    state: failed > 0 ? 'Failed' : 'Complete',
    reason: failed > 0 ? 'VariantsFailed' : 'AllTrialsSucceeded',
    message: failed > 0 ? 'variants failed' : `all ${trialDetails.length} trials succeeded`,
    isInterrupted: false,
    startedAt: new Date('2026-11-24T10:00:00.123Z'),
    finishedAt: new Date('2026-11-24T10:04:12.123Z'),
    trials: {
      total: trialDetails.length,
      pending: count('Pending'),
      succeeded: count('Succeeded'),
      failed,
      cancelled: count('Cancelled'),
      skipped: count('Skipped'),
      reused: 0,
    },
    manifest: batchTestSchema.parse({
      apiVersion: 'batchtest.dev/v1alpha1',
      kind: 'BatchTest',
      metadata: { name: 'checkout-cache' },
      spec: {
        variants: [{ name: 'not-looked-at' }],
        template: { spec: { containers: [{ name: 'test', image: 'example.com/bench:1' }] } },
        objective,
      },
    }),
    directory: undefined,
    seed: 1,
    variants: variants.map(({ name, parameters = {}, stoppedAtLook }, position) => ({
      id: variantId(position),
      name,
      parameters,
      stoppedAtLook,
    })),
    previousRun: undefined,
    trialDetails,
    verification: { counts: { artifacts: NONE_VERIFIED, results: NONE_VERIFIED }, problems: [] },
    ...overrides,
  };
}

const NONE_VERIFIED = { pending: 0, verified: 0, mismatched: 0, missing: 0 };

const variantId = (position: number): string => position.toString(16).padStart(16, '0');

function trialDetailsOf(story: TrialStory, variantId: string, repetition: number): StoredTrialDetails {
  const nothing = {
    variantId,
    repetition,
    metrics: new Map<string, number>(),
    outputs: undefined,
    reusedFrom: undefined,
  };
  if (story === 'pending') return { ...nothing, phase: 'Pending', attempts: [] };
  if (story === 'cancelled') return { ...nothing, phase: 'Cancelled', attempts: [] };
  if (story === 'skipped') return { ...nothing, phase: 'Skipped', attempts: [] };
  if (isFailure(story))
    return {
      ...nothing,
      phase: 'Failed',
      attempts: [
        anAttempt({
          outcome: story.failed,
          reason: story.reason ?? 'NonZeroExitCode',
          message: story.message ?? 'exit code 1',
          exitCode: 1,
          logs: story.logs,
        }),
      ],
    };
  return {
    ...nothing,
    phase: 'Succeeded',
    metrics: new Map(Object.entries(story)),
    attempts: [anAttempt({})],
  };
}

const isFailure = (story: Exclude<TrialStory, string>): story is Extract<TrialStory, { failed: Outcome }> =>
  typeof story.failed === 'string';

/** A successful first attempt but for what is given. */
export const anAttempt = (
  overrides: Partial<StoredTrialDetails['attempts'][number]>,
): StoredTrialDetails['attempts'][number] => ({
  attempt: 1,
  name: 'checkout-cache-variant-0123456789',
  outcome: 'Succeeded',
  reason: 'Completed',
  message: '',
  exitCode: 0,
  startedAt: new Date('2026-11-24T10:00:01Z'),
  finishedAt: new Date('2026-11-24T10:00:02Z'),
  logs: undefined,
  ...overrides,
});
