import { expect, it } from 'vitest';
import { ApiError, type StatusDetails } from './api-error.ts';
import { outcomeOfRefusal } from './start-outcome.ts';

const refusal = (status: number, message: string, details: StatusDetails = {}) =>
  outcomeOfRefusal(
    new ApiError('POST', status, { message, details }),
    /^pods|^Pod/i.test(message) ? 'Pod' : 'Job',
  );

// Messages as an API server 1.34 words them.
it.each([
  [
    403,
    'jobs.batch "x" is forbidden: exceeded quota: q, requested: count/jobs.batch=1, used: 3, limited: 3',
    'Postponed',
    'QuotaExceeded',
  ],
  [
    403,
    'jobs.batch is forbidden: User "u" cannot create resource "jobs" in API group "batch" in the namespace "n"',
    'Postponed',
    'Forbidden',
  ],
  [
    403,
    'jobs.batch "x" is forbidden: cannot set blockOwnerDeletion if an ownerReference refers to a resource you can\'t set finalizers on: , <nil>',
    'Postponed',
    'Forbidden',
  ],
  [
    403,
    "jobs.batch \"x\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
    'Refused',
    'AdmissionDenied',
  ],
  [400, 'admission webhook "w" denied the request: no', 'Refused', 'AdmissionDenied'],
  [
    422,
    'Job.batch "x" is invalid: spec.template.spec.containers[0].image: Required value',
    'Refused',
    'InvalidJob',
  ],
  [422, 'Pod "x" is invalid: spec.containers[0].image: Required value', 'Refused', 'InvalidPod'],
  [
    403,
    'pods "x" is forbidden: exceeded quota: q, requested: pods=1, used: 3, limited: 3',
    'Postponed',
    'QuotaExceeded',
  ],
  [
    403,
    'pods "x" is forbidden: error looking up service account n/default: serviceaccount "default" not found',
    'Postponed',
    'ServiceAccountMissing',
  ],
  [
    403,
    'pods "x" is forbidden: violates PodSecurity "restricted:latest": privileged',
    'Refused',
    'AdmissionDenied',
  ],
  [413, 'Request entity too large: limit is 3145728', 'Refused', 'InvalidJob'],
  [404, 'namespaces "n" not found', 'Postponed', 'NamespaceTerminating'],
  [401, 'Unauthorized', 'Postponed', 'Unauthorized'],
  [
    409,
    'Operation cannot be fulfilled on resourcequotas "q": the object has been modified',
    'Postponed',
    'Conflict',
  ],
  [429, 'too many requests', 'Postponed', 'TooManyRequests'],
  [
    500,
    'Internal error occurred: failed calling webhook "w": connection refused',
    'Postponed',
    'ServerUnavailable',
  ],
  [504, 'Timeout: request did not complete within the allotted timeout', 'Postponed', 'ServerUnavailable'],
])('HTTP %i "%s" is %s: %s', (status, message, kind, reason) => {
  expect(refusal(status, message)).toMatchObject({
    kind,
    reason,
    // What is to be tried again is told without the name of the one that was tried.
    message: kind === 'Postponed' ? message.replace(/^(jobs\.batch|pods) "x" is forbidden: /, '') : message,
  });
});

it('postpones for a namespace that is being deleted', () => {
  const causes = [
    {
      reason: 'NamespaceTerminating',
      message: 'namespace n is being terminated',
      field: 'metadata.namespace',
    },
  ];
  expect(
    refusal(403, 'unable to create new content in namespace n because it is being terminated', { causes }),
  ).toMatchObject({
    kind: 'Postponed',
    reason: 'NamespaceTerminating',
  });
});

it.each([
  [408, true],
  [429, undefined],
  [409, undefined],
  [500, true],
  [502, true],
  [504, true],
])('HTTP %i says that it may have been started: %s', (status, mayHaveStarted) => {
  const outcome = refusal(status, 'x');
  expect(outcome.kind === 'Postponed' ? outcome.mayHaveStarted : outcome).toBe(mayHaveStarted);
});

it('asks again when the server said to', () => {
  expect(refusal(500, 'x', { retryAfterSeconds: 9 })).toMatchObject({ retryAfterMs: 9_000 });
});
