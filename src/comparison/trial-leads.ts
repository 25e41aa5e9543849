import { type Candidate, trialCount } from './candidate.ts';
import { leadOn, type ObjectiveMeans, type ScoreScale } from './score.ts';

/**
 * By how much the score of each trial of a candidate is above that of some means, which is what candidates are tested by: the differences of
 * their means are those of their scores. Relative to one of the two that are compared, because what a trial's score deviates by is too small to be
 * told beside the score itself when another candidate, far away, makes the range.
 */
export const trialLeads = (
  scale: ScoreScale,
  candidate: Candidate,
  over: ObjectiveMeans,
): readonly number[] =>
  Array.from({ length: trialCount(candidate) }, (_, trial) =>
    leadOn(
      scale,
      candidate.samples.map((values) => values[trial] ?? Number.NaN),
      over,
    ),
  );
