import { expect, it } from 'vitest';
import { RunNotBegunError, RunTakenOverError } from '../runner/errors.ts';
import { explainFailure } from './failure.ts';

it('tells of a run that was cancelled before it began as of a cancelled one', () => {
  const text = 'cancelled before BatchTest team-a/cache was created: nothing of it was started';
  expect(explainFailure(new RunNotBegunError(text))).toEqual({ exitCode: 4, text });
});

it('does not blame the user for a run that another process has taken over', () => {
  const text = 'run 1 is no longer this process’ own';
  expect(explainFailure(new RunTakenOverError(text))).toEqual({ exitCode: 3, text });
});
