import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { Limits } from './constants.ts';
import {
  formatProblem,
  parseManifest,
  servedStatus,
  validateManifest,
  validateServedManifest,
} from './manifest.ts';
import { isMetricName } from './schema.ts';

const VALID = `
apiVersion: batchtest.dev/v1alpha1
kind: BatchTest
metadata: {name: checkout-cache}
spec:
  parallelism: 6
  repetitions: 5
  variants:
  - name: today
    parameters: {CACHE: lru, WORKERS: "4"}
  matrix:
    parameters:
    - {name: CACHE, values: [none, lru]}
    - {name: WORKERS, values: ["2", "8"]}
    exclude:
    - {CACHE: none, WORKERS: "8"}
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: test
        image: bench:1
        args: ["--cache=$(CACHE)"]
        resources: {limits: {cpu: "1"}}
  objective:
    metrics:
    - {name: p95_ms, goal: minimize, weight: "0.5"}
`.trimStart();

const TEMPLATE = VALID.slice(VALID.indexOf('  template:'), VALID.indexOf('  objective:'));

/** The problems of a text as they are printed; empty when it is valid. */
function problemsOf(text: string): string[] {
  const result = parseManifest(text, 'bt.yaml');
  return result.ok ? [] : result.problems.map(formatProblem);
}

/** The valid manifest with one part replaced, which must be there. */
function withChange(from: string, to: string): string {
  if (!VALID.includes(from)) throw new Error(`the valid manifest has no ${from}`);
  return VALID.replace(from, () => to);
}

describe('a valid manifest', () => {
  it('is a BatchTest with its defaults filled in', () => {
    const result = parseManifest(VALID, 'bt.yaml');
    if (!result.ok) throw new Error(result.problems.map(formatProblem).join('\n'));
    const { spec, metadata } = result.batchTest;
    expect(metadata.name).toBe('checkout-cache');
    expect(spec.trialDeadlineSeconds).toBe(3_600);
    expect(spec.template).toEqual({
      spec: {
        restartPolicy: 'Never',
        containers: [
          { name: 'test', image: 'bench:1', args: ['--cache=$(CACHE)'], resources: { limits: { cpu: '1' } } },
        ],
      },
    });
  });

  it.each([
    ['a weight that is an integer', withChange('"0.5"', '2')],
    ['a weight that is left out', withChange(', weight: "0.5"', '')],
    ['a field that holds nothing', withChange('parallelism: 6', 'parallelism:')],
    ['a field of the template that holds nothing', withChange('args: ["--cache=$(CACHE)"]', 'args:')],
    [
      'what kubectl prints of an object',
      withChange('spec:\n  par', 'status: {trials: {total: 3}}\nspec:\n  par'),
    ],
    ['a parameter value with emoji up to the limit', withChange('lru,', `"${'😀'.repeat(1_024)}",`)],
    [
      'anchors and merge keys',
      withChange('{CACHE: lru, WORKERS: "4"}', '&p {CACHE: lru}\n  - {name: b, parameters: {<<: *p}}'),
    ],
    [
      'a thousand variants that share their defaults',
      withChange(
        '- name: today\n    parameters: {CACHE: lru, WORKERS: "4"}\n',
        `${Array.from(
          { length: 1_000 },
          (_, index) =>
            `- {name: v${index}, parameters: {<<: ${index === 0 ? '&defaults {CACHE: lru}' : '*defaults'}, WORKERS: "${index}"}}`,
        ).join('\n  ')}\n`,
      ),
    ],
    ['JSON', JSON.stringify(parseManifest(VALID, 'x').ok ? toObject(VALID) : {})],
  ])('may have %s', (_what, text) => {
    expect(problemsOf(text)).toEqual([]);
  });
});

function toObject(text: string): unknown {
  const result = parseManifest(text, 'bt.yaml');
  return result.ok ? result.batchTest : undefined;
}

describe('a mistake is reported with its place, what was expected and what was found:', () => {
  it.each<[what: string, text: string, problems: string[]]>([
    ['an empty file', '', ['bt.yaml:1:1: is empty; expected a BatchTest']],
    ['a file of comments', '# nothing\n---\n', ['bt.yaml:1:1: is empty; expected a BatchTest']],
    [
      'a file of prose',
      'hello',
      ['bt.yaml:1:1: expected a BatchTest with apiVersion, kind, metadata and spec, got "hello"'],
    ],
    [
      'another kind',
      withChange('kind: BatchTest', 'kind: Job'),
      ['bt.yaml:2:7: kind: expected "BatchTest", got "Job"'],
    ],
    [
      'no apiVersion',
      withChange('apiVersion: batchtest.dev/v1alpha1\n', ''),
      ['bt.yaml:1:1: apiVersion: required, but missing; write "batchtest.dev/v1alpha1"'],
    ],
    [
      'several documents',
      `${VALID}---\n${VALID}`,
      [
        `bt.yaml:${VALID.split('\n').length + 1}:1: there are 2 documents in this file; expected one BatchTest per file`,
      ],
    ],
    [
      'a tab',
      withChange('  parallelism', '\tparallelism'),
      ['bt.yaml:5:1: a tab is used for indentation; YAML allows only spaces'],
    ],
    [
      'a field given twice',
      withChange('  repetitions', '  parallelism: 7\n  repetitions'),
      ['bt.yaml:6:3: "parallelism" is given twice'],
    ],
    [
      'an unclosed bracket',
      withChange('["2", "8"]', '["2", "8"'),
      [
        'bt.yaml:13:40: invalid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]',
      ],
    ],
    [
      'an alias of nothing',
      withChange('[none, lru]', '[none, *lru]'),
      ['bt.yaml:12:36: spec.matrix.parameters[0].values[1]: the alias *lru has no anchor &lru before it'],
    ],
    [
      'an alias within what it stands for',
      withChange('{CACHE: lru, WORKERS: "4"}', '&p {CACHE: lru, WORKERS: *p}'),
      [
        'bt.yaml:9:42: spec.variants[0].parameters.WORKERS: the alias *p is within what it stands for, which would have no end',
      ],
    ],
    [
      'a document within itself',
      'a: &a {b: *a}\nspec: &s {template: [*s]}',
      [
        'bt.yaml:1:11: a.b: the alias *a is within what it stands for, which would have no end',
        'bt.yaml:2:22: spec.template[0]: the alias *s is within what it stands for, which would have no end',
      ],
    ],
    [
      'a merge of no object',
      withChange('{CACHE: lru, WORKERS: "4"}', '{<<: 5}').replace('{cpu: "1"}', '{<<: [1], cpu: "1"}'),
      [
        'bt.yaml:9:22: spec.variants[0].parameters["<<"]: << merges objects: expected an object, a list of objects, or an alias of them',
        'bt.yaml:23:34: spec.template.spec.containers[0].resources.limits["<<"]: << merges objects: expected an object, a list of objects, or an alias of them',
      ],
    ],
    [
      'a merge of nothing',
      '{<<}',
      ['bt.yaml:1:2: ["<<"]: << merges objects: expected an object, a list of objects, or an alias of them'],
    ],
    [
      'a list as a name',
      withChange('metadata: {name: checkout-cache}', 'metadata: {name: checkout-cache}\n? [a]\n: 1'),
      ['bt.yaml:4:3: the name of a field is text, not a list or an object'],
    ],
    [
      'an alias of an object as a name',
      'metadata: {labels: &l {a: b}, annotations: {*l : x}}',
      ['bt.yaml:1:45: metadata.annotations: the name of a field is text, not a list or an object'],
    ],
    [
      'numbers that kubectl reads as octal',
      withChange('parallelism: 6', 'parallelism: 010').replace('["2", "8"]', '[08, -007, "010"]'),
      [
        'bt.yaml:5:16: spec.parallelism: kubectl reads 010 as an octal number (it follows YAML 1.1); write it without leading zeros, or as text in quotes',
        'bt.yaml:13:32: spec.matrix.parameters[1].values[0]: kubectl reads 08 as an octal number (it follows YAML 1.1); write it without leading zeros, or as text in quotes',
        'bt.yaml:13:36: spec.matrix.parameters[1].values[1]: kubectl reads -007 as an octal number (it follows YAML 1.1); write it without leading zeros, or as text in quotes',
      ],
    ],
    [
      'text for us that kubectl reads as a number',
      withChange('["2", "8"]', '[1_000.5, 0xFF_FF, -0x10, 0X1F, 0B11, 0O17, .5_0, 1.4.2, 0x1g, 2-0x10]'),
      ['1_000.5', '0xFF_FF', '-0x10', '0X1F', '0B11', '0O17', '.5_0'].map(
        (word, index) =>
          `bt.yaml:13:${[32, 41, 50, 57, 63, 69, 75][index]}: spec.matrix.parameters[1].values[${index}]: without quotes, kubectl does not read ${word} as text (it follows YAML 1.1); write "${word}" in quotes`,
      ),
    ],
    [
      'a misspelt field',
      withChange('repetitions', 'repetition'),
      ['bt.yaml:6:3: spec.repetition: unknown field; did you mean "repetitions"?'],
    ],
    [
      'a field there is none like',
      withChange('spec:\n  par', 'data: 1\nspec:\n  par'),
      ['bt.yaml:4:1: data: unknown field; expected one of apiVersion, kind, metadata, spec, status'],
    ],
    [
      'a misspelt field of the pod template',
      withChange('image:', 'imgae:'),
      ['bt.yaml:21:9: spec.template.spec.containers[0].imgae: unknown field; did you mean "image"?'],
    ],
    [
      'a template with nothing in it',
      withChange(TEMPLATE, '  template: {}\n'),
      ['bt.yaml:16:13: spec.template.spec: required, but missing'],
    ],
    [
      'a template without a pod',
      withChange(TEMPLATE, '  template:\n    spec:\n'),
      ['bt.yaml:17:10: spec.template.spec: required, but missing'],
    ],
    [
      'a word for a number',
      withChange('parallelism: 6', 'parallelism: six'),
      ['bt.yaml:5:16: spec.parallelism: expected an integer from 0 to 10000, got "six"'],
    ],
    [
      'a negative number',
      withChange('parallelism: 6', 'parallelism: -1'),
      ['bt.yaml:5:16: spec.parallelism: expected an integer from 0 to 10000, got -1'],
    ],
    [
      'a fraction',
      withChange('parallelism: 6', 'parallelism: 1.50'),
      ['bt.yaml:5:16: spec.parallelism: expected an integer from 0 to 10000, got 1.50'],
    ],
    [
      'an unquoted number as a value, spelt as in the file',
      withChange('["2", "8"]', '["2", 1.10]'),
      [
        'bt.yaml:13:37: spec.matrix.parameters[1].values[1]: expected a string, got the number 1.10; write "1.10" in quotes',
      ],
    ],
    [
      'an unquoted boolean as a value',
      withChange('CACHE: lru, WORKERS: "4"', 'CACHE: true'),
      [
        'bt.yaml:9:25: spec.variants[0].parameters.CACHE: expected a string, got the boolean true; write "true" in quotes',
      ],
    ],
    [
      'words that kubectl reads as booleans',
      withChange('CACHE: lru, WORKERS: "4"', 'CACHE: on, N: "4"'),
      [
        'bt.yaml:9:25: spec.variants[0].parameters.CACHE: without quotes, kubectl does not read on as text (it follows YAML 1.1); write "on" in quotes',
        'bt.yaml:9:29: spec.variants[0].parameters.N: without quotes, kubectl does not read N as text (it follows YAML 1.1); write "N" in quotes',
      ],
    ],
    [
      'a parameter without a value',
      withChange('CACHE: lru, WORKERS: "4"', 'CACHE: , WORKERS: "4"'),
      ['bt.yaml:9:25: spec.variants[0].parameters.CACHE: expected a string, got nothing (null)'],
    ],
    [
      'an unquoted fraction as a quantity',
      withChange('cpu: "1"', 'cpu: 0.5'),
      [
        'bt.yaml:23:35: spec.template.spec.containers[0].resources.limits.cpu: expected a quantity like "500m", "1.5" or "2Gi", got the number 0.5; write "0.5" in quotes',
      ],
    ],
    [
      'two variants of one name',
      withChange('  matrix:', '  - {name: today}\n  matrix:'),
      ['bt.yaml:10:12: spec.variants[1].name: "today" is there twice; it must be unique'],
    ],
    [
      'a value given twice',
      withChange('[none, lru]', '[lru, lru]'),
      ['bt.yaml:12:35: spec.matrix.parameters[0].values[1]: "lru" is there twice; it must be unique'],
    ],
    [
      'no values',
      withChange('["2", "8"]', '[]'),
      ['bt.yaml:13:31: spec.matrix.parameters[1].values: expected a list of 1 to 256 entries, got 0 entries'],
    ],
    [
      'an exclusion of an unknown parameter',
      withChange('{CACHE: none, ', '{CAHCE: none, '),
      [
        'bt.yaml:15:15: spec.matrix.exclude[0].CAHCE: is not a parameter of the matrix (it has CACHE, WORKERS)',
      ],
    ],
    [
      'a reserved parameter',
      withChange('    exclude:', '    - {name: BATCHTEST_CACHE, values: [a]}\n    exclude:'),
      ['bt.yaml:14:14: spec.matrix.parameters[2].name: must not begin with BATCHTEST_, which is reserved'],
    ],
    [
      'reserved and impossible names of parameters',
      withChange('CACHE: lru, WORKERS: "4"', 'BATCHTEST_X: a, 1ST: b, __proto__x: c'),
      [
        'bt.yaml:9:18: spec.variants[0].parameters.BATCHTEST_X: must not begin with BATCHTEST_, which is reserved',
        'bt.yaml:9:34: spec.variants[0].parameters["1ST"]: must be an environment variable name: letters, digits and _, beginning with a letter',
        'bt.yaml:9:42: spec.variants[0].parameters.__proto__x: must be an environment variable name: letters, digits and _, beginning with a letter',
      ],
    ],
    [
      'a name that JavaScript gives a meaning',
      withChange('WORKERS: "4"', '__proto__: "4"'),
      ['bt.yaml:9:30: spec.variants[0].parameters.__proto__: "__proto__" is not allowed as a name'],
    ],
    [
      'a reserved variable of a container',
      withChange('image: bench:1', 'env: [{name: BATCHTEST_VARIANT, value: x}]'),
      [
        'bt.yaml:21:22: spec.template.spec.containers[0].env[0].name: must not begin with BATCHTEST_, which is reserved',
      ],
    ],
    [
      'a variable given twice',
      withChange('image: bench:1', 'env: [{name: A}, {name: A}]'),
      ['bt.yaml:21:33: spec.template.spec.containers[0].env[1].name: "A" is there twice; it must be unique'],
    ],
    [
      'a pod that restarts',
      withChange('restartPolicy: Never', 'restartPolicy: OnFailure'),
      ['bt.yaml:18:22: spec.template.spec.restartPolicy: expected "Never", got "OnFailure"'],
    ],
    [
      'a weight that is no number',
      withChange('"0.5"', 'abc'),
      [
        'bt.yaml:26:46: spec.objective.metrics[0].weight: expected a positive number, as a decimal string ("0.5") or an integer, got "abc"',
      ],
    ],
    [
      'a weight of nothing',
      withChange('"0.5"', '"0.0"'),
      [
        'bt.yaml:26:46: spec.objective.metrics[0].weight: expected a positive number, as a decimal string ("0.5") or an integer, got "0.0"',
      ],
    ],
    [
      'an unknown goal',
      withChange('minimize', 'min'),
      ['bt.yaml:26:28: spec.objective.metrics[0].goal: expected "minimize" or "maximize", got "min"'],
    ],
    [
      'a goal left out',
      withChange(' goal: minimize,', ''),
      ['bt.yaml:26:7: spec.objective.metrics[0].goal: required, but missing'],
    ],
    [
      'control characters in a name, which the message escapes',
      withChange('name: today', 'name: "a\\e[31m\\u202e"'),
      [
        'bt.yaml:8:11: spec.variants[0].name: a variant name must not contain control or invisible characters (newline, tab, …), got "a\\u001b[31m\\u{202e}"',
      ],
    ],
    [
      'a name that is too long',
      withChange('name: today', `name: ${'x'.repeat(64)}`),
      ['bt.yaml:8:11: spec.variants[0].name: expected a string of 1 to 63 characters, got 64 characters'],
    ],
    [
      'a long wrong value, cut',
      withChange('minimize', 'm'.repeat(500)),
      [
        `bt.yaml:26:28: spec.objective.metrics[0].goal: expected "minimize" or "maximize", got "${'m'.repeat(60)}…"`,
      ],
    ],
    [
      'a name that no object may have',
      withChange('checkout-cache', 'Checkout Cache'),
      [
        'bt.yaml:3:18: metadata.name: must be a lower-case RFC 1123 subdomain: letters, digits, - and ., got "Checkout Cache"',
      ],
    ],
    [
      'text for an object',
      withChange('metadata: {name: checkout-cache}', 'metadata: checkout-cache'),
      ['bt.yaml:3:11: metadata: expected an object, got "checkout-cache"'],
    ],
    [
      'several mistakes, in the order of the file',
      withChange('repetitions: 5', 'repetitions: 0\n  trialDeadlineSeconds: soon'),
      [
        'bt.yaml:6:16: spec.repetitions: expected an integer from 1 to 1000, got 0',
        'bt.yaml:7:25: spec.trialDeadlineSeconds: expected an integer from 1 to 604800, got "soon"',
      ],
    ],
  ])('%s', (_what, text, problems) => {
    expect(problemsOf(text)).toEqual(problems);
  });

  it('neither variants nor a matrix', () => {
    const object = { ...Object(toObject(VALID)) };
    const { variants: _variants, matrix: _matrix, ...spec } = object.spec;
    expect(problemsOf(stringify({ ...object, spec }))).toEqual([
      'bt.yaml:5:1: spec: needs variants, a matrix, or both',
    ]);
  });
});

describe('a hostile manifest', () => {
  const matrixOf = (parameters: number, values: number): string => {
    const list = Array.from({ length: values }, (_, index) => `"${index}"`).join(', ');
    const lines = Array.from(
      { length: parameters },
      (_, index) => `    - {name: P${index}, values: [${list}]}`,
    );
    return VALID.replace(/ {4}- \{name: CACHE[\s\S]*WORKERS: "8"\}/, lines.join('\n'));
  };

  it('asks for 256 to the power of 8 variants and is refused without any of them being made', () => {
    expect(problemsOf(matrixOf(8, 256))).toEqual([
      'bt.yaml:10:3: spec.matrix: variants and matrix make 18446744073709552000 variants; the limit is 10000',
    ]);
  });

  it('asks for more trials than there may be', () => {
    expect(problemsOf(matrixOf(2, 99).replace('repetitions: 5', 'repetitions: 11'))).toEqual([
      'bt.yaml:6:16: spec.repetitions: 9802 variants times 11 repetitions make 107822 trials; the limit is 100000',
    ]);
  });

  it.each([
    ['a number that is too large for a field, once', 'repetitions: 100001', '100001'],
    [
      'one that is too large for an integer, once',
      'repetitions: 99999999999999999999',
      '99999999999999999999',
    ],
  ])('tells of %s', (_, given, shown) => {
    expect(problemsOf(withChange('repetitions: 5', given))).toEqual([
      `bt.yaml:6:16: spec.repetitions: expected an integer from 1 to 1000, got ${shown}`,
    ]);
  });

  it.each(['Team_A', 'team.a', '-team', ''])('is not in the namespace %j', (namespace) => {
    expect(problemsOf(withChange('{name: checkout-cache}', `{name: x, namespace: "${namespace}"}`))).toEqual([
      `bt.yaml:3:32: metadata.namespace: must be a lower-case RFC 1123 label: letters, digits and -, got "${namespace}"`,
    ]);
  });

  it.each([
    ['flow collections', '['.repeat(200_000)],
    ['block collections', '- '.repeat(200_000)],
  ])('nests %s without end', (_what, text) => {
    expect(problemsOf(text)).toEqual([expect.stringMatching(/: is nested more than 200 levels deep$/)]);
  });

  it('grows by its aliases', () => {
    const levels = Array.from(
      { length: 20 },
      (_, level) => `l${level}: &l${level} [${`*l${level - 1}, `.repeat(9)}]`,
    );
    expect(problemsOf(['l: &l-1 [x]', ...levels].join('\n'))).toEqual([
      'bt.yaml:1:1: comes to more than 3 MiB with its aliases filled in, which no API server accepts',
    ]);
  });

  it('grows by one long text that it repeats', () => {
    expect(problemsOf(`a: &a "${'x'.repeat(100_000)}"\nb: [${'*a, '.repeat(100)}]`)).toEqual([
      'bt.yaml:1:1: comes to more than 3 MiB with its aliases filled in, which no API server accepts',
    ]);
  });

  it('nests without end by its aliases', () => {
    const levels = Array.from({ length: 1_000 }, (_, level) => `l${level}: &l${level} [*l${level - 1}]`);
    expect(problemsOf(['l: &l-1 [x]', ...levels].join('\n'))).toEqual([
      'bt.yaml:1:1: is nested more than 200 levels deep',
    ]);
  });

  it.each([
    [10_000, []],
    [50_000, ['bt.yaml:1:1: has more than 10000 aliases']],
  ])('has %d aliases', (count, problems) => {
    expect(
      problemsOf(withChange('args: ["--cache=$(CACHE)"]', `args: [&a "1", ${'*a,'.repeat(count)}]`)),
    ).toEqual(problems);
  });

  it('is larger than any API server accepts', () => {
    expect(problemsOf(`${VALID}#${'x'.repeat(3 * 2 ** 20)}`)).toEqual([
      'bt.yaml:1:1: is larger than 3 MiB, which no API server accepts',
    ]);
  });

  it('is refused with a text that a terminal can show, whatever it holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        for (const source of [text, `{${JSON.stringify(text)}: 1}`, `{"kind": ${JSON.stringify(text)}}`])
          for (const problem of problemsOf(source))
            expect(problem).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
      }),
    );
  });
});

describe('an object that was never text', () => {
  it('has problems without a line', () => {
    const result = validateManifest({ ...Object(toObject(VALID)), kind: 'Job' }, 'BatchTest');
    expect(result.ok ? [] : result.problems.map(formatProblem)).toEqual([
      'BatchTest: kind: expected "BatchTest", got "Job"',
    ]);
  });

  it('is refused where it holds itself, and not for holding the same twice', () => {
    const labels = { team: 'search' };
    const valid = { ...Object(toObject(VALID)), metadata: { name: 'twice', labels, annotations: labels } };
    expect(validateManifest(valid, 'BatchTest').ok).toBe(true);
    const list: unknown[] = ['a'];
    list.push({ list });
    const result = validateManifest({ ...valid, spec: { ...valid.spec, matrix: list } }, 'BatchTest');
    expect(result.ok ? [] : result.problems.map(formatProblem)).toEqual([
      'BatchTest: spec.matrix[1].list: is an object or a list that holds itself, which would have no end',
    ]);
  });
});

describe('an object that an API server has', () => {
  const valid = Object(toObject(VALID));
  const { spec } = valid;
  const [variant] = spec.variants;
  const template = {
    later: true,
    spec: { ...spec.template.spec, later: { a: [1] } },
  };
  const condition = (type: string) => ({
    type,
    status: 'True',
    reason: 'Test',
    message: '',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  });

  it('may have fields that only a later version knows: they are left out, but for those of the template', () => {
    const served = {
      ...valid,
      spec: {
        ...spec,
        results: { later: null },
        comparison: { later: [{ later: 1 }] },
        template,
        constructor: 'x',
        later: 'x',
      },
    };
    const known = validateManifest(valid, 'BatchTest');
    if (!known.ok) throw new Error(known.problems.map(formatProblem).join('\n'));
    const { batchTest } = known;
    expect(validateServedManifest(served, 'BatchTest')).toEqual({
      ok: true,
      batchTest: { ...batchTest, spec: { ...batchTest.spec, template } },
      ignoredFields: ['spec.results.later', 'spec.comparison.later', 'spec.constructor', 'spec.later'],
    });
    expect(validateManifest(served, 'BatchTest').ok).toBe(false);
  });

  it('keeps the names that a map of free names has', () => {
    const parameters = { later: 'x', CACHE: 'lru' };
    const result = validateServedManifest(
      { ...valid, spec: { ...spec, variants: [{ ...variant, parameters }] } },
      'x',
    );
    expect(result).toMatchObject({ ok: true, ignoredFields: [] });
    expect(result.ok ? result.batchTest.spec.variants?.[0]?.parameters : undefined).toEqual(parameters);
  });

  it.each<[what: string, change: Readonly<Record<string, unknown>>, problem: string]>([
    [
      'a value that this version does not know',
      { execution: 'Later' },
      'spec.execution: expected "Job" or "Pod", got "Later"',
    ],
    [
      'a field of its variants that this version does not know',
      { variants: [{ ...variant, later: 1 }] },
      'spec.variants[0].later: unknown field; expected one of name, parameters',
    ],
    [
      'a field of its matrix that this version does not know',
      { matrix: { ...spec.matrix, later: 1 } },
      'spec.matrix.later: unknown field; expected one of parameters, exclude',
    ],
    ['a template without a pod', { template: { later: 1 } }, 'spec.template.spec: required, but missing'],
    ['no object', { matrix: 'later' }, 'spec.matrix: expected an object, got "later"'],
  ])('is refused for %s', (_, change, problem) => {
    const result = validateServedManifest(
      { ...valid, spec: { ...spec, later: 'x', ...change } },
      'BatchTest',
    );
    expect(result.ok ? [] : result.problems.map(formatProblem)).toEqual([`BatchTest: ${problem}`]);
  });

  it('tells of its status what this version knows', () => {
    const trials = { total: 3, pending: 1, running: 2, succeeded: 0, failed: 0, cancelled: 0 };
    expect(servedStatus({ runUid: 'a', later: 1, trials: { ...trials, later: 2 } })).toEqual({
      runUid: 'a',
      trials,
    });
    expect(servedStatus(undefined)).toBeUndefined();
    expect(servedStatus('later')).toBeUndefined();
  });

  it.each<[what: string, later: Readonly<Record<string, unknown>>]>([
    ['a word', { gate: 'Later' }],
    [
      'a limit',
      { best: { name: 'a', score: '1', ties: Array.from({ length: 20 }, (_, tie) => `tie-${tie}`) } },
    ],
    ['a type', { completionTime: { later: 1 } }],
    ['a list in place of an object', { results: [] }],
  ])('tells the rest of its status, in which %s is not known', (_, later) => {
    const known = { runUid: 'a', startTime: '2026-01-01T00:00:00Z', conditions: [condition('Complete')] };
    expect(servedStatus({ ...known, ...later })).toEqual(known);
  });

  it('tells the other conditions, of which one is not known, or which are more than this version has', () => {
    const complete = condition('Complete');
    const later = { ...condition('Later'), status: 'Later' };
    expect(servedStatus({ conditions: [later, complete] })).toEqual({ conditions: [complete] });
    expect(servedStatus({ conditions: [later] })).toEqual({});
    const many = [...Array.from({ length: 20 }, (_, index) => condition(`Later${index}`)), complete];
    expect(servedStatus({ conditions: many })).toEqual({ conditions: many });
  });
});

describe('any valid BatchTest', () => {
  const parameterName = fc
    .stringMatching(/^[A-Z][A-Z0-9_]{0,10}$/)
    .filter((name) => !name.startsWith('BATCHTEST_'));
  const parameterValue = fc
    .string({ unit: 'binary', maxLength: 40 })
    .filter((value) => !value.includes('\0') && !/\p{Cs}/u.test(value));
  const variantName = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
    .filter((name) => !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(name));
  const variants = fc.uniqueArray(
    fc.record({
      name: variantName,
      parameters: fc.dictionary(parameterName, parameterValue, { maxKeys: 5, noNullPrototype: true }),
    }),
    { minLength: 1, maxLength: 6, selector: ({ name }) => name },
  );
  const matrix = fc.record({
    parameters: fc.uniqueArray(
      fc.record({
        name: parameterName,
        values: fc.uniqueArray(parameterValue, { minLength: 1, maxLength: 4 }),
      }),
      { minLength: 1, maxLength: 4, selector: ({ name }) => name },
    ),
  });
  const metrics = fc.uniqueArray(
    fc.record({
      name: fc.stringMatching(/^[A-Za-z][A-Za-z0-9_.:/%-]{0,20}$/).filter(isMetricName),
      goal: fc.constantFrom('minimize', 'maximize'),
      weight: fc.oneof(
        fc.integer({ min: 1, max: 1_000 }),
        fc.integer({ min: 1, max: 99 }).map((n) => `0.${n}`),
      ),
    }),
    { minLength: 1, maxLength: 4, selector: ({ name }) => name },
  );
  const batchTest = fc.record({
    apiVersion: fc.constant('batchtest.dev/v1alpha1'),
    kind: fc.constant('BatchTest'),
    metadata: fc.record({ name: fc.stringMatching(/^[a-z][a-z0-9]{0,20}$/) }),
    spec: fc.record(
      {
        parallelism: fc.integer({ min: 0, max: Limits.parallelism }),
        repetitions: fc.integer({ min: 1, max: 10 }),
        variants,
        matrix,
        template: fc.constant({
          spec: { containers: [{ name: 'test', image: 'bench:1', env: [{ name: 'A', value: 'no' }] }] },
        }),
        objective: fc.record({ metrics }),
      },
      { requiredKeys: ['variants', 'template', 'objective'] },
    ),
  });

  it('is the same after being written as YAML or JSON and read again', () => {
    fc.assert(
      fc.property(batchTest, (written) => {
        const direct = validateManifest(written, 'x');
        expect(direct).toMatchObject({ ok: true });
        // Version 1.1, as kubectl has it: then words like "on" are quoted.
        expect(parseManifest(stringify(written, { version: '1.1', compat: 'core' }), 'x')).toEqual(direct);
        expect(parseManifest(JSON.stringify(written), 'x')).toEqual(direct);
      }),
    );
  });
});
