import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aBatchTest } from '../../../test/builders/batch-test.ts';
import { aRun } from '../../../test/builders/run.ts';
import type { PodTemplate } from '../../api/v1alpha1/schema.ts';
import type { AttemptRequest } from '../engine.ts';
import { expandReferences } from '../program-environment.ts';
import { jobManifest } from './job-manifest.ts';

function aRequest(
  template?: PodTemplate,
  parameters: Record<string, string> = { CACHE: 'lru' },
): AttemptRequest {
  const run = aRun({
    namespace: 'team-a',
    variants: [{ name: 'the "lru" one', parameters }],
    ...(template === undefined ? {} : { template }),
  });
  const [trial] = run.trials;
  if (trial === undefined) throw new Error('the run has no trial');
  return { run, trial, attempt: 2, name: 'checkout-cache-lru-0123456789', deadlineSeconds: 3_660 };
}

const podOf = (template?: PodTemplate, parameters?: Record<string, string>) => {
  const pod = jobManifest(aRequest(template, parameters)).spec?.template;
  if (pod?.spec === undefined) throw new Error('the Job has no pod');
  return { metadata: pod.metadata, spec: pod.spec, program: pod.spec.containers[0] };
};

const image = 'example.com/bench:1';
const ours = (request: AttemptRequest) => ({
  'batchtest.dev/run-uid': request.run.uid,
  'batchtest.dev/variant-id': request.trial.variant.id,
  'batchtest.dev/repetition': '0',
  'batchtest.dev/attempt': '2',
});

describe('the Job of an attempt', () => {
  it('runs one pod once, and belongs to its BatchTest', () => {
    const request = aRequest();
    const { metadata, spec } = jobManifest(request);
    expect(spec).toMatchObject({
      backoffLimit: 0,
      completions: 1,
      parallelism: 1,
      podReplacementPolicy: 'Failed',
    });
    expect(spec).not.toHaveProperty('ttlSecondsAfterFinished');
    expect(metadata).toEqual({
      name: request.name,
      namespace: 'team-a',
      labels: ours(request),
      annotations: { 'batchtest.dev/variant-name': 'the "lru" one' },
      ownerReferences: [
        {
          apiVersion: 'batchtest.dev/v1alpha1',
          kind: 'BatchTest',
          name: 'checkout-cache',
          uid: request.run.uid,
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    });
  });

  it('is the same whenever it is asked for', () => {
    expect(JSON.stringify(jobManifest(aRequest()))).toBe(JSON.stringify(jobManifest(aRequest())));
  });

  it('carries the queue that the BatchTest is labelled with', () => {
    const request = aRequest();
    const manifest = aBatchTest({ namespace: 'team-a' });
    const labels = { 'kueue.x-k8s.io/queue-name': 'benchmarks', team: 'a' };
    const run = { ...request.run, manifest: { ...manifest, metadata: { ...manifest.metadata, labels } } };
    expect(jobManifest({ ...request, run }).metadata?.labels).toEqual({
      'kueue.x-k8s.io/queue-name': 'benchmarks',
      ...ours(request),
    });
  });
});

describe('the pod template', () => {
  it('keeps what the user wrote, but for metadata that could hijack the pod', () => {
    const metadata = {
      name: 'x',
      generateName: 'x-',
      namespace: 'kube-system',
      finalizers: ['example.com/keep'],
      ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'x', uid: 'x' }],
      labels: {
        team: 'a',
        'batchtest.dev/run-uid': 'forged',
        'batchtest.dev/other': 'forged',
        'job-name': 'forged',
        'batch.kubernetes.io/job-name': 'forged',
        'controller-uid': 'forged',
      },
      annotations: { note: 'kept', 'batchtest.dev/variant-name': 'forged' },
    };
    // The schema refuses most of this already, unless the object is older than the schema.
    const request = aRequest({
      spec: { nodeSelector: { disk: 'ssd' }, containers: [{ name: 'test', image }] },
    });
    const { manifest } = request.run;
    const template = { ...manifest.spec.template, metadata };
    const run = { ...request.run, manifest: { ...manifest, spec: { ...manifest.spec, template } } };
    const pod = jobManifest({ ...request, run }).spec?.template;
    expect(pod?.metadata).toEqual({
      labels: { team: 'a', ...ours(request) },
      annotations: {
        note: 'kept',
        'batchtest.dev/variant-name': 'the "lru" one',
        // A container that a webhook puts first is not taken for it.
        'kubectl.kubernetes.io/default-container': 'test',
      },
    });
    expect(pod?.spec?.nodeSelector).toEqual({ disk: 'ssd' });
    expect(pod?.spec?.restartPolicy).toBe('Never');
  });

  it('cannot say of a pod whose it is, whatever it is made of', () => {
    const name = fc.oneof(
      fc.constantFrom(
        ...Object.keys(ours(aRequest())),
        'batchtest.dev/variant-name',
        'job-name',
        'controller-uid',
      ),
      fc
        .tuple(fc.constantFrom('batchtest.dev/', 'batch.kubernetes.io/', 'example.com/'), fc.string())
        .map((parts) => parts.join('')),
    );
    const entries = fc.dictionary(name, fc.string());
    const owner = fc.record({
      apiVersion: fc.string(),
      kind: fc.string(),
      name: fc.string(),
      uid: fc.uuid(),
    });
    const metadata = fc.record({
      labels: entries,
      annotations: entries,
      ownerReferences: fc.array(owner),
    });
    fc.assert(
      fc.property(metadata, (metadata) => {
        const request = aRequest();
        const { manifest } = request.run;
        const template = { ...manifest.spec.template, metadata };
        const run = { ...request.run, manifest: { ...manifest, spec: { ...manifest.spec, template } } };
        const job = jobManifest({ ...request, run });
        expect(job.metadata?.ownerReferences?.map(({ uid }) => uid)).toEqual([run.uid]);
        const pod = job.spec?.template.metadata;
        expect(Object.keys(pod ?? {})).toEqual(['labels', 'annotations']);
        const program = { 'kubectl.kubernetes.io/default-container': 'test' };
        for (const [{ labels = {}, annotations = {} }, further] of [
          [job.metadata ?? {}, {}],
          [pod ?? {}, program],
        ] as const) {
          const told = Object.entries({ ...labels, ...annotations }).filter(
            ([name]) => !name.startsWith('example.com/'),
          );
          expect(Object.fromEntries(told)).toEqual({
            ...ours(request),
            'batchtest.dev/variant-name': 'the "lru" one',
            ...further,
          });
        }
      }),
    );
  });

  it('is not changed itself', () => {
    const request = aRequest();
    const before = JSON.stringify(request.run.manifest);
    jobManifest(request);
    expect(JSON.stringify(request.run.manifest)).toBe(before);
  });
});

describe('the program', () => {
  it('is told its trial first, literally, and what the template declares may refer to it', () => {
    const value = 'costs $(HOME) $$5 $';
    const { program } = podOf(
      {
        spec: { containers: [{ name: 'test', image, env: [{ name: 'FLAGS', value: '--cache=$(CACHE)' }] }] },
      },
      { CACHE: value },
    );
    const env = program?.env ?? [];
    expect(env.map(({ name }) => name)).toEqual([
      'CACHE',
      'BATCHTEST_VARIANT',
      'BATCHTEST_PARAMETERS',
      'BATCHTEST_REPETITION',
      'BATCHTEST_RESULT_FILE',
      'FLAGS',
    ]);
    // What a kubelet makes of it.
    const seen = new Map<string, string>();
    for (const { name, value = '' } of env) seen.set(name, expandReferences(value, seen));
    expect(Object.fromEntries(seen)).toMatchObject({
      CACHE: value,
      BATCHTEST_PARAMETERS: JSON.stringify({ CACHE: value }),
      BATCHTEST_RESULT_FILE: '/dev/termination-log',
      FLAGS: `--cache=${value}`,
    });
  });

  it('gets its parameters whatever the template declares under their names', () => {
    const secret = { name: 'CACHE', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } };
    const { program } = podOf({ spec: { containers: [{ name: 'test', image, env: [secret] }] } });
    expect(program?.env?.filter(({ name }) => name === 'CACHE')).toEqual([{ name: 'CACHE', value: 'lru' }]);
  });

  it('writes its result where the template says', () => {
    const { program } = podOf({
      spec: {
        containers: [
          { name: 'test', image, terminationMessagePath: '/tmp/result', terminationMessagePolicy: 'File' },
        ],
      },
    });
    expect(program?.env).toContainEqual({ name: 'BATCHTEST_RESULT_FILE', value: '/tmp/result' });
    expect(program).toMatchObject({
      terminationMessagePath: '/tmp/result',
      terminationMessagePolicy: 'FallbackToLogsOnError',
    });
  });

  it('shares its variant, not its result file, with the other containers', () => {
    const { spec } = podOf({
      spec: {
        initContainers: [{ name: 'prepare', image }],
        containers: [
          { name: 'test', image },
          { name: 'server', image },
        ],
      },
    });
    for (const container of [spec.initContainers?.[0], spec.containers[1]]) {
      const names = container?.env?.map(({ name }) => name);
      expect(names).toContain('CACHE');
      expect(names).not.toContain('BATCHTEST_RESULT_FILE');
    }
  });

  it.each([
    // Both deadlines, and five minutes.
    [undefined, 3_960],
    [30, 30],
    [9_999, 3_960],
  ])(
    'is ended by the kubelet when nobody else does: template %s, pod %i',
    (activeDeadlineSeconds, expected) => {
      const { spec } = podOf({
        spec: {
          containers: [{ name: 'test', image }],
          ...(activeDeadlineSeconds === undefined ? {} : { activeDeadlineSeconds }),
        },
      });
      expect(spec.activeDeadlineSeconds).toBe(expected);
    },
  );
});

describe('security', () => {
  it('is that of the restricted profile where the template says nothing', () => {
    const { spec } = podOf({
      spec: { initContainers: [{ name: 'prepare', image }], containers: [{ name: 'test', image }] },
    });
    expect(spec.automountServiceAccountToken).toBe(false);
    expect(spec.securityContext).toEqual({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
    for (const container of [...spec.containers, ...(spec.initContainers ?? [])])
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'] },
      });
  });

  it('is what the template says where it says something', () => {
    const { spec } = podOf({
      spec: {
        automountServiceAccountToken: true,
        securityContext: { seccompProfile: { type: 'Unconfined' }, fsGroup: 7 },
        containers: [
          {
            name: 'test',
            image,
            securityContext: { capabilities: { add: ['NET_BIND_SERVICE'] }, runAsUser: 1_000 },
          },
        ],
      },
    });
    expect(spec.automountServiceAccountToken).toBe(true);
    expect(spec.securityContext).toEqual({
      runAsNonRoot: true,
      seccompProfile: { type: 'Unconfined' },
      fsGroup: 7,
    });
    expect(spec.containers[0]?.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      capabilities: { add: ['NET_BIND_SERVICE'], drop: ['ALL'] },
      runAsUser: 1_000,
    });
  });

  it('contradicts neither who asks for root nor who asks for privileges', () => {
    const { spec } = podOf({
      spec: { containers: [{ name: 'test', image, securityContext: { privileged: true, runAsUser: 0 } }] },
    });
    expect(spec.securityContext).not.toHaveProperty('runAsNonRoot');
    expect(spec.containers[0]?.securityContext).toEqual({ privileged: true, runAsUser: 0 });
  });

  it('leaves out what Windows does not know', () => {
    const { spec } = podOf({ spec: { os: { name: 'windows' }, containers: [{ name: 'test', image }] } });
    expect(spec.securityContext).toEqual({ runAsNonRoot: true });
    expect(spec.containers[0]).not.toHaveProperty('securityContext');
  });
});

describe('shared data', () => {
  const spec = {
    sharedData: [
      { name: 'my-corpus', mountPath: '/data/corpus', configMap: { name: 'corpus' }, local: 'corpus' },
      { name: 'model', mountPath: '/model', persistentVolumeClaim: { claimName: 'model' } },
    ],
  };
  const template: PodTemplate = {
    spec: {
      volumes: [{ name: 'own', emptyDir: {} }],
      initContainers: [{ name: 'prepare', image }],
      containers: [
        { name: 'test', image, volumeMounts: [{ name: 'own', mountPath: '/own' }], args: ['$(X)'] },
        { name: 'helper', image },
      ],
    },
  };
  const request = (): AttemptRequest => ({
    ...aRequest(template),
    run: aRun({ namespace: 'team-a', variants: 1, template, spec }),
  });
  const pod = () => jobManifest(request()).spec?.template.spec;

  it('is mounted by reference and read-only into every container, beside what the template mounts', () => {
    expect(pod()?.volumes).toEqual([
      { name: 'own', emptyDir: {} },
      { name: 'batchtest-data-my-corpus', configMap: { name: 'corpus' } },
      { name: 'batchtest-data-model', persistentVolumeClaim: { claimName: 'model', readOnly: true } },
    ]);
    const mounts = [
      { name: 'batchtest-data-my-corpus', mountPath: '/data/corpus', readOnly: true },
      { name: 'batchtest-data-model', mountPath: '/model', readOnly: true },
    ];
    expect(pod()?.containers.map(({ volumeMounts }) => volumeMounts)).toEqual([
      [{ name: 'own', mountPath: '/own' }, ...mounts],
      mounts,
    ]);
    expect(pod()?.initContainers?.[0]?.volumeMounts).toEqual(mounts);
  });

  it('is told to every container, by name', () => {
    for (const container of [...(pod()?.containers ?? []), ...(pod()?.initContainers ?? [])])
      expect(container.env).toEqual(
        expect.arrayContaining([
          { name: 'BATCHTEST_SHARED_DATA', value: '{"my-corpus":"/data/corpus","model":"/model"}' },
          { name: 'BATCHTEST_SHARED_DATA_MY_CORPUS', value: '/data/corpus' },
          { name: 'BATCHTEST_SHARED_DATA_MODEL', value: '/model' },
        ]),
      );
  });
});

describe('a result that may be pushed', () => {
  const template: PodTemplate = {
    spec: {
      containers: [
        { name: 'test', image },
        { name: 'helper', image },
      ],
    },
  };
  const job = (push: boolean, certificateAuthority?: string) =>
    jobManifest(
      {
        ...aRequest(template),
        run: aRun({ namespace: 'team-a', variants: 1, template, spec: { results: { push } } }),
      },
      { url: 'https://ingest.test/v1/result', certificateAuthority },
    ).spec?.template;

  it('gives the program alone a token of its own for our audience, and still none for the API server', () => {
    const pod = job(true);
    expect(pod?.spec?.automountServiceAccountToken).toBe(false);
    expect(pod?.spec?.volumes).toEqual([
      {
        name: 'batchtest-result',
        projected: {
          sources: [
            {
              serviceAccountToken: {
                audience: 'batchtest.dev/results',
                expirationSeconds: 3_600,
                path: 'token',
              },
            },
          ],
        },
      },
    ]);
    const [program, helper] = pod?.spec?.containers ?? [];
    const folder = '/var/run/secrets/batchtest.dev/result';
    expect(program?.volumeMounts).toEqual([{ name: 'batchtest-result', mountPath: folder, readOnly: true }]);
    expect(program?.env).toEqual(
      expect.arrayContaining([
        { name: 'BATCHTEST_RESULT_URL', value: 'https://ingest.test/v1/result' },
        { name: 'BATCHTEST_TOKEN_FILE', value: `${folder}/token` },
      ]),
    );
    expect(helper?.volumeMounts).toBeUndefined();
    expect(JSON.stringify([helper, program?.env])).not.toContain('BATCHTEST_RESULT_CA_FILE');
    expect(JSON.stringify(helper)).not.toContain('BATCHTEST_RESULT');
    expect(JSON.stringify(helper)).not.toContain('BATCHTEST_TOKEN');
  });

  it('carries the certificates to the pod, as a file beside the token', () => {
    const pod = job(true, 'PEM');
    expect(pod?.metadata?.annotations).toMatchObject({ 'batchtest.dev/result-ca': 'PEM' });
    expect(pod?.spec?.volumes?.[0]?.projected?.sources?.[1]).toEqual({
      downwardAPI: {
        items: [
          { path: 'ca.crt', fieldRef: { fieldPath: "metadata.annotations['batchtest.dev/result-ca']" } },
        ],
      },
    });
    expect(pod?.spec?.containers[0]?.env).toContainEqual({
      name: 'BATCHTEST_RESULT_CA_FILE',
      value: '/var/run/secrets/batchtest.dev/result/ca.crt',
    });
  });

  it('leaves the pod as it is when the BatchTest does not ask for it', () => {
    const pod = job(false, 'PEM');
    expect(pod?.spec).not.toHaveProperty('volumes');
    expect(JSON.stringify(pod)).not.toMatch(/RESULT_URL|TOKEN_FILE|result-ca/);
  });
});
