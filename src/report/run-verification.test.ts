import { describe, expect, it } from 'vitest';
import { aStoredRun } from '../../test/builders/stored-run.ts';
import { reportTable } from './report-table.ts';
import { runReport } from './run-report.ts';
import { verificationTexts } from './run-verification.ts';

const NONE = { pending: 0, verified: 0, mismatched: 0, missing: 0 };
const textsOf = (artifacts: Partial<typeof NONE>, results: Partial<typeof NONE> = {}) => {
  const tracked = Object.values(artifacts).reduce((sum, count) => sum + count, 0);
  return verificationTexts({
    artifacts: { ...NONE, ...artifacts, tracked },
    results: { ...NONE, verified: 9, ...results },
  });
};

describe('what was read back, in words', () => {
  it.each([
    { what: 'nothing where there are no artifacts', artifacts: {}, texts: [] },
    { what: 'that all are verified', artifacts: { verified: 1 }, texts: ['1 artifact verified'] },
    {
      what: 'each kind that is not',
      artifacts: { verified: 3, mismatched: 1, missing: 2, pending: 4 },
      texts: ['3 of 10 artifacts verified, 1 not what the result tells, 2 missing, 4 not read back yet'],
    },
  ])('says $what', ({ artifacts, texts }) => {
    expect(textsOf(artifacts).map(({ text }) => text)).toEqual(texts);
  });

  it('takes what is not read back yet for no problem, and what differs for one', () => {
    expect(textsOf({ verified: 1, pending: 1 })).toMatchObject([{ isFine: true }]);
    expect(textsOf({ verified: 1, missing: 1 })).toMatchObject([{ isFine: false }]);
    expect(textsOf({}, { mismatched: 1, missing: 1 })).toEqual([
      { isFine: false, text: '2 stored results not what was reported' },
    ]);
  });
});

it('the table names each artifact that is not verified, with nothing that moves the cursor', () => {
  const stored = aStoredRun({ variants: [{ name: 'a', trials: [{ p95_ms: 1 }] }] });
  const report = runReport({
    ...stored,
    verification: {
      counts: { artifacts: { ...NONE, mismatched: 1 }, results: NONE },
      problems: [
        {
          variantId: stored.variants[0]?.id ?? '',
          repetition: 0,
          attempt: 1,
          name: 'trace\u001b[2J',
          uri: 's3://bucket/\u001b[1mkey',
          state: 'Mismatch',
          reason: 'its size is not the 3 bytes that the result tells',
        },
      ],
    },
  });
  const table = reportTable(report, { columns: 100, colour: false });
  expect(table).toContain('✘ 0 of 1 artifact verified, 1 not what the result tells\n  a repetition 0: trace');
  expect(table).toContain('Mismatch: its size is not the 3 bytes that the result tells');
  expect(table).not.toContain('\u001b');
});
