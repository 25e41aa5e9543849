import { expect, it } from 'vitest';
import { ApiError } from './api-error.ts';
import { staleView } from './view-health.ts';

const MINUTE_MS = 60_000;
const path = '/api/v1/namespaces/b/pods';
const problem = (statusCode: number) => ({
  path,
  error: new ApiError('list', statusCode, { message: 'no' }),
  retryInMs: 30_000,
});
const seenMinutesAgo = (minutes: number, statusCode?: number) =>
  staleView(
    [
      { path: '/api/v1/namespaces/a/pods', lastActivityAt: 60 * MINUTE_MS, lastProblem: undefined },
      {
        path,
        lastActivityAt: (60 - minutes) * MINUTE_MS,
        lastProblem: statusCode === undefined ? undefined : problem(statusCode),
      },
    ],
    60 * MINUTE_MS,
  );

it('names the view that heard nothing for more than ten minutes', () => {
  expect(seenMinutesAgo(10)).toBeUndefined();
  expect(seenMinutesAgo(11)).toBe(`nothing was heard of ${path} for 10 minutes`);
  expect(seenMinutesAgo(11, 500)).toContain(path);
});

it('has nothing against one that it is forbidden to see: to begin anew would not help', () => {
  expect(seenMinutesAgo(11, 403)).toBeUndefined();
});
