/** What the schema of the chart's values takes, the operator takes too: with anything else its pods would end at their start, again and again. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { duration } from '../../src/cli/duration.ts';
import { locationOf, targetsOf } from '../../src/outbox/delivery-config.ts';

const { operator, artifactStores, notifications } = JSON.parse(
  readFileSync(new URL('../../charts/batchtest/values.schema.json', import.meta.url), 'utf8'),
).properties;

const takes = (parse: (text: string) => unknown, text: string): boolean => {
  try {
    parse(text);
    return true;
  } catch {
    return false;
  }
};

const AGES = [
  ...['0s', '90s', '12h', '90d', '4w', '999999s', '999999w'],
  ...['1000000s', '7776000s', '90', 'd', '1.5h', '-1s', '1 d', ' 1d', '1y', '90D'],
];
const BUCKETS = [
  ...['s3://abc', 's3://a-b.c', 's3://abc/', 's3://abc/prefix/', `s3://${'a'.repeat(63)}/prefix`],
  ...['s3://', 's3:///prefix', 's3://ab', `s3://${'a'.repeat(64)}`, 's3://Bucket', 's3://a_b', 's3://-abc'],
  ...['s3://abc-', 's3://abc-/prefix', 'S3://abc', 'abc', 'https://abc'],
];
const URLS = [
  ...['https://hooks.example', 'http://hooks.example:8080/runs?key=1', 'https://user:password@hooks.example'],
  ...['https://', 'http://', 'https://?runs', 'https://#runs', 'hooks.example', 'ftp://hooks.example', ''],
];

it.each<
  [value: string, schema: { pattern: string }, parse: (text: string) => unknown, texts: readonly string[]]
>([
  ['operator.retention', operator.properties.retention, duration, AGES],
  ['operator.deletionPatience', operator.properties.deletionPatience, duration, AGES],
  ['artifactStores', artifactStores.items, locationOf, BUCKETS],
  [
    'notifications.urls',
    notifications.properties.urls.items,
    (url) => targetsOf({ notifyUrls: [url], notifyTokenFile: undefined }),
    URLS,
  ],
])('%s is what the operator takes, and nothing else', (_, { pattern }, parse, texts) => {
  const taken = texts.filter((text) => takes(parse, text));
  expect(taken).not.toEqual([]);
  expect(texts.filter((text) => new RegExp(pattern, 'u').test(text))).toEqual(taken);
});
