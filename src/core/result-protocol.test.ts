import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { parseResult, type ReportedResult } from './result-protocol.ts';

const result = (text: string): ReportedResult => {
  const parsed = parseResult(text);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.result;
};
const problem = (text: string, cutAtBytes?: number): string => {
  const parsed = parseResult(text, cutAtBytes);
  if (parsed.ok) throw new Error(`no problem with ${text}`);
  return parsed.problem;
};
const nested = (levels: number, open: string, close: string) => open.repeat(levels) + close.repeat(levels);
const manyMetrics = (count: number) =>
  JSON.stringify({
    metrics: Object.fromEntries(Array.from({ length: count }, (_, index) => [`m${index}`, index])),
  });
const withArtifact = (artifact: unknown) => JSON.stringify({ artifacts: [artifact] });

const prototypeBefore = Object.getOwnPropertyNames(Object.prototype).sort();
afterEach(() => {
  expect(Object.getOwnPropertyNames(Object.prototype).sort()).toEqual(prototypeBefore);
  expect(Reflect.get({}, 'polluted')).toBeUndefined();
});

describe('a result', () => {
  it('has metrics, artifacts and outputs', () => {
    const sha256 = 'a'.repeat(64);
    const text = JSON.stringify({
      metrics: { p95_ms: 41.2, 'rate/s': -1, 'a.b:c-d%': 0 },
      artifacts: [
        { name: 'profile', uri: 's3://b/k', sha256, size: 12 },
        { name: 'log', uri: 'file:log' },
      ],
      outputs: { anything: [1, { else: null }] },
    });
    expect(result(text)).toEqual({
      metrics: new Map([
        ['p95_ms', 41.2],
        ['rate/s', -1],
        ['a.b:c-d%', 0],
      ]),
      artifacts: [
        { name: 'profile', uri: 's3://b/k', sha256, size: 12 },
        { name: 'log', uri: 'file:log' },
      ],
      outputs: { anything: [1, { else: null }] },
    });
  });

  it.each([
    { what: 'an empty object', text: ' {} \n' },
    { what: 'exactly 256 metrics', text: manyMetrics(256) },
    {
      what: 'the largest and the smallest numbers',
      text: '{"metrics":{"a":1e150,"b":-1e150,"c":5e-324,"d":-0}}',
    },
    { what: 'outputs nested 32 levels deep', text: `{"outputs":{"a":${nested(31, '[', ']')}}}` },
  ])('may be $what', ({ text }) => {
    expect(parseResult(text)).toHaveProperty('ok', true);
  });

  it('has the last of two values under one key, as JSON.parse reads it', () => {
    expect(result('{"metrics":{"a":1,"a":2}}').metrics).toEqual(new Map([['a', 2]]));
    expect(problem('{"metrics":{"a":1},"metrics":{"a":"x"}}')).toBe(
      'metric "a" must be a number, not a string',
    );
  });

  it('may have a metric that is called like a member of every object', () => {
    const { metrics } = result('{"metrics":{"constructor":1,"toString":2,"hasOwnProperty":3}}');
    expect([...metrics]).toEqual([
      ['constructor', 1],
      ['toString', 2],
      ['hasOwnProperty', 3],
    ]);
  });

  it('keeps __proto__ and constructor inside outputs as the data that they are', () => {
    const { outputs } = result(
      '{"outputs":{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}}',
    );
    expect(Object.getPrototypeOf(outputs)).toBe(Object.prototype);
    expect(Object.keys(outputs ?? {})).toEqual(['__proto__', 'constructor']);
  });
});

describe('no result', () => {
  it.each([
    { what: 'nothing', text: '', says: /wrote no result to \$BATCHTEST_RESULT_FILE/ },
    { what: 'blank space', text: ' \n\t\ufeff', says: /wrote no result/ },
    { what: 'broken JSON', text: '{"metrics":', says: /not valid JSON/ },
    { what: 'two objects', text: '{}{}', says: /not valid JSON/ },
    { what: 'text before the object', text: 'done {}', says: /not valid JSON/ },
    { what: 'a NaN', text: '{"metrics":{"a":NaN}}', says: /not valid JSON/ },
    { what: 'an Infinity', text: '{"metrics":{"a":Infinity}}', says: /not valid JSON/ },
    { what: 'a list', text: '[]', says: 'the result must be a JSON object, not a list' },
    { what: 'a string', text: '"ok"', says: 'the result must be a JSON object, not a string' },
    { what: 'a number', text: '1', says: 'the result must be a JSON object, not a number' },
    { what: 'null', text: 'null', says: 'the result must be a JSON object, not null' },
    { what: 'true', text: 'true', says: 'the result must be a JSON object, not a boolean' },
    { what: 'a list nested 2,000 deep', text: nested(2_000, '[', ']'), says: /not a list/ },
    {
      what: 'binary bytes',
      text: Buffer.from([0, 255, 254, 1, 128]).toString('utf8'),
      says: /not valid JSON/,
    },
    { what: 'a NUL', text: '{"metrics":{"a":1}}\0', says: /not valid JSON/ },
    { what: 'an unknown field', text: '{"metric":{}}', says: /unknown field "metric"/ },
    { what: '__proto__ at the top', text: '{"__proto__":{"polluted":1}}', says: /unknown field "__proto__"/ },
    { what: 'constructor at the top', text: '{"constructor":{}}', says: /unknown field "constructor"/ },
    { what: 'metrics as a list', text: '{"metrics":[1]}', says: /metrics must be .* not a list/ },
    { what: 'metrics as null', text: '{"metrics":null}', says: /metrics must be .* not null/ },
    {
      what: 'a metric as text',
      text: '{"metrics":{"a":"1"}}',
      says: 'metric "a" must be a number, not a string',
    },
    {
      what: 'a metric as null',
      text: '{"metrics":{"a":null}}',
      says: 'metric "a" must be a number, not null',
    },
    {
      what: 'a metric nested 2,000 deep',
      text: `{"metrics":{"a":${nested(2_000, '[', ']')}}}`,
      says: /not a list/,
    },
    {
      what: 'an infinite metric',
      text: '{"metrics":{"a":1e999}}',
      says: 'metric "a" is not a finite number',
    },
    {
      what: 'a metric beyond use',
      text: '{"metrics":{"a":-1.1e150}}',
      says: /"a" must be between -1e150 and 1e150/,
    },
    {
      what: 'a metric called __proto__',
      text: '{"metrics":{"__proto__":1}}',
      says: /metric name "__proto__" must/,
    },
    { what: 'a metric without a name', text: '{"metrics":{"":1}}', says: /metric name "" must/ },
    {
      what: 'a metric of 64 characters',
      text: `{"metrics":{"${'m'.repeat(64)}":1}}`,
      says: /metric name "m+" must/,
    },
    { what: 'a metric called 1', text: '{"metrics":{"1":1}}', says: /metric name "1" must/ },
    {
      what: 'the duration, which is measured',
      text: '{"metrics":{"duration_seconds":1}}',
      says: /may not be reported/,
    },
    { what: '257 metrics', text: manyMetrics(257), says: 'metrics has 257 entries; the limit is 256' },
    {
      what: 'artifacts as an object',
      text: '{"artifacts":{}}',
      says: /artifacts must be a list, not an object/,
    },
    { what: 'an artifact as text', text: withArtifact('a'), says: /artifacts\[0\] must be/ },
    {
      what: 'an artifact without a name',
      text: withArtifact({ name: '', uri: 'u' }),
      says: /artifacts\[0\] must be/,
    },
    { what: 'an artifact without a URI', text: withArtifact({ name: 'n' }), says: /artifacts\[0\] must be/ },
    {
      what: 'an upper-case digest',
      text: withArtifact({ name: 'n', uri: 'u', sha256: 'A'.repeat(64) }),
      says: /artifacts\[0\]/,
    },
    {
      what: 'a negative size',
      text: withArtifact({ name: 'n', uri: 'u', size: -1 }),
      says: /artifacts\[0\]/,
    },
    { what: 'a broken size', text: withArtifact({ name: 'n', uri: 'u', size: 1.5 }), says: /artifacts\[0\]/ },
    {
      what: 'an artifact twice',
      text: JSON.stringify({
        artifacts: [
          { name: 'n', uri: 'u' },
          { name: 'n', uri: 'v' },
        ],
      }),
      says: 'artifacts names "n" twice',
    },
    {
      what: '65 artifacts',
      text: JSON.stringify({ artifacts: Array(65).fill(null) }),
      says: /65 entries; the limit is 64/,
    },
    { what: 'outputs as a list', text: '{"outputs":[]}', says: 'outputs must be a JSON object, not a list' },
    {
      what: 'outputs nested 33 levels deep',
      text: `{"outputs":{"a":${nested(32, '[', ']')}}}`,
      says: 'outputs is nested more than 32 levels deep',
    },
    {
      what: 'outputs nested 2,000 deep',
      text: `{"outputs":{"a":${nested(2_000, '[', ']')}}}`,
      says: /outputs is nested more than 32/,
    },
  ])('comes of $what', ({ text, says }) => {
    expect(problem(text)).toEqual(typeof says === 'string' ? says : expect.stringMatching(says));
  });

  it('says that JSON was probably cut off when it is as long as what is left of longer ones', () => {
    const cut = `{"outputs":{"a":"${'é'.repeat(2_048)}`;
    expect(problem(cut, 4_096)).toMatch(/reaches the limit of 4096 bytes and was probably cut off there/);
    expect(problem(cut.slice(0, 1_000), 4_096)).not.toMatch(/cut off/);
    expect(problem(cut)).not.toMatch(/cut off/);
  });

  it('says it in a short sentence, however long what is wrong with it', () => {
    const long = 'k'.repeat(4_000);
    for (const text of [
      `{"${long}":1}`,
      `{"metrics":{"${long}":1}}`,
      `{"metrics":${JSON.stringify(long)}}`,
      long,
    ])
      expect(problem(text).length).toBeLessThan(300);
  });

  it('is never an exception', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.json(),
          fc.json().map((text) => `{"metrics":${text}}`),
        ),
        (text) => {
          const parsed = parseResult(text);
          if (parsed.ok)
            for (const value of parsed.result.metrics.values()) expect(Number.isFinite(value)).toBe(true);
          else expect(parsed.problem).not.toBe('');
        },
      ),
    );
  });
});
