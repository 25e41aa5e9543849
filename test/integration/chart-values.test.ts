/** Every value of the chart is honoured: with another one, what Helm renders is something else. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readChartValues } from '../../scripts/chart-values.ts';
import { REPOSITORY } from '../tools/markdown-page.ts';
import { CHART, type Helm, openHelm } from './helm-chart.ts';

type Values = Readonly<Record<string, unknown>>;

const OWN_DATABASE: Values = { 'database.existingSecret.name': 'batchtest-database' };
const EMBEDDED: Values = { 'database.embedded.enabled': true };
const MIGRATED: Values = { 'database.migration.existingSecret.name': 'owner' };
const PEERS = [{ podSelector: { matchLabels: { app: 'other' } } }];

/** For each value another one than its default, and what else must be set for it to matter. */
const OTHERS: Readonly<Record<string, { readonly to: unknown; readonly given?: Values }>> = {
  'image.repository': { to: 'registry.example/batchtest' },
  'image.tag': { to: 'other' },
  'image.digest': { to: `sha256:${'0'.repeat(64)}` },
  'image.pullPolicy': { to: 'Always' },
  imagePullSecrets: { to: [{ name: 'registry' }] },
  nameOverride: { to: 'other' },
  fullnameOverride: { to: 'other' },
  'crds.install': { to: false },
  'watch.clusterWide': { to: false },
  'watch.namespaces': { to: ['team-a'], given: { 'watch.clusterWide': false } },
  'database.existingSecret.name': { to: 'other' },
  'database.existingSecret.key': { to: 'other' },
  'database.tls.configMap': { to: 'authorities' },
  'database.tls.secretName': { to: 'certificates' },
  'database.migration.existingSecret.name': { to: 'owner' },
  'database.migration.existingSecret.key': { to: 'other', given: MIGRATED },
  'database.migration.grantWrite': { to: ['writer'], given: MIGRATED },
  'database.migration.grantRead': { to: ['reader'], given: MIGRATED },
  'database.embedded.enabled': { to: true, given: { 'database.existingSecret.name': '' } },
  'database.embedded.image': { to: 'registry.example/postgres:18', given: EMBEDDED },
  'database.embedded.storage.size': { to: '1Gi', given: EMBEDDED },
  'database.embedded.storage.storageClass': { to: 'fast', given: EMBEDDED },
  'database.embedded.resources': { to: { limits: { memory: '1Gi' } }, given: EMBEDDED },
  'operator.replicas': { to: 3 },
  'operator.logLevel': { to: 'debug' },
  'operator.retention': { to: '90d' },
  'operator.deletionPatience': { to: '1h' },
  'operator.resources': { to: { limits: { memory: '1Gi' } } },
  'operator.priorityClassName': { to: 'system-cluster-critical' },
  'operator.nodeSelector': { to: { disk: 'fast' } },
  'operator.tolerations': { to: [{ key: 'dedicated', operator: 'Exists' }] },
  'operator.affinity': { to: { nodeAffinity: {} } },
  'operator.topologySpread': { to: false },
  'operator.podAnnotations': { to: { note: 'other' } },
  'operator.podLabels': { to: { team: 'other' } },
  'operator.extraEnv': { to: [{ name: 'NAME', value: 'other' }] },
  'operator.terminationGracePeriodSeconds': { to: 60 },
  'metrics.port': { to: 9090 },
  'metrics.secure.enabled': { to: true, given: { 'metrics.secure.tlsSecretName': 'tls' } },
  'metrics.secure.tlsSecretName': { to: 'tls', given: { 'metrics.secure.enabled': true } },
  'metrics.secure.hasCa': {
    to: false,
    given: {
      'metrics.secure.enabled': true,
      'metrics.secure.tlsSecretName': 'tls',
      'metrics.serviceMonitor.enabled': true,
    },
  },
  'metrics.serviceMonitor.enabled': { to: true },
  'metrics.serviceMonitor.interval': { to: '15s', given: { 'metrics.serviceMonitor.enabled': true } },
  'metrics.serviceMonitor.labels': {
    to: { team: 'other' },
    given: { 'metrics.serviceMonitor.enabled': true },
  },
  'metrics.prometheusRule.enabled': { to: true },
  'metrics.prometheusRule.labels': {
    to: { team: 'other' },
    given: { 'metrics.prometheusRule.enabled': true },
  },
  'metrics.dashboards.enabled': { to: true },
  'metrics.dashboards.label': { to: 'other', given: { 'metrics.dashboards.enabled': true } },
  'metrics.dashboards.labelValue': { to: 'other', given: { 'metrics.dashboards.enabled': true } },
  'metrics.dashboards.annotations': {
    to: { folder: 'other' },
    given: { 'metrics.dashboards.enabled': true },
  },
  artifactStores: { to: ['s3://bucket/prefix'] },
  'notifications.urls': { to: ['https://hooks.example'] },
  'notifications.urlsSecret.name': { to: 'hooks' },
  'notifications.urlsSecret.key': { to: 'other', given: { 'notifications.urlsSecret.name': 'hooks' } },
  'notifications.tokenSecret.name': { to: 'hooks' },
  'notifications.tokenSecret.key': { to: 'other', given: { 'notifications.tokenSecret.name': 'hooks' } },
  'resultIngest.enabled': { to: true },
  'resultIngest.port': { to: 9443, given: { 'resultIngest.enabled': true } },
  'resultIngest.tls.secretName': { to: 'tls', given: { 'resultIngest.enabled': true } },
  'resultIngest.tls.hasCa': {
    to: false,
    given: { 'resultIngest.enabled': true, 'resultIngest.tls.secretName': 'tls' },
  },
  'serviceAccount.create': { to: false },
  'serviceAccount.name': { to: 'other' },
  'serviceAccount.annotations': { to: { role: 'other' } },
  'rbac.create': { to: false },
  'rbac.aggregate': { to: false },
  'podDisruptionBudget.enabled': { to: false },
  'networkPolicy.enabled': { to: true },
  'networkPolicy.apiServer.cidr': { to: '10.0.0.1/32', given: { 'networkPolicy.enabled': true } },
  'networkPolicy.apiServer.ports': { to: [8443], given: { 'networkPolicy.enabled': true } },
  'networkPolicy.database.to': { to: PEERS, given: { 'networkPolicy.enabled': true } },
  'networkPolicy.database.port': { to: 6432, given: { 'networkPolicy.enabled': true } },
  'networkPolicy.resultIngest.from': {
    to: PEERS,
    given: { 'networkPolicy.enabled': true, 'resultIngest.enabled': true },
  },
  'networkPolicy.metrics.from': { to: PEERS, given: { 'networkPolicy.enabled': true } },
  'networkPolicy.further': { to: [{ to: PEERS }], given: { 'networkPolicy.enabled': true } },
};

const { values } = await readChartValues(REPOSITORY);

let helm: Helm;
beforeAll(async () => {
  helm = await openHelm();
}, 900_000);
afterAll(() => helm?.close());

/** What Helm renders. The password that each rendering of the embedded database makes anew is left out. */
async function rendered(set: Values): Promise<string> {
  const args = Object.entries(set).flatMap(([path, value]) => [
    '--set-json',
    `${path}=${JSON.stringify(value)}`,
  ]);
  const release = ['template', 'release', CHART, '-n', 'operators', '--kube-version', '1.34.0'];
  const output = await helm.run(...release, ...args);
  return output.replace(/^ {2}(password|url): .*$/gm, '');
}

const withDatabase = (given: Values = {}): Values =>
  given['database.embedded.enabled'] === true ? given : { ...OWN_DATABASE, ...given };

describe('the chart', () => {
  it('has another value here for each of its values', () => {
    expect(Object.keys(OTHERS).sort()).toEqual(values.map(({ path }) => path).sort());
  });

  it('renders the same twice', async () => {
    expect(await rendered(withDatabase())).toBe(await rendered(withDatabase()));
    expect(await rendered(EMBEDDED)).toBe(await rendered(EMBEDDED));
  });

  it.each(Object.entries(OTHERS))('honours %s', async (path, { to, given }) => {
    const before = withDatabase(given);
    // Without this value the chart may refuse the rest; with it, it must not.
    const [rendering, otherRendering] = await Promise.all([
      rendered(before).catch(({ stderr }: { readonly stderr?: string }) => stderr),
      rendered({ ...before, [path]: to }),
    ]);
    expect(otherRendering).not.toBe(rendering);
  });
});
