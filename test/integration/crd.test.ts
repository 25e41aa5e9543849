import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request as httpRequest } from 'undici';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { podTemplateFromOpenApi } from '../../scripts/generate-pod-template.ts';
import { API_VERSION, KIND, Limits } from '../../src/api/v1alpha1/constants.ts';
import { corePodTemplateSchema } from '../../src/api/v1alpha1/pod-template.generated.ts';
import { batchTestSchema } from '../../src/api/v1alpha1/schema.ts';
import type { BatchTestStatus } from '../../src/api/v1alpha1/status.ts';
import { canonicalJson } from '../../src/core/canonical-json.ts';
import { ApiRequestError, type ClusterClient } from '../tools/cluster-client.ts';
import { connectControlPlane } from '../tools/vitest-control-plane.ts';
import { type ConditionOfCrd, installCrd } from './installed-crd.ts';

let client: ClusterClient;
let conditions: readonly ConditionOfCrd[];
let batchTests: string;

beforeAll(async () => {
  client = connectControlPlane(inject('controlPlane'));
  conditions = await installCrd(client);
  batchTests = `/apis/${API_VERSION}/namespaces/${await client.createNamespace('crd')}/batchtests`;
});
afterAll(() => client?.close());

type Fields = Readonly<Record<string, unknown>>;

const container: Fields = { name: 'test', image: 'bench:1' };
const template = (spec: Fields): Fields => ({ spec: { containers: [container], ...spec } });
const metrics = (...list: readonly Fields[]): Fields => ({ objective: { metrics: list } });
const metric: Fields = { name: 'p95_ms', goal: 'minimize' };
const gate = (limits: Fields): Fields => ({ metric: 'p95_ms', ...limits });
const manyMetrics = (count: number): Fields[] =>
  Array.from({ length: count }, (_, index) => ({ ...metric, name: `m${index}`.padEnd(63, 'x') }));
const sharedData = (name: string): Fields => ({
  ...{ name, mountPath: '/data', configMap: { name: 'corpus' } },
});

const matrix = (parameters: number, values: number): Fields => ({
  parameters: Array.from({ length: parameters }, (_, index) => ({
    name: `P${index}`,
    values: Array.from({ length: values }, (_, value) => String(value)),
  })),
});
const variantsNamed = (count: number): Fields[] =>
  Array.from({ length: count }, (_, index) => ({ name: `v${index}` }));
const names = (count: number): Fields =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`P${index}`, 'x']));

const aBatchTest = (name: string, spec: Fields = {}) => ({
  apiVersion: API_VERSION,
  kind: KIND,
  metadata: { name },
  spec: { variants: [{ name: 'a' }], template: template({}), ...metrics(metric), ...spec },
});

/** The API server's message when it refuses the manifest as `kubectl --validate=strict` would; undefined when it does not. */
async function refusal(manifest: unknown): Promise<string | undefined> {
  return client.request('POST', `${batchTests}?dryRun=All&fieldValidation=Strict`, manifest).then(
    () => undefined,
    (error: unknown) => {
      if (error instanceof ApiRequestError && [400, 422].includes(error.statusCode)) return error.message;
      throw error;
    },
  );
}

describe('the CRD', () => {
  it('is established, and its schema is structural', () => {
    expect(conditions).toContainEqual(expect.objectContaining({ type: 'NamesAccepted', status: 'True' }));
    expect(conditions.map(({ type }) => type)).not.toContain('NonStructuralSchema');
  });

  it('has the pod template that this API server publishes', async () => {
    const published = await client.request('GET', '/openapi/v3/api/v1');
    expect(podTemplateFromOpenApi(published)).toEqual(corePodTemplateSchema);
  });

  it('is published with the fields of the pod template, for kubectl explain', async () => {
    const path = `/openapi/v3/apis/${API_VERSION}`;
    const publishedText = async () => JSON.stringify(await client.request('GET', path).catch(() => ''));
    // Publication follows establishment by a moment.
    let text = await publishedText();
    for (let attempt = 0; attempt < 100 && !text.includes('"terminationMessagePolicy"'); attempt++) {
      await sleep(100);
      text = await publishedText();
    }
    expect(text).toContain('"containers"');
    expect(text).toContain('"terminationMessagePolicy"');
    expect(text).toContain('How many trials run at once.');
  });
});

describe('zod and the API server both accept', () => {
  it.each<[what: string, spec: Fields]>([
    ['the least there can be', {}],
    ['a matrix and variants', { matrix: { ...matrix(2, 3), exclude: [{ P0: '1' }, { P0: '2', P1: '0' }] } }],
    ['a matrix alone', { variants: undefined, matrix: matrix(1, 2) }],
    ['a parallelism of 0', { parallelism: 0 }],
    ['results that are pushed', { results: { push: true } }],
    ['nothing said of results', { results: {} }],
    [
      'as much shared data as there may be',
      {
        sharedData: Array.from({ length: Limits.sharedData }, (_, index) => ({
          ...sharedData(`${'d'.repeat(Limits.sharedDataNameLength - 2)}${index + 10}`),
          mountPath: `/${'p'.repeat(Limits.mountPathLength - 3)}${index + 10}`,
        })),
      },
    ],
    [
      'shared data of a claim, with its place on this machine',
      {
        sharedData: [
          {
            ...{ name: 'c-1', mountPath: '/a/_b/c.d' },
            ...{ persistentVolumeClaim: { claimName: 'claim.one' }, local: '../data' },
          },
        ],
      },
    ],
    [
      'the largest numbers',
      {
        parallelism: Limits.parallelism,
        repetitions: Limits.repetitions,
        trialDeadlineSeconds: Limits.trialDeadlineSeconds,
      },
    ],
    ['as many explicit variants as there may be', { variants: variantsNamed(Limits.explicitVariants) }],
    [
      'as many variants and trials as there may be',
      { variants: undefined, matrix: matrix(4, 10), repetitions: 10 },
    ],
    [
      'as many parameters as there may be',
      { variants: [{ name: 'a', parameters: names(Limits.parametersPerVariant) }] },
    ],
    [
      'names and values of the greatest length, counted in characters',
      {
        variants: [
          {
            name: '😀'.repeat(Limits.nameLength),
            parameters: { [`P${'x'.repeat(62)}`]: '😀'.repeat(Limits.parameterValueLength) },
          },
        ],
      },
    ],
    ['a name of any script', { variants: [{ name: 'größer, 更大 / 2×' }] }],
    [
      'weights as strings and integers',
      metrics(
        { ...metric, weight: '0.5' },
        { ...metric, name: 'b', weight: 3 },
        { ...metric, name: 'c', weight: '7' },
      ),
    ],
    [
      'a comparison with every field',
      {
        objective: { metrics: [metric, { ...metric, name: 'b', goal: 'maximize' }] },
        comparison: {
          baseline: 'a',
          confidence: '0.999',
          tieBreak: ['b', 'p95_ms'],
          gates: [
            { metric: 'p95_ms', maxRegressionPercent: '2.5', max: 100 },
            { metric: 'b', min: '-0.5', max: '-0.25' },
          ],
        },
      },
    ],
    [
      'a gate that allows no regression',
      { comparison: { baseline: 'a', gates: [gate({ maxRegressionPercent: 0 })] } },
    ],
    [
      'gates against the baseline and the previous run',
      {
        comparison: {
          baseline: 'a',
          gates: [
            gate({ maxRegressionPercent: 5 }),
            gate({ maxRegressionPercent: 5, against: 'PreviousRun', max: 9 }),
          ],
        },
      },
    ],
    [
      'a gate against the previous run alone',
      { comparison: { gates: [gate({ maxRegressionPercent: 5, against: 'PreviousRun' })] } },
    ],
    ['early stopping with its defaults', { repetitions: 4, comparison: { earlyStopping: {} } }],
    [
      'early stopping with every field',
      { repetitions: 3, comparison: { earlyStopping: { looks: Limits.looks, minRepetitions: 2 } } },
    ],
    [
      'targets as strings and integers',
      metrics({ ...metric, target: '-0.5' }, { ...metric, name: 'b', target: 3 }),
    ],
    ['a gate without a baseline', { comparison: { gates: [gate({ min: -3, max: '12345.678' })] } }],
    [
      'as many gates and tie-breaks as there may be',
      {
        objective: { metrics: manyMetrics(Limits.objectiveMetrics) },
        comparison: {
          baseline: 'a',
          gates: (['Baseline', 'PreviousRun'] as const).flatMap((against) =>
            manyMetrics(Limits.gates / 2).map(({ name }) => ({
              metric: name,
              against,
              maxRegressionPercent: 1,
            })),
          ),
          tieBreak: manyMetrics(Limits.objectiveMetrics).map(({ name }) => name),
        },
      },
    ],
    [
      'what the local engine runs',
      { local: { command: ['node', 'bench.js'], args: [], env: { A: 'x' }, workingDir: 'x' } },
    ],
    [
      'a large pod',
      {
        template: template({
          restartPolicy: 'Never',
          initContainers: [{ ...container, name: 'i', restartPolicy: 'Always' }],
          volumes: [{ name: 'v', emptyDir: { sizeLimit: '1Gi' } }],
          nodeSelector: { a: 'b' },
        }),
      },
    ],
  ])('%s', async (_what, spec) => {
    const manifest = aBatchTest('good', spec);
    expect(batchTestSchema.safeParse(manifest).error?.issues).toBeUndefined();
    expect(await refusal(manifest)).toBeUndefined();
  });
});

describe('zod and the API server both refuse, at the same place,', () => {
  it.each<[what: string, spec: Fields, path: string, message: string]>([
    ['neither variants nor a matrix', { variants: undefined }, 'spec', 'needs variants, a matrix, or both'],
    ['an empty list of variants', { variants: [] }, 'spec.variants', 'should have at least 1 items'],
    [
      'too many explicit variants',
      { variants: variantsNamed(Limits.explicitVariants + 1) },
      'spec.variants',
      `must have at most ${Limits.explicitVariants} items`,
    ],
    [
      'too many variants',
      { matrix: matrix(2, 100) },
      'spec.matrix',
      'make 10001 variants; the limit is 10000',
    ],
    [
      'more variants than an integer can count',
      { matrix: matrix(8, 256) },
      'spec.matrix',
      'make more than 10000 variants',
    ],
    [
      'too many trials',
      { variants: undefined, matrix: matrix(2, 20), repetitions: 300 },
      'spec.repetitions',
      '400 variants times 300 repetitions make 120000 trials; the limit is 100000',
    ],
    [
      'a negative parallelism',
      { parallelism: -1 },
      'spec.parallelism',
      'should be greater than or equal to 0',
    ],
    [
      'a parallelism beyond the limit',
      { parallelism: Limits.parallelism + 1 },
      'spec.parallelism',
      `should be less than or equal to ${Limits.parallelism}`,
    ],
    [
      'results pushed perhaps',
      { results: { push: 'maybe' } },
      'spec.results.push',
      'must be of type boolean',
    ],
    ['no shared data', { sharedData: [] }, 'spec.sharedData', 'should have at least 1 items'],
    [
      'shared data of nowhere',
      { sharedData: [{ name: 'a', mountPath: '/a' }] },
      'spec.sharedData[0]',
      'needs exactly one of configMap and persistentVolumeClaim',
    ],
    [
      'shared data of two places',
      { sharedData: [{ ...sharedData('a'), persistentVolumeClaim: { claimName: 'c' } }] },
      'spec.sharedData[0]',
      'needs exactly one of configMap and persistentVolumeClaim',
    ],
    [
      'shared data in one place twice',
      { sharedData: [sharedData('a'), sharedData('b')] },
      'spec.sharedData',
      'mounts two entries at the same mountPath',
    ],
    [
      'shared data of one name twice',
      { sharedData: [sharedData('a'), { ...sharedData('a'), mountPath: '/b' }] },
      'spec.sharedData[1]',
      'Duplicate value',
    ],
    ...['data', '/', '/a/', '/a/../b', '/a:b', '//a'].map((mountPath): [string, Fields, string, string] => [
      `shared data at ${mountPath}`,
      { sharedData: [{ ...sharedData('a'), mountPath }] },
      'spec.sharedData[0].mountPath',
      'should match',
    ]),
    ...['A', '1a', 'a_b', 'a-', ''].map((name): [string, Fields, string, string] => [
      `shared data called ${name}`,
      { sharedData: [sharedData(name)] },
      'spec.sharedData[0].name',
      'should match',
    ]),
    [
      'shared data of a ConfigMap without a valid name',
      { sharedData: [{ ...sharedData('a'), configMap: { name: 'A' } }] },
      'spec.sharedData[0].configMap.name',
      'should match',
    ],
    ['a parallelism in words', { parallelism: 'six' }, 'spec.parallelism', 'must be of type integer'],
    ['no repetition', { repetitions: 0 }, 'spec.repetitions', 'should be greater than or equal to 1'],
    ['a misspelt field', { repetition: 3 }, 'spec.repetition', 'unknown field'],
    [
      'a control character in a name',
      { variants: [{ name: 'a\u001b[31m' }] },
      'spec.variants[0].name',
      'should match',
    ],
    ['a control character in the workflow', { workflowId: 'a\n' }, 'spec.workflowId', 'should match'],
    [
      'an empty name',
      { variants: [{ name: '' }] },
      'spec.variants[0].name',
      'should be at least 1 chars long',
    ],
    ['too long a name', { variants: [{ name: '😀'.repeat(64) }] }, 'spec.variants[0].name', 'Too long'],
    [
      'two variants of one name',
      { variants: [{ name: 'a' }, { name: 'b' }, { name: 'a' }] },
      'spec.variants[2]',
      'Duplicate value',
    ],
    [
      'a parameter that is a number',
      { variants: [{ name: 'a', parameters: { WORKERS: 4 } }] },
      'spec.variants[0].parameters.WORKERS',
      'must be of type string',
    ],
    [
      'a reserved parameter',
      { variants: [{ name: 'a', parameters: { BATCHTEST_X: 'x' } }] },
      'spec.variants[0].parameters',
      'must not begin with BATCHTEST_',
    ],
    [
      'a parameter that is no variable',
      { variants: [{ name: 'a', parameters: { 'A-B': 'x' } }] },
      'spec.variants[0].parameters',
      'must be an environment variable name',
    ],
    [
      'too long a name of a parameter',
      { variants: [{ name: 'a', parameters: { ['P'.repeat(64)]: 'x' } }] },
      'spec.variants[0].parameters',
      'at most 63 characters',
    ],
    [
      'too many parameters',
      { variants: [{ name: 'a', parameters: names(Limits.parametersPerVariant + 1) }] },
      'spec.variants[0].parameters',
      'must have at most 32',
    ],
    [
      'too long a value',
      { variants: [{ name: 'a', parameters: { A: 'x'.repeat(Limits.parameterValueLength + 1) } }] },
      'spec.variants[0].parameters.A',
      'Too long',
    ],
    [
      'a NUL in a value',
      { variants: [{ name: 'a', parameters: { A: 'x\0' } }] },
      'spec.variants[0].parameters.A',
      'should match',
    ],
    [
      'a reserved parameter of the matrix',
      { matrix: { parameters: [{ name: 'BATCHTEST_X', values: ['1'] }] } },
      'spec.matrix.parameters[0].name',
      'must not begin with BATCHTEST_',
    ],
    [
      'a parameter without values',
      { matrix: { parameters: [{ name: 'A', values: [] }] } },
      'spec.matrix.parameters[0].values',
      'should have at least 1 items',
    ],
    [
      'a value given twice',
      { matrix: { parameters: [{ name: 'A', values: ['x', 'y', 'x'] }] } },
      'spec.matrix.parameters[0].values[2]',
      'Duplicate value',
    ],
    [
      'a parameter given twice',
      {
        matrix: {
          parameters: [
            { name: 'A', values: ['x'] },
            { name: 'A', values: ['y'] },
          ],
        },
      },
      'spec.matrix.parameters[1]',
      'Duplicate value',
    ],
    [
      'too many parameters of the matrix',
      { matrix: matrix(9, 1) },
      'spec.matrix.parameters',
      'must have at most 8 items',
    ],
    [
      'an exclusion of an unknown parameter',
      { matrix: { ...matrix(2, 2), exclude: [{ P0: '1' }, { P7: '1' }] } },
      'spec.matrix',
      'exclude names a parameter that the matrix does not have',
    ],
    [
      'an exclusion of everything',
      { matrix: { ...matrix(2, 2), exclude: [{}] } },
      'spec.matrix.exclude[0]',
      'should have at least 1 properties',
    ],
    [
      'a weight that is no number',
      metrics({ ...metric, weight: 'abc' }),
      'spec.objective.metrics[0].weight',
      'should match',
    ],
    [
      'a negative weight',
      metrics({ ...metric, weight: -1 }),
      'spec.objective.metrics[0].weight',
      'expected a positive number',
    ],
    [
      'a weight of zero',
      metrics({ ...metric, weight: '0.00' }),
      'spec.objective.metrics[0].weight',
      'expected a positive number',
    ],
    [
      'a weight that is a float',
      metrics({ ...metric, weight: 0.5 }),
      'spec.objective.metrics[0].weight',
      'integer,string',
    ],
    [
      'an unknown goal',
      metrics({ ...metric, goal: 'min' }),
      'spec.objective.metrics[0].goal',
      'Unsupported value',
    ],
    ['a metric given twice', metrics(metric, metric), 'spec.objective.metrics[1]', 'Duplicate value'],
    [
      'a metric of a wrong name',
      metrics({ ...metric, name: '_proto' }),
      'spec.objective.metrics[0].name',
      'should match',
    ],
    ['no metric', metrics(), 'spec.objective.metrics', 'should have at least 1 items'],
    [
      'a gate on a metric that is not in the objective',
      { comparison: { gates: [{ metric: 'other', max: 1 }] } },
      'spec.comparison.gates',
      'must be a metric of the objective',
    ],
    [
      'a tie-break by a metric that is not in the objective',
      { comparison: { tieBreak: ['p95_ms', 'other'] } },
      'spec.comparison.tieBreak',
      'must be a metric of the objective',
    ],
    [
      'a tie-break given twice',
      { comparison: { tieBreak: ['p95_ms', 'p95_ms'] } },
      'spec.comparison.tieBreak[1]',
      'Duplicate value',
    ],
    [
      'no tie-break',
      { comparison: { tieBreak: [] } },
      'spec.comparison.tieBreak',
      'should have at least 1 items',
    ],
    [
      'a gate on a regression without a baseline',
      { comparison: { gates: [gate({ maxRegressionPercent: 5 })] } },
      'spec.comparison.baseline',
      'is needed by a gate with maxRegressionPercent',
    ],
    [
      'a gate without a limit',
      { comparison: { gates: [gate({})] } },
      'spec.comparison.gates[0]',
      'needs maxRegressionPercent, min or max',
    ],
    [
      'a gate that nothing can pass',
      { comparison: { gates: [gate({ min: '2', max: 1 })] } },
      'spec.comparison.gates[0].min',
      'min must not be more than max',
    ],
    [
      'a metric with two gates',
      { comparison: { gates: [gate({ max: 1 }), gate({ min: 0 })] } },
      'spec.comparison.gates',
      'has two gates for one metric against the same',
    ],
    [
      'a limit that compares with nothing against the previous run',
      { comparison: { gates: [gate({ max: 1, against: 'PreviousRun' })] } },
      'spec.comparison.gates[0].against',
      'PreviousRun is for maxRegressionPercent',
    ],
    [
      'early stopping without a repetition to stop',
      { repetitions: 3, comparison: { earlyStopping: {} } },
      'spec.comparison.earlyStopping.minRepetitions',
      'must be less than spec.repetitions',
    ],
    [
      'early stopping after one repetition',
      { repetitions: 3, comparison: { earlyStopping: { minRepetitions: 1 } } },
      'spec.comparison.earlyStopping.minRepetitions',
      'should be greater than or equal to 2',
    ],
    [
      'a target that is no number',
      metrics({ ...metric, target: '1e3' }),
      'spec.objective.metrics[0].target',
      'should match',
    ],
    [
      'a negative regression',
      { comparison: { baseline: 'a', gates: [gate({ maxRegressionPercent: '-5' })] } },
      'spec.comparison.gates[0].maxRegressionPercent',
      'should match',
    ],
    [
      'a regression that is a negative integer',
      { comparison: { baseline: 'a', gates: [gate({ maxRegressionPercent: -5 })] } },
      'spec.comparison.gates[0].maxRegressionPercent',
      'expected a number that is not negative',
    ],
    [
      'a limit that is a float',
      { comparison: { gates: [gate({ max: 0.5 })] } },
      'spec.comparison.gates[0].max',
      'integer,string',
    ],
    [
      'a limit that is no number',
      { comparison: { gates: [gate({ max: '1e3' })] } },
      'spec.comparison.gates[0].max',
      'should match',
    ],
    [
      'a confidence that is none',
      { comparison: { confidence: '95%' } },
      'spec.comparison.confidence',
      'should match',
    ],
    ['a confidence of 1', { comparison: { confidence: '1' } }, 'spec.comparison.confidence', 'should match'],
    [
      'a confidence of one half',
      { comparison: { confidence: '0.50' } },
      'spec.comparison.confidence',
      'must be more than 0.5',
    ],
    [
      'an unknown field of the comparison',
      { comparison: { base: 'a' } },
      'spec.comparison.base',
      'unknown field',
    ],
    [
      'a reserved variable of the local engine',
      { local: { env: { BATCHTEST_X: 'x' } } },
      'spec.local.env',
      'must not begin with BATCHTEST_',
    ],
    ['no template', { template: undefined }, 'spec.template', 'Required value'],
    ['a template with nothing in it', { template: {} }, 'spec.template.spec', 'Required value'],
    ['a template without a pod', { template: { spec: null } }, 'spec.template.spec', 'Required value'],
    [
      'a template without containers',
      { template: template({ containers: [] }) },
      'spec.template.spec.containers',
      'should have at least 1 items',
    ],
    [
      'a pod that restarts',
      { template: template({ restartPolicy: 'Always' }) },
      'spec.template.spec.restartPolicy',
      'supported values: "Never"',
    ],
    [
      'a misspelt field of a container',
      { template: template({ containers: [{ ...container, imge: 'x' }] }) },
      'spec.template.spec.containers[0].imge',
      'unknown field',
    ],
    [
      'metadata that a template may not have',
      { template: { metadata: { name: 'x' }, ...template({}) } },
      'spec.template.metadata.name',
      'unknown field',
    ],
    [
      'an argument that is a number',
      { template: template({ containers: [{ ...container, args: [1] }] }) },
      'spec.template.spec.containers[0].args[0]',
      'must be of type string',
    ],
    [
      'a quantity that is a float',
      { template: template({ containers: [{ ...container, resources: { limits: { cpu: 0.5 } } }] }) },
      'spec.template.spec.containers[0].resources.limits.cpu',
      'integer,string',
    ],
    [
      'a quantity that is none',
      { template: template({ containers: [{ ...container, resources: { limits: { cpu: 'one' } } }] }) },
      'spec.template.spec.containers[0].resources.limits.cpu',
      'should match',
    ],
    [
      'a reserved variable of a container',
      {
        template: template({
          containers: [{ ...container, env: [{ name: 'BATCHTEST_VARIANT', value: 'x' }] }],
        }),
      },
      'spec.template.spec.containers[0].env[0].name',
      'must not begin with BATCHTEST_',
    ],
    [
      'two containers of one name',
      { template: template({ containers: [container, container] }) },
      'spec.template.spec.containers[1]',
      'Duplicate value',
    ],
    [
      'an unknown pull policy',
      { template: template({ containers: [{ ...container, imagePullPolicy: 'Sometimes' }] }) },
      'spec.template.spec.containers[0].imagePullPolicy',
      'Unsupported value',
    ],
  ])('%s', async (_what, spec, path, message) => {
    const manifest = aBatchTest('bad', spec);
    const issues = batchTestSchema.safeParse(manifest).error?.issues ?? [];
    const localPaths = issues.flatMap((issue) => {
      const extra = issue.code === 'unrecognized_keys' ? issue.keys : [];
      return extra.length === 0
        ? [writtenPath(issue.path)]
        : extra.map((key) => writtenPath([...issue.path, key]));
    });
    // Of a map of free names, the API server names the map and zod the entry; of a rule on two fields, either of them.
    expect(localPaths).toContainEqual(expect.stringContaining(path));
    const text = await refusal(manifest);
    expect(text).toContain(message);
    expect(text).toContain(path);
  });

  function writtenPath(path: readonly PropertyKey[]): string {
    return path
      .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
      .join('')
      .slice(1);
  }
});

describe('a BatchTest that exists', () => {
  const created = async (name: string, spec: Fields = {}): Promise<string> => {
    await client.request('POST', `${batchTests}?fieldValidation=Strict`, aBatchTest(name, spec));
    return `${batchTests}/${name}`;
  };
  const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

  it.each<[field: string, change: Fields]>([
    ['template', template({ containers: [{ ...container, image: 'bench:2' }] })],
    ['objective', { metrics: [{ ...metric, goal: 'maximize' }] }],
    ['comparison', { confidence: '0.9' }],
  ])('cannot have another %s', async (field, change) => {
    const path = await created(`immutable-${field}`);
    const message = await client
      .request('PATCH', path, { spec: { [field]: change } })
      .then(() => '', messageOf);
    expect(message).toContain(
      `spec.${field}: Forbidden: ${field} cannot be changed once the BatchTest exists`,
    );
  });

  it.each<[field: string, before: Fields, after: Fields]>([
    ['variants', {}, { variants: [{ name: 'b' }] }],
    ['matrix', {}, { matrix: matrix(1, 2) }],
    ['matrix', { matrix: matrix(1, 2) }, { matrix: null }],
    ['repetitions', {}, { repetitions: 2 }],
    ['workflowId', {}, { workflowId: 'x' }],
    ['workflowId', { workflowId: 'x' }, { workflowId: null }],
  ])('cannot get, lose or change its %s', async (field, before, after) => {
    const path = await created(`immutable-${Math.random().toString(36).slice(2)}`, before);
    const message = await client.request('PATCH', path, { spec: after }).then(() => '', messageOf);
    expect(message).toContain(`${field} cannot be changed once the BatchTest exists`);
  });

  it('can have another parallelism, by itself and by its scale', async () => {
    const path = await created('scaled', { parallelism: 2 });
    await client.request('PATCH', path, { spec: { parallelism: 5 } });
    const scale = await client.request('GET', `${path}/scale`);
    expect(scale).toMatchObject({ spec: { replicas: 5 }, status: { replicas: 0 } });
    await client.request('PATCH', `${path}/scale`, { spec: { replicas: 7 } });
    expect(await client.request('GET', path)).toMatchObject({ spec: { parallelism: 7 } });
  });

  it('has a status of its own, which kubectl shows in columns', async () => {
    const path = await created('observed', { parallelism: 2 });
    const status: BatchTestStatus = {
      observedGeneration: 1,
      runUid: 'c0ffee',
      startTime: '2026-01-01T00:00:00Z',
      trials: { total: 30, pending: 20, running: 6, succeeded: 4, failed: 0, cancelled: 0 },
      variants: { total: 6, succeeded: 0, failed: 0 },
      best: { name: 'arc-8', score: '0.93', ties: ['lru-8'], tieCount: 1 },
      gate: 'Passed',
      conditions: (['Complete', 'Progressing', 'ResultStoreAvailable'] as const).map((type) => ({
        type,
        status: type === 'Complete' ? 'False' : 'True',
        reason: 'Test',
        message: '',
        lastTransitionTime: '2026-01-01T00:00:00Z',
      })),
    };
    await client.request('PATCH', path, { status: { runUid: 'ignored' } });
    await client.request('PATCH', `${path}/status`, { status, spec: { parallelism: 9 } });
    const stored = await client.request('GET', path);
    expect(stored).toMatchObject({ status, spec: { parallelism: 2 } });
    expect(batchTestSchema.safeParse(stored).success).toBe(true);
    expect(await client.request('GET', `${path}/scale`)).toMatchObject({ status: { replicas: 6 } });
    expect((await tableRow(path)).slice(0, 6)).toEqual(['observed', 'Progressing', 4, 0, 30, 'arc-8']);
  });

  it('is refused a status that is none', async () => {
    const path = await created('misobserved');
    const message = await client
      .request('PATCH', `${path}/status`, { status: { trials: { total: -1 } } })
      .then(() => '', messageOf);
    expect(message).toContain('status.trials.total');
  });

  it('has the template that was sent, so that its hash is the same in the cluster as on the machine', async () => {
    const sent = {
      metadata: { labels: { team: 'x' } },
      spec: {
        containers: [
          {
            ...container,
            ports: [{ containerPort: 80 }, { containerPort: 80, protocol: 'UDP' }],
            env: [{ name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }],
            resources: { limits: { cpu: 2, memory: '0.50Gi' } },
            startupProbe: { httpGet: { port: 'http' }, timeoutSeconds: 3 },
          },
        ],
        imagePullSecrets: [{ name: 'registry' }],
        topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'ScheduleAnyway' }],
        volumes: [
          { name: 'a', emptyDir: {} },
          { name: 'b', hostPath: { path: '/x', type: '' } },
          {
            name: 'c',
            ephemeral: { volumeClaimTemplate: { spec: { resources: { requests: { storage: 1 } } } } },
          },
        ],
      },
    };
    const path = await created('hashed', { template: sent });
    const local = batchTestSchema.parse(aBatchTest('hashed', { template: sent }));
    const stored = batchTestSchema.parse(await client.request('GET', path));
    expect(canonicalJson(stored.spec.template)).toBe(canonicalJson(sent));
    expect(canonicalJson(local.spec.template)).toBe(canonicalJson(sent));
    // The defaults of everything else are the same, too.
    expect(stored.spec).toEqual(local.spec);
  });
});

/** The cells of an object in the table that `kubectl get` asks for. */
async function tableRow(path: string): Promise<readonly unknown[]> {
  const { url, token, certificateAuthority } = inject('controlPlane');
  const agent = new Agent({ connect: { ca: certificateAuthority } });
  const response = await httpRequest(`${url}${path}`, {
    dispatcher: agent,
    headers: { authorization: `Bearer ${token}`, accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
  });
  const table: unknown = await response.body.json();
  await agent.close();
  expect(table).toMatchObject({ rows: [{ cells: expect.any(Array) }] });
  const { rows } = Object(table);
  return rows[0].cells;
}
