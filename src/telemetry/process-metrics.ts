import { getHeapStatistics } from 'node:v8';
import { collectDefaultMetrics, type Registry } from 'prom-client';
import { VERSION } from '../version.ts';
import type { LabelValues, MetricDescription, MetricFamilies } from './metric-families.ts';

/** Gauges that prom-client names like counters; each has a twin without the suffix, by type. */
const MISNAMED = [
  'nodejs_active_resources_total',
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
];

/** The process itself: prom-client's own set, what it lacks, and the version. */
export function createProcessMetrics(
  families: MetricFamilies,
  registry: Registry,
): readonly MetricDescription[] {
  const ours = new Set(families.descriptions.map(({ name }) => name));
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  const theirs = registry.getMetricsAsArray().filter(({ name }) => !ours.has(name));
  const descriptions = theirs.map(describe);
  families.gauge(
    'nodejs_heap_size_limit_bytes',
    'How large the heap may grow before the process ends for want of memory.',
    {},
    (gauge) => gauge.set(getHeapStatistics().heap_size_limit),
  );
  families
    .gauge('batchtest_build_info', 'Always 1; the labels say what runs.', {
      version: 'version of BatchTest',
      node: 'version of Node.js',
    })
    .set({ version: VERSION, node: process.versions.node }, 1);
  return descriptions;
}

const KINDS: readonly string[] = ['counter', 'gauge', 'histogram'];
const isKind = (type: unknown): type is MetricDescription['kind'] =>
  typeof type === 'string' && KINDS.includes(type);

function describe(metric: { readonly name: string; readonly help: string }): MetricDescription {
  const kind: unknown = Reflect.get(metric, 'type');
  const buckets: unknown = Reflect.get(metric, 'upperBounds');
  return {
    name: metric.name,
    help: metric.help,
    kind: isKind(kind) ? kind : kindByName(metric.name),
    labels: labelsOf(metric),
    buckets: Array.isArray(buckets) ? buckets.filter((bound) => typeof bound === 'number') : [],
  };
}

/** A metric of prom-client does not tell its kind, but keeps to the conventions of names. */
const kindByName = (name: string): MetricDescription['kind'] =>
  name.endsWith('_total') ? 'counter' : 'gauge';

function labelsOf(metric: object): Readonly<Record<string, LabelValues>> {
  const names: unknown = Reflect.get(metric, 'labelNames');
  if (!Array.isArray(names)) return {};
  return Object.fromEntries(
    names.filter((name) => typeof name === 'string').map((name) => [name, 'set by Node.js']),
  );
}
