import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hostileRun } from '../../test/builders/hostile-run.ts';
import { anAttempt, aStoredRun } from '../../test/builders/stored-run.ts';
import { reportJunit } from './report-junit.ts';
import { trialReport } from './trial-report.ts';

interface ParsedElement {
  readonly tag: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly text: string;
  readonly children: readonly ParsedElement[];
}

const PARSER = `
import json, sys
from xml.etree import ElementTree
def tree(element):
    return {"tag": element.tag, "attributes": element.attrib, "text": element.text or "", "children": [tree(each) for each in element]}
print(json.dumps([tree(ElementTree.fromstring(text.encode("utf-8"))) for text in json.load(sys.stdin)]))
`;

/** The documents as Python's parser (expat) reads them; throws when one is not well-formed. */
const parsedXml = (documents: readonly string[]): readonly ParsedElement[] =>
  JSON.parse(
    execFileSync('python3', ['-c', PARSER], {
      input: JSON.stringify(documents),
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    }),
  );

const suiteOf = (root: ParsedElement | undefined): ParsedElement => {
  const [suite] = root?.children ?? [];
  if (suite === undefined) throw new Error('there is no test suite');
  return suite;
};

const casesOf = (suite: ParsedElement): readonly ParsedElement[] =>
  suite.children.filter(({ tag }) => tag === 'testcase');

describe('a report as JUnit XML', () => {
  const stored = aStoredRun({
    variants: [
      { name: 'arc', trials: [{ p95_ms: 1 }, 'pending', 'cancelled'] },
      {
        name: 'lru',
        trials: [
          { failed: 'TestFailed', message: 'exit code 1: first\nError: second', logs: '/runs/lru' },
          { failed: 'Infrastructure', reason: 'NodeLost', message: '' },
        ],
      },
    ],
  });
  const [root] = parsedXml([reportJunit(trialReport(stored))]);
  const suite = suiteOf(root);

  it('has a suite per run with its counts and its time in seconds', () => {
    expect(suite.attributes).toEqual({
      name: 'checkout-cache',
      tests: '5',
      failures: '1',
      errors: '1',
      skipped: '2',
      time: '252.000',
      timestamp: '2026-11-24T10:00:00',
    });
  });

  it('has a test case per trial', () => {
    expect(casesOf(suite).map(({ attributes, children }) => [attributes.name, children[0]?.tag])).toEqual([
      ['arc [repetition 0]', undefined],
      ['arc [repetition 1]', 'skipped'],
      ['arc [repetition 2]', 'skipped'],
      ['lru [repetition 0]', 'failure'],
      ['lru [repetition 1]', 'error'],
    ]);
    expect(casesOf(suite)[0]?.attributes).toMatchObject({ classname: 'checkout-cache', time: '1.000' });
  });

  it('tells of a failure what happened and where its output is', () => {
    const [failure] = casesOf(suite)[3]?.children ?? [];
    expect(failure?.attributes).toEqual({ message: 'exit code 1: first', type: 'TestFailed' });
    expect(failure?.text).toBe(
      'TestFailed: NonZeroExitCode (attempt 1)\nexit code 1: first\nError: second\nlogs: /runs/lru',
    );
  });

  it('names the best variant and its score in the properties', () => {
    const [properties] = suite.children;
    const values = (properties?.children ?? []).map(({ attributes }) => [attributes.name, attributes.value]);
    expect(values).toContainEqual(['batchtest.best', 'arc']);
    expect(values).toContainEqual(['batchtest.best.score', '1.0000']);
    expect(values).toContainEqual(['batchtest.run', stored.uid]);
  });

  it('has a test case that fails for a run that failed though none of its trials did', () => {
    const [changed, overDeadline, complete] = parsedXml(
      [
        { state: 'Failed', reason: 'SharedDataChanged', message: 'corpus has changed' } as const,
        { state: 'Failed', reason: 'DeadlineExceeded', message: 'over its deadline' } as const,
        {},
      ].map((end) =>
        reportJunit(
          trialReport(aStoredRun({ variants: [{ name: 'a', trials: [{ p95_ms: 1 }, 'skipped'] }], ...end })),
        ),
      ),
    ).map(suiteOf);
    expect(changed?.attributes).toMatchObject({ tests: '3', failures: '1', skipped: '1' });
    expect(overDeadline && casesOf(overDeadline).at(-1)).toMatchObject({
      attributes: { classname: 'checkout-cache', name: 'run' },
      children: [{ tag: 'failure', attributes: { message: 'over its deadline', type: 'DeadlineExceeded' } }],
    });
    expect(complete?.attributes).toMatchObject({ tests: '2', failures: '0' });
    const names = changed?.children[0]?.children.map(({ attributes }) => attributes.name);
    expect(names).not.toContain('batchtest.best');
  });

  it('takes the time of the attempt that decided', () => {
    const [trial] = aStoredRun({ variants: [{ name: 'a', trials: [{ p95_ms: 1 }] }] }).trialDetails;
    if (trial === undefined) throw new Error('there is no trial');
    const at = (second: number): Date => new Date(Date.UTC(2026, 10, 24, 10, 0, second));
    const attempts = [
      anAttempt({ attempt: 2, startedAt: at(20), finishedAt: at(23) }),
      anAttempt({ attempt: 1, outcome: 'Infrastructure', startedAt: at(0), finishedAt: at(10) }),
    ];
    const run = aStoredRun({
      variants: [{ name: 'a', trials: [{ p95_ms: 1 }] }],
      trialDetails: [{ ...trial, attempts }],
    });
    const [retried] = parsedXml([reportJunit(trialReport(run))]);
    expect(casesOf(suiteOf(retried))[0]?.attributes.time).toBe('3.000');
  });

  it('is well-formed whatever names and logs hold, and no element comes from them', () => {
    const runs = fc.sample(hostileRun, 200);
    const documents = runs.map((run) => reportJunit(trialReport(run)));
    const parsed = parsedXml(documents);
    for (const [index, run] of runs.entries()) {
      expect(documents[index]).not.toMatch(/<!DOCTYPE|<!ENTITY|<script/i);
      const cases = casesOf(suiteOf(parsed[index])).filter(({ attributes }) => attributes.name !== 'run');
      expect(cases).toHaveLength(run.trialDetails.length + trialReport(run).report.gates.length);
      const tags = new Set(cases.flatMap(({ children }) => children.map(({ tag }) => tag)));
      expect(['failure', 'error', 'skipped']).toEqual(expect.arrayContaining([...tags]));
    }
  });

  it('keeps what XML can hold of a name', () => {
    const name = 'a<b>&"c"\'d\'\n\t e\u202e日本\u{1f600}';
    const run = aStoredRun({ variants: [{ name, trials: [{ p95_ms: 1 }] }], name: 'x\0\u0008\ufffey' });
    const suiteOfIt = suiteOf(parsedXml([reportJunit(trialReport(run))])[0]);
    expect(suiteOfIt.attributes.name).toBe('xy');
    expect(casesOf(suiteOfIt)[0]?.attributes.name).toBe(`${name} [repetition 0]`);
  });
});
