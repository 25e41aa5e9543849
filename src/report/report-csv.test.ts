import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hostileRun } from '../../test/builders/hostile-run.ts';
import { aStoredRun } from '../../test/builders/stored-run.ts';
import { reportCsv } from './report-csv.ts';
import { runReport } from './run-report.ts';

/** The records of a file by the grammar of RFC 4180, section 2; throws where the text does not follow it. */
function parsedCsv(text: string): readonly (readonly string[])[] {
  const records: string[][] = [];
  let record: string[] = [];
  const field = /"((?:[^"]|"")*)"(,|\r\n)|([^",\r\n]*)(,|\r\n)/y;
  while (field.lastIndex < text.length) {
    const start = field.lastIndex;
    const match = field.exec(text);
    if (match === null)
      throw new Error(`no field at ${start}: ${JSON.stringify(text.slice(start, start + 40))}`);
    const [, quoted, endOfQuoted, plain, endOfPlain] = match;
    record.push(quoted === undefined ? (plain ?? '') : quoted.replaceAll('""', '"'));
    if ((endOfQuoted ?? endOfPlain) === ',') continue;
    records.push(record);
    record = [];
  }
  return records;
}

const recordsOf = (stored: Parameters<typeof runReport>[0]) => parsedCsv(reportCsv(runReport(stored)));

/** The cell of each row in the column of this title. */
function column(records: readonly (readonly string[])[], title: string): readonly (string | undefined)[] {
  const [titles = [], ...rows] = records;
  expect(titles).toContain(title);
  return rows.map((cells) => cells[titles.indexOf(title)]);
}

describe('a report as CSV', () => {
  const stored = aStoredRun({
    variants: [
      { name: 'lru', parameters: { CACHE: 'lru', OFFSET: '-1.5' }, trials: [{ p95_ms: -2 }, { p95_ms: -4 }] },
      { name: 'arc', parameters: { CACHE: 'arc' }, trials: [{ p95_ms: 1.5 }, { failed: 'TestFailed' }] },
    ],
  });

  it('has a row per variant, the best first', () => {
    const records = recordsOf(stored);
    expect(column(records, 'rank')).toEqual(['1', '']);
    expect(column(records, 'variant')).toEqual(['lru', 'arc']);
    expect(column(records, 'trials.failed')).toEqual(['0', '1']);
  });

  it('has a column per parameter and per statistic of a metric, empty where nothing is known', () => {
    const records = recordsOf(stored);
    expect(column(records, 'parameter.OFFSET')).toEqual(['-1.5', '']);
    expect(column(records, 'metric.p95_ms.mean')).toEqual(['-3', '1.5']);
    expect(column(records, 'metric.p95_ms.min')).toEqual(['-4', '1.5']);
    expect(column(records, 'metric.p95_ms.stddev')[1]).toBe('');
  });

  it.each([
    ['-1.5', '-1.5'],
    ['1e-7', '1e-7'],
    ['-2+3', "'-2+3"],
    ['+1', "'+1"],
    ['=1+1', "'=1+1"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['\t=1', "'\t=1"],
    ['\r=1', "'\\r=1"],
    ['one\r\ntwo\rthree', 'one\r\ntwo\\rthree'],
    ['\0=1', "'\\x00=1"],
    ['a=1', 'a=1'],
    ['two\nlines, "quoted"', 'two\nlines, "quoted"'],
  ])('shows the parameter %j as %j', (value, shown) => {
    const records = recordsOf(
      aStoredRun({ variants: [{ name: 'v', parameters: { P: value }, trials: [{ p95_ms: 1 }] }] }),
    );
    expect(column(records, 'parameter.P')).toEqual([shown]);
  });

  it('is a table without formulas, whatever names and values hold', () => {
    fc.assert(
      fc.property(hostileRun, (run) => {
        const text = reportCsv(runReport(run));
        const records = parsedCsv(text);
        expect(records).toHaveLength(run.variants.length + 1);
        expect(new Set(records.map(({ length }) => length)).size).toBe(1);
        const formulas = records
          .flat()
          .filter((cell) => /^[=+\-@\t\r\n\0＝＋－＠]/.test(cell) && !Number.isFinite(Number(cell)));
        expect(formulas).toEqual([]);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it is about.
        expect(text).not.toMatch(/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202e]/);
      }),
    );
  });

  it('holds every value that is printable as it is, but for the quote before a formula', () => {
    const printableText = fc.string({ unit: fc.constantFrom(...'ab=+-@,;"|\'\n\t<é日 ') });
    fc.assert(
      fc.property(printableText, (value) => {
        const records = recordsOf(
          aStoredRun({ variants: [{ name: 'v', parameters: { P: value }, trials: [{ p95_ms: 1 }] }] }),
        );
        expect([value, `'${value}`]).toContain(column(records, 'parameter.P')[0]);
      }),
    );
  });
});
