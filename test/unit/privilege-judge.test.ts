import { describe, expect, it } from 'vitest';
import { type Grant, judgePrivileges } from '../integration/privilege-judge.ts';
import type { AuditEvent } from '../tools/audit-log.ts';

const grant = (rule: Partial<Grant['rules'][number]>, namespace?: string): Grant => ({
  role: 'operator',
  namespace,
  rules: [{ apiGroups: ['batch'], resources: ['jobs'], verbs: ['create'], ...rule }],
});

const event = (
  verb: string,
  objectRef: Partial<NonNullable<AuditEvent['objectRef']>> = {},
  rest: Partial<AuditEvent> = {},
): AuditEvent => ({
  stage: 'ResponseComplete',
  requestReceivedTimestamp: '2026-11-29T10:00:00.000000Z',
  verb,
  requestURI: '/apis/batch/v1/namespaces/team/jobs',
  user: { username: 'operator' },
  objectRef: { apiGroup: 'batch', resource: 'jobs', namespace: 'team', ...objectRef },
  responseStatus: { code: 200 },
  ...rest,
});

const NOTHING_WRONG = { refused: [], ungranted: [], unused: [] };

describe('the judge of privileges', () => {
  it('has nothing to say when everything granted was used, and nothing else', () => {
    const grants = [grant({ verbs: ['create', 'list'] }, 'team')];
    expect(judgePrivileges(grants, [event('create'), event('list'), event('list')])).toEqual(NOTHING_WRONG);
    expect(judgePrivileges([], [])).toEqual(NOTHING_WRONG);
  });

  it('names each verb that was granted and not used', () => {
    const grants = [
      grant({ verbs: ['list', 'watch'] }),
      grant({ apiGroups: [''], resources: ['pods', 'pods/log'], verbs: ['get'] }),
    ];
    expect(judgePrivileges(grants, [event('list')]).unused).toEqual([
      'operator: watch jobs.batch',
      'operator: get pods',
      'operator: get pods/log',
    ]);
  });

  it.each([
    ['deletecollection', 'delete'],
    ['update', 'patch'],
    ['watch', 'list'],
  ])('takes %s for something else than %s', (granted, done) => {
    const verdict = judgePrivileges([grant({ verbs: [granted] })], [event(done)]);
    expect(verdict).toEqual({
      refused: [],
      ungranted: [`${done} jobs.batch in team`],
      unused: [`operator: ${granted} jobs.batch`],
    });
  });

  it('takes a subresource, another group and another namespace for something else', () => {
    const grants = [grant({ verbs: ['patch'] }, 'team')];
    const elsewhere = [
      event('patch', { subresource: 'status' }),
      event('patch', { apiGroup: 'batch.example.com' }),
      event('patch', { namespace: 'other' }),
    ];
    const verdict = judgePrivileges(grants, elsewhere);
    expect(verdict.unused).toEqual(['operator: patch jobs.batch']);
    expect(verdict.ungranted).toEqual([
      'patch jobs/status.batch in team',
      'patch jobs.batch.example.com in team',
      'patch jobs.batch in other',
    ]);
  });

  it('does not take the right in one namespace for that in all', () => {
    const all = event('list', {});
    const { namespace: _, ...objectRef } = all.objectRef ?? { resource: '' };
    const verdict = judgePrivileges([grant({ verbs: ['list'] }, 'team')], [{ ...all, objectRef }]);
    expect(verdict.ungranted).toEqual(['list jobs.batch of all namespaces']);
    expect(judgePrivileges([grant({ verbs: ['list'] })], [{ ...all, objectRef }, all])).toEqual(
      NOTHING_WRONG,
    );
  });

  it('honours names, which are not known of what is created', () => {
    const grants = [grant({ verbs: ['get', 'create'], resourceNames: ['mine'] })];
    expect(judgePrivileges(grants, [event('get', { name: 'mine' })]).unused).toEqual([
      'operator: create jobs.batch',
    ]);
    expect(
      judgePrivileges(grants, [event('get', { name: 'yours' }), event('create', { name: 'mine' })]).ungranted,
    ).toEqual(['get jobs.batch yours in team', 'create jobs.batch in team']);
  });

  it('tells of each request that was refused, whatever was granted', () => {
    const refused = event('create', {}, { responseStatus: { code: 403, message: 'exceeded quota' } });
    expect(judgePrivileges([grant({})], [refused, refused]).refused).toEqual([
      'create /apis/batch/v1/namespaces/team/jobs: exceeded quota',
    ]);
  });

  it('tells of requests that are for no resource', () => {
    const { objectRef: _, ...version } = event('get', {}, { requestURI: '/version' });
    expect(judgePrivileges([], [version]).ungranted).toEqual(['get /version']);
  });

  it('counts an owner that waits for what is created as a use of its finalizers', () => {
    const finalizers = grant({
      apiGroups: ['batchtest.dev'],
      resources: ['batchtests/finalizers'],
      verbs: ['update'],
    });
    const owned = (blockOwnerDeletion: boolean) =>
      event(
        'create',
        {},
        {
          requestObject: {
            metadata: {
              ownerReferences: [
                {
                  apiVersion: 'batchtest.dev/v1alpha1',
                  kind: 'BatchTest',
                  name: 'cache',
                  blockOwnerDeletion,
                },
              ],
            },
          },
        },
      );
    expect(judgePrivileges([grant({}), finalizers], [owned(true)])).toEqual(NOTHING_WRONG);
    expect(judgePrivileges([grant({}), finalizers], [owned(false)]).unused).toEqual([
      'operator: update batchtests/finalizers.batchtest.dev',
    ]);
    expect(judgePrivileges([grant({})], [owned(true)]).ungranted).toEqual([
      'update batchtests/finalizers.batchtest.dev cache in team',
    ]);
  });

  it('takes a wildcard for a right that is never used', () => {
    expect(judgePrivileges([grant({ verbs: ['*'] })], [event('create')]).unused).toEqual([
      'operator: * jobs.batch',
    ]);
  });
});
