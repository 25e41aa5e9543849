import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { DIFFERENCE_KINDS, groupedFindings } from './difference.ts';

it('has every kind of difference explained in docs/reference/parity.md, in this order', () => {
  const text = readFileSync(new URL('../../docs/reference/parity.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| `(\w+)` \|/gm)].map(([, kind]) => kind);
  expect(rows).toEqual([...DIFFERENCE_KINDS]);
});

it('tells each kind and subject once, with how many there are and the first of them', () => {
  const finding = (subject: string, text: string) => ({ kind: 'MetricDiffers' as const, subject, text });
  expect(
    groupedFindings([
      { kind: 'BestDiffers', subject: null, text: 'best' },
      ...['1', '2', '3', '4'].map((text) => finding('x', text)),
      finding('y', '5'),
    ]),
  ).toEqual([
    { kind: 'MetricDiffers', subject: 'x', count: 4, examples: ['1', '2', '3'] },
    { kind: 'MetricDiffers', subject: 'y', count: 1, examples: ['5'] },
    { kind: 'BestDiffers', subject: null, count: 1, examples: ['best'] },
  ]);
});
