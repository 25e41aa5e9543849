import { describe, expect, it } from 'vitest';
import { type BatchTest, type BatchTestManifest, batchTestSchema } from '../../api/v1alpha1/schema.ts';
import { unsupportedLocally } from './unsupported-locally.ts';

type Spec = BatchTestManifest['spec'];

function aManifest(pod: object, spec: Partial<Spec> = {}): BatchTest {
  return batchTestSchema.parse({
    apiVersion: 'batchtest.dev/v1alpha1',
    kind: 'BatchTest',
    metadata: { name: 'sample' },
    spec: {
      variants: [{ name: 'a', parameters: { MODE: 'fast' } }],
      objective: { metrics: [{ name: 'x', goal: 'minimize' }] },
      template: { spec: { restartPolicy: 'Never', containers: [{ name: 'test', image: 'i' }], ...pod } },
      ...spec,
    },
  });
}

const withContainer = (container: object, spec: Partial<Spec> = {}): BatchTest =>
  aManifest({ containers: [{ name: 'test', image: 'i', ...container }] }, spec);

const fromSecret = { secretKeyRef: { name: 's', key: 'k' } };

/** `field severity` of each finding. */
const findings = (manifest: BatchTest): readonly string[] =>
  unsupportedLocally(manifest).map(({ field, severity }) => `${field} ${severity}`);

describe('unsupportedLocally', () => {
  it('refuses shared data without a place on this machine, and warns of args that name its place in a pod', () => {
    const data = { name: 'my-corpus', mountPath: '/data', configMap: { name: 'c' } };
    const args = ['--from=/data/x'];
    expect(findings(withContainer({ args }, { sharedData: [data] }))).toEqual([
      'spec.sharedData[0].local error',
    ]);
    const [finding, ...others] = unsupportedLocally(
      withContainer({ args }, { sharedData: [{ ...data, local: 'corpus' }] }),
    );
    expect(others).toEqual([]);
    expect(finding).toEqual({
      field: 'spec.template.spec.containers[0]',
      problem:
        'names /data, which is not there locally; $(BATCHTEST_SHARED_DATA_MY_CORPUS) is the path in both',
      severity: 'warning',
    });
    const local = { args: ['$(BATCHTEST_SHARED_DATA_MY_CORPUS)'] };
    expect(findings(withContainer({ args }, { local, sharedData: [{ ...data, local: 'corpus' }] }))).toEqual(
      [],
    );
  });

  it('finds nothing in what a process can have', () => {
    const manifest = withContainer({
      imagePullPolicy: 'Always',
      command: ['a'],
      args: ['b'],
      env: [{ name: 'A', value: 'b' }, { name: 'EMPTY' }],
      terminationMessagePolicy: 'FallbackToLogsOnError',
    });
    expect(findings(manifest)).toEqual([]);
  });

  it('is an error where a variable would have no value', () => {
    const manifest = withContainer({
      env: [
        { name: 'A', value: 'b' },
        { name: 'TOKEN', valueFrom: fromSecret },
      ],
      envFrom: [{ configMapRef: { name: 'c' } }],
    });
    expect(unsupportedLocally(manifest)).toEqual([
      {
        field: 'spec.template.spec.containers[0].env[1].valueFrom',
        problem: 'cannot be read locally: give TOKEN a value in spec.local.env',
        severity: 'error',
      },
      {
        field: 'spec.template.spec.containers[0].envFrom[0]',
        problem: 'cannot be read locally: give its variables values in spec.local.env',
        severity: 'error',
      },
    ]);
  });

  it('accepts a value from local.env or from a parameter of every variant', () => {
    const env = [
      { name: 'TOKEN', valueFrom: fromSecret },
      { name: 'MODE', valueFrom: fromSecret },
    ];
    expect(findings(withContainer({ env }, { local: { env: { TOKEN: 't' } } }))).toEqual([]);
  });

  it('does not accept a parameter that some variant lacks', () => {
    const env = [{ name: 'MODE', valueFrom: fromSecret }];
    const valueFrom = 'spec.template.spec.containers[0].env[0].valueFrom error';
    const lacking = { variants: [{ name: 'a', parameters: { MODE: 'fast' } }, { name: 'b' }] };
    expect(findings(withContainer({ env }, lacking))).toEqual([valueFrom]);
    const matrix = { parameters: [{ name: 'OTHER', values: ['1'] }] };
    expect(findings(withContainer({ env }, { matrix }))).toEqual([valueFrom]);
    const covering = { parameters: [{ name: 'MODE', values: ['1'] }] };
    expect(findings(withContainer({ env }, { matrix: covering }))).toEqual([]);
  });

  it('only warns of envFrom once local.env gives values', () => {
    const manifest = withContainer(
      { envFrom: [{ secretRef: { name: 's' } }] },
      { local: { env: { A: 'b' } } },
    );
    expect(findings(manifest)).toEqual(['spec.template.spec.containers[0].envFrom[0] warning']);
  });

  it('warns of what makes no difference to a process', () => {
    const manifest = aManifest({
      nodeSelector: { gpu: 'yes' },
      terminationGracePeriodSeconds: 5,
      initContainers: [{ name: 'prepare', image: 'i' }],
      volumes: [{ name: 'data', emptyDir: {} }],
      containers: [
        { name: 'test', image: 'i', resources: {}, volumeMounts: [{ name: 'data', mountPath: '/data' }] },
        { name: 'sidecar', image: 'i' },
      ],
    });
    expect(findings(manifest)).toEqual([
      'spec.template.spec.nodeSelector warning',
      'spec.template.spec.initContainers warning',
      'spec.template.spec.volumes warning',
      'spec.template.spec.containers[1] warning',
      'spec.template.spec.containers[0].resources warning',
      'spec.template.spec.containers[0].volumeMounts warning',
    ]);
  });

  it('looks at the container that is the program', () => {
    const template = {
      metadata: { annotations: { 'kubectl.kubernetes.io/default-container': 'test' } },
      spec: {
        containers: [
          { name: 'sidecar', image: 'i', env: [{ name: 'IGNORED', valueFrom: fromSecret }] },
          { name: 'test', image: 'i', env: [{ name: 'TOKEN', valueFrom: fromSecret }] },
        ],
      },
    };
    expect(findings(aManifest({}, { template }))).toEqual([
      'spec.template.spec.containers[0] warning',
      'spec.template.spec.containers[1].env[0].valueFrom error',
    ]);
  });
});
