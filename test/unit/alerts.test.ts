import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { STORE_REASONS } from '../../src/telemetry/attempt-reasons.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { promtool } from '../tools/promtool.ts';

const path = (file: string): string => fileURLToPath(new URL(`../../${file}`, import.meta.url));

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: Readonly<Record<'summary' | 'description' | 'runbook_url', string>>;
}

const { groups } = parse(readFileSync(path('alerts/batchtest.rules.yaml'), 'utf8')) as {
  readonly groups: readonly { readonly rules: readonly Alert[] }[];
};
const alerts = groups.flatMap(({ rules }) => rules);

const METRIC = /\b(?:batchtest|controller_runtime|workqueue|rest_client|leader_election|nodejs|process)_\w+/g;

/** The metrics that a text names, without the suffixes of a histogram's series. */
const metricsIn = (text: string): readonly string[] =>
  [...text.matchAll(METRIC)].map(([name]) => name.replace(/_(bucket|sum|count)$/, ''));

describe('the alerts', () => {
  it('pass promtool check rules', async () => {
    const { exitCode, text } = await promtool(['check', 'rules', path('alerts/batchtest.rules.yaml')]);
    expect({ exitCode, text }).toMatchObject({ exitCode: 0, text: expect.stringContaining('SUCCESS') });
  });

  it('fire when they ought to, and not before', async () => {
    const { exitCode, text } = await promtool(['test', 'rules', path('alerts/batchtest.rules.test.yaml')]);
    expect({ exitCode, text }).toMatchObject({ exitCode: 0, text: expect.stringContaining('SUCCESS') });
  }, 180_000);

  it('each have a test of their own', () => {
    const tests = readFileSync(path('alerts/batchtest.rules.test.yaml'), 'utf8');
    for (const { alert } of alerts) expect(tests).toMatch(new RegExp(`name: .*\\b${alert}\\b`));
  });

  it('each have a runbook, and no runbook is of an alert that is gone', () => {
    const pages = readdirSync(path('docs/runbooks')).filter((name) => name !== 'README.md');
    expect(pages.sort()).toEqual(alerts.map(({ alert }) => `${alert}.md`).sort());
    for (const { alert, annotations } of alerts) {
      expect(annotations.runbook_url).toBe(`docs/runbooks/${alert}.md`);
      const page = readFileSync(path(annotations.runbook_url), 'utf8');
      expect(page.split('\n')[0]).toBe(`# ${alert}`);
      for (const heading of ['## What it means', '## What to look at', '## What to do'])
        expect(page, alert).toContain(heading);
    }
  });
});

it('the reasons that the runbook of BatchTestStoreFailing explains are ones that the alert tells', () => {
  const page = readFileSync(path('docs/runbooks/BatchTestStoreFailing.md'), 'utf8');
  const cells = page.split('\n').flatMap((line) => /^\| (`[^|]*)\|/.exec(line)?.[1] ?? []);
  const explained = cells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, reason]) => reason));
  expect(explained.toSorted()).toEqual(
    STORE_REASONS.filter((reason) => !['Opening', 'Other'].includes(reason)).toSorted(),
  );
});

it('the words that a runbook explains of a label are ones that the metric may have there', () => {
  const metrics = createMetrics().descriptions;
  const words = readdirSync(path('docs/runbooks')).flatMap((page) => {
    const [, ...items] = readFileSync(path(`docs/runbooks/${page}`), 'utf8').split(/^- /m);
    return items.flatMap((item) => {
      const [text = ''] = item.split('\n\n');
      const [, name, labels = '', rest = ''] =
        /^`(\w+)(?:\{[^}]*\})?` by ((?:`\w+`(?: and )?)+)(.*)$/s.exec(text) ?? [];
      const lists = metrics.find((metric) => metric.name === name)?.labels ?? {};
      const may = [...labels.matchAll(/\w+/g)].flatMap(([label]) => lists[label] ?? []);
      return [...rest.matchAll(/`([A-Za-z]+)`/g)].map(([, word = '']) => ({
        page,
        word,
        is: may.includes(word),
      }));
    });
  });
  expect(words.map(({ word }) => word)).toEqual(
    expect.arrayContaining(['RunFinished', 'TimedOut', 'storing']),
  );
  expect(words.filter(({ is }) => !is)).toEqual([]);
});

describe('the metrics that are named', () => {
  const known = new Set(createMetrics().descriptions.map(({ name }) => name));
  const documents = [
    'alerts/batchtest.rules.yaml',
    'dashboards/batchtest-operator.json',
    'docs/reference/dashboards.md',
    'docs/reference/operator.md',
    ...readdirSync(path('docs/runbooks')).map((name) => `docs/runbooks/${name}`),
  ];

  it.each(documents)('in %s are there', (document) => {
    const named = metricsIn(readFileSync(path(document), 'utf8'));
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });
});
