import * as z from 'zod';
import { FINAL_CONDITIONS } from './constants.ts';

const count = z.int().min(0);

/** Names in `best.ties`. A status must stay small however many variants there are; reports list all. */
export const STATUS_TIES_LIMIT = 10;

/** A condition as of meta/v1. `observedGeneration` says which spec it speaks of. */
export const conditionSchema = z.strictObject({
  type: z
    .string()
    .max(316)
    .describe('Progressing, Complete, Failed, Suspended, Cancelled or ResultStoreAvailable.'),
  status: z.enum(['True', 'False', 'Unknown']).describe('Whether it is so.'),
  reason: z.string().min(1).max(1_024).describe('Why, as one word for programs.'),
  message: z.string().max(32_768).describe('Why, for people.'),
  lastTransitionTime: z
    .string()
    .meta({ format: 'date-time' })
    .describe('When the status of the condition changed last.'),
  observedGeneration: count.optional().describe('The metadata.generation that the condition speaks of.'),
});

const finalTypes = JSON.stringify(FINAL_CONDITIONS);

/**
 * The end of a run is not taken back: an operator that went on after another had taken over could know less than is told already. Whoever
 * writes a status that does is refused by the API server, in the same moment in which it would be stored.
 */
const endIsKept = {
  rule: `oldSelf.all(before, !(before.type in ${finalTypes}) || before.status != 'True' || self.exists(now, now.type == before.type && now.status == 'True'))`,
  message: 'the end of a run is not taken back',
};

/**
 * The status of a BatchTest. Its size does not depend on the number of variants: everything per variant is in Postgres.
 */
export const batchTestStatusSchema = z.strictObject({
  observedGeneration: count.optional().describe('The metadata.generation that the status speaks of.'),
  runUid: z.string().optional().describe('Key of the run in the result store: the UID of the object.'),
  startTime: z
    .string()
    .meta({ format: 'date-time' })
    .optional()
    .describe(
      'Since when the run may run: spec.activeDeadlineSeconds counts from here. Absent while it is suspended.',
    ),
  completionTime: z.string().meta({ format: 'date-time' }).optional().describe('When the run ended.'),
  trials: z
    .strictObject({
      total: count.describe('Trials of the whole run: variants times repetitions.'),
      pending: count.describe('Trials that have not started, or wait for another attempt.'),
      running: count.describe('Trials that have a live attempt, started or not.'),
      succeeded: count.describe('Trials that succeeded.'),
      failed: count.describe('Trials that failed and are not tried again.'),
      cancelled: count.describe('Trials that were not run to their end because the run was ended.'),
      skipped: count
        .optional()
        .describe(
          'Trials that need not be run: of variants that were stopped early, and those left when a target was met.',
        ),
      reused: count
        .optional()
        .describe(
          'Of the succeeded ones those whose result was taken over from an earlier run (spec.reusePolicy).',
        ),
    })
    .optional()
    .describe('Counts of trials.'),
  variants: z
    .strictObject({
      total: count.describe('Variants of the run.'),
      succeeded: count.describe('Variants all of whose trials succeeded.'),
      failed: count.describe('Variants that have a failed trial.'),
      stoppedEarly: count
        .optional()
        .describe('Variants that were stopped early (spec.comparison.earlyStopping).'),
    })
    .optional()
    .describe('Counts of variants.'),
  best: z
    .strictObject({
      name: z.string().describe('Name of the variant.'),
      score: z
        .string()
        .describe('Between 0 (worst on every metric) and 1 (best on every metric), as a decimal.'),
      ties: z
        .array(z.string())
        .max(STATUS_TIES_LIMIT)
        .meta({ 'x-kubernetes-list-type': 'set' })
        .optional()
        .describe(
          'Once the run is over: the first of the other variants that cannot be told apart from the best.',
        ),
      tieCount: count
        .optional()
        .describe('Once the run is over: how many variants cannot be told apart from the best.'),
    })
    .optional()
    .describe('The best variant so far; final when the run has ended.'),
  gate: z
    .enum(['Passed', 'Failed'])
    .optional()
    .describe('Once a run with spec.comparison.gates is over: whether it keeps them all.'),
  artifacts: z
    .strictObject({
      tracked: count.describe('Files that results tell of.'),
      verified: count.describe('Those that were read back and are what the result tells.'),
      mismatched: count.describe('Those that are something else.'),
      missing: count.describe('Those that are not there, or in no configured artifact store.'),
    })
    .optional()
    .describe('Of a run with artifacts. It may change once more after the end of the run.'),
  results: z
    .strictObject({
      mismatched: count.describe('Stored results that do not read back as what was reported.'),
      missing: count.describe('Results that were stored and are not there.'),
    })
    .optional()
    .describe('Absent while every stored result that was read back is what was reported.'),
  conditions: z
    .array(conditionSchema)
    .max(16)
    .meta({
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['type'],
      'x-kubernetes-validations': [endIsKept],
    })
    .optional()
    .describe('What holds of the run, for kubectl wait among others.'),
});

export type BatchTestStatus = z.output<typeof batchTestStatusSchema>;
export type Condition = z.output<typeof conditionSchema>;
