import { describe, expect, it } from 'vitest';
import { aBatchTest } from '../../test/builders/batch-test.ts';
import { corePodTemplateSchema } from '../api/v1alpha1/pod-template.generated.ts';
import { expandVariants } from '../core/variants.ts';
import { attemptPod } from '../engine/kubernetes/attempt-pod.ts';
import { firstAttempt } from './program-view.ts';
import { templateFieldParity } from './template-fields.ts';

const parityOf = (spec: object, metadata?: object) => {
  const base = aBatchTest();
  const manifest = {
    ...base,
    spec: {
      ...base.spec,
      template: {
        ...(metadata === undefined ? {} : { metadata }),
        spec: { containers: [{ name: 'test' }], ...spec },
      },
    },
  };
  const [variant] = expandVariants(manifest.spec);
  if (variant === undefined) throw new Error('there is no variant');
  const pod = attemptPod(firstAttempt(manifest, { variant, repetition: 0 }, 'team-a'), undefined);
  return new Map(templateFieldParity(manifest, pod).map((entry) => [entry.field, entry]));
};

/** The only fields of a pod that mean the same to a process. What is added here is a promise of the local engine. */
const ALIKE = [
  'restartPolicy',
  'terminationGracePeriodSeconds',
  'containers',
  'name',
  'command',
  'args',
  'env',
  'envFrom',
];

const podFields = Object.keys(corePodTemplateSchema.properties?.spec?.properties ?? {});
const containerFields = Object.keys(
  corePodTemplateSchema.properties?.spec?.properties?.containers?.items?.properties ?? {},
);

describe('fields of a pod that a process does not have', () => {
  it.each(podFields.filter((name) => !ALIKE.includes(name)))('tells that a local run ignores %s', (name) => {
    // Only that it is there matters to the local engine.
    const found = parityOf({
      [name]: ['initContainers', 'volumes'].includes(name) ? [{ name: 'first' }] : {},
    }).get(`spec.template.spec.${name}`);
    expect(found).toMatchObject({ local: 'Ignored', kubernetes: 'Honoured' });
    expect(found?.note).not.toBe('');
  });

  it.each(containerFields.filter((name) => !ALIKE.includes(name)))(
    'tells that a local run does not honour %s of the container',
    (name) => {
      const found = parityOf({
        containers: [{ name: 'test', [name]: name.startsWith('termination') ? '/x' : {} }],
      }).get(`spec.template.spec.containers[0].${name}`);
      expect(found?.local).toMatch(/^(Ignored|Differs)$/);
      expect(found?.note).not.toBe('');
    },
  );

  it('holds what the program could see against the local run, and where a pod is placed not', () => {
    const fields = parityOf({
      nodeSelector: { disk: 'ssd' },
      volumes: [],
      containers: [
        { name: 'test', image: 'a:1', resources: { requests: { cpu: '1' } } },
        { name: 'sidecar', image: 'b:1' },
      ],
    });
    const matters = (field: string) => fields.get(`spec.template.spec.${field}`)?.matters;
    expect(matters('nodeSelector')).toBe(false);
    expect(matters('containers[0].image')).toBe(false);
    expect(matters('containers[0].resources')).toBe(false);
    expect(matters('volumes')).toBe(true);
    expect(matters('containers[1]')).toBe(true);
    const limited = parityOf({ containers: [{ name: 'test', resources: { limits: { memory: '1Gi' } } }] });
    expect(limited.get('spec.template.spec.containers[0].resources')?.matters).toBe(true);
  });

  it('tells which variable of a Secret has no value locally', () => {
    const fields = parityOf({
      containers: [
        { name: 'test', env: [{ name: 'TOKEN', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }] },
      ],
    });
    expect(fields.get('spec.template.spec.containers[0].env[0].valueFrom')).toMatchObject({
      local: 'Refused',
      matters: true,
      note: 'cannot be read locally: give TOKEN a value in spec.local.env',
    });
  });
});

it('tells which labels of the template the operator does not take over', () => {
  const fields = parityOf(
    {},
    { labels: { app: 'bench', 'batchtest.dev/run-uid': 'forged' }, annotations: { a: 'b' } },
  );
  expect(fields.get('spec.template.metadata.labels')).toMatchObject({
    local: 'Ignored',
    kubernetes: 'Differs',
    note: 'have no effect locally; in the cluster the operator sets or leaves out batchtest.dev/run-uid',
  });
  expect(fields.get('spec.template.metadata.annotations')).toMatchObject({ kubernetes: 'Honoured' });
});
