/**
 * The Helm chart on a real API server of its own, because a chart's CRD and ClusterRoles belong to the whole cluster. KWOK plays the pods, so that a
 * rollout completes; no image runs.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { ApiRequestError } from '../tools/cluster-client.ts';
import { type ControlPlane, startControlPlane } from '../tools/control-plane.ts';
import { CHART, collectionOf, type Helm, type KubernetesObject, openHelm } from './helm-chart.ts';
import { createRestrictedNamespace } from './restricted-namespace.ts';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const DATABASE = ['--set', 'database.existingSecret.name=batchtest-database'];
const PROFILES: Readonly<Record<string, readonly string[]>> = {
  development: ['-f', join(CHART, 'values-development.yaml')],
  production: ['-f', join(CHART, 'values-production.yaml')],
  'pushed results': [
    ...DATABASE,
    '--set',
    'resultIngest.enabled=true,resultIngest.tls.secretName=ingest-tls,networkPolicy.enabled=true',
  ],
  'metrics for some, artifacts and notifications': [
    ...DATABASE,
    '--set',
    'metrics.secure.enabled=true,metrics.secure.tlsSecretName=metrics-tls,metrics.serviceMonitor.enabled=true',
    '--set',
    'artifactStores={s3://bucket/prefix},notifications.urls={https://hooks.example},notifications.tokenSecret.name=hooks',
    '--set',
    'notifications.urlsSecret.name=hooks',
  ],
  'roles and TLS of the database': [
    ...DATABASE,
    '--set',
    'database.migration.existingSecret.name=batchtest-migration,database.migration.grantWrite={batchtest_write}',
    '--set',
    'database.migration.grantRead={batchtest_read,grafana},database.tls.configMap=database-authorities',
  ],
  'some namespaces': [...DATABASE, '--set', 'watch.clusterWide=false,watch.namespaces={team-a,team-b}'],
};

let cluster: ControlPlane;
let program: Helm;
beforeAll(async () => {
  program = await openHelm();
  cluster = await startControlPlane();
  for (const name of ['team-a', 'team-b'])
    await cluster.request('POST', '/api/v1/namespaces', { metadata: { name } });
}, 900_000);
afterAll(async () => {
  await cluster?.stop();
  await program?.close();
}, 60_000);

/** Helm on this cluster. */
const helm = (...args: readonly string[]): Promise<string> =>
  program.run(...args, '--kubeconfig', cluster.kubeconfigPath);

const rendered = (...values: readonly string[]) => program.rendered('batchtest', ...values);

const failureOf = (running: Promise<unknown>): Promise<string> =>
  running.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: { readonly stderr?: string }) => error.stderr ?? String(error),
  );

interface Workload extends KubernetesObject {
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly serviceAccountName?: string;
        readonly containers: readonly { readonly args?: readonly string[] }[];
      };
    };
  };
}

interface Monitor extends KubernetesObject {
  readonly spec: { readonly endpoints: readonly { readonly tlsConfig?: object }[] };
}

const isWorkload = (object: KubernetesObject): object is Workload =>
  ['Deployment', 'StatefulSet'].includes(object.kind);

const nameOf = ({ kind, metadata }: KubernetesObject): string => `${kind} ${metadata.name}`;

describe.each(Object.entries(PROFILES))('with the values of %s, the chart', (profile, values) => {
  it('passes helm lint', async () => {
    expect(await helm('lint', '--strict', CHART, ...values)).toContain('0 chart(s) failed');
  });

  it('renders what the API server takes, with pods for a restricted namespace', async () => {
    const namespace = await createRestrictedNamespace(cluster, 'rendered');
    const objects = await rendered(...values);
    expect(objects.map(({ kind }) => kind)).toContain('Deployment');
    // Their CRDs are the Prometheus operator's, and not here; what is in them is looked at below.
    const own = objects.filter(({ apiVersion }) => !apiVersion.startsWith('monitoring.coreos.com/'));
    for (const object of own) {
      const here =
        object.metadata.namespace === 'batchtest'
          ? { ...object, metadata: { ...object.metadata, namespace } }
          : object;
      // Strict, as kubectl asks for it: an unknown or repeated field is an error.
      const query = '?dryRun=All&fieldValidation=Strict';
      const answer = await cluster.request<KubernetesObject>(
        'POST',
        `${await collectionOf(cluster, here)}${query}`,
        here,
      );
      expect(nameOf(answer), profile).toBe(nameOf(object));
    }
    // Of a Deployment, Pod Security only warns.
    for (const { metadata, spec } of own.filter(isWorkload)) {
      const { serviceAccountName: _, ...pod } = spec.template.spec;
      const answer = await cluster.request<KubernetesObject>(
        'POST',
        `/api/v1/namespaces/${namespace}/pods?dryRun=All`,
        { metadata: { name: metadata.name }, spec: pod },
      );
      expect(answer.metadata.name, profile).toBe(metadata.name);
    }
  });
});

it('is what the install manifest was rendered from', async () => {
  const objects = await rendered(...DATABASE);
  const committed = parseAllDocuments(await readFile(join(repository, 'deploy', 'install.yaml'), 'utf8'));
  expect(
    committed.flatMap((document) => document.toJS() ?? []),
    'deploy/install.yaml is out of date: run the command in its first lines',
  ).toEqual(objects);
});

describe('the chart', () => {
  it('asks where results are to be stored', async () => {
    expect(await failureOf(rendered())).toContain(
      'where are results to be stored? Set database.existingSecret.name',
    );
    expect(await failureOf(rendered(...DATABASE, '--set', 'database.embedded.enabled=true'))).toContain(
      'not both',
    );
  });

  it('refuses values that it does not have', async () => {
    expect(await failureOf(rendered(...DATABASE, '--set', 'operator.replica=3'))).toContain('replica');
    expect(await failureOf(rendered(...DATABASE, '--set', 'operator.logLevel=loud'))).toContain('logLevel');
  });

  it('makes names that are not too long of the longest release name, and of one that is cut at a dash', async () => {
    // Of all kinds a Service's is the shortest but a StatefulSet's, whose pods have a label of it, a dash and a hash of ten.
    const longest: Readonly<Record<string, number>> = { Service: 63, Job: 63, StatefulSet: 52 };
    for (const release of ['r'.repeat(53), `${'r'.repeat(42)}--${'r'.repeat(9)}`]) {
      const objects = [
        ...(await program.renderedAs(release, 'batchtest', ...(PROFILES.development ?? []))),
        ...(await program.renderedAs(release, 'batchtest', ...(PROFILES['pushed results'] ?? []))),
        ...(await program.renderedAs(
          release,
          'batchtest',
          ...(PROFILES['roles and TLS of the database'] ?? []),
        )),
        ...(await program.renderedAs(release, 'batchtest', ...(PROFILES.production ?? []))),
      ];
      for (const { kind, metadata } of objects) {
        expect(metadata.name, kind).toMatch(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/);
        if (kind === 'Service') expect(metadata.name).toMatch(/^[a-z][-a-z0-9]*$/);
        expect(metadata.name.length, `${kind} ${metadata.name}`).toBeLessThanOrEqual(longest[kind] ?? 253);
      }
      for (const kind of Object.keys(longest)) expect(objects.map((object) => object.kind)).toContain(kind);
    }
  });

  it('refuses names that no Service can have, and takes what fullnameOverride says in their place', async () => {
    const values = [...(PROFILES['pushed results'] ?? []), ...['--set', 'crds.install=false']];
    for (const release of ['123', '1.2.3', 'a.b']) {
      const failure = await failureOf(program.renderedAs(release, 'team-a', ...values));
      expect(failure).toContain(`no Service can be called "${release}-batchtest": set fullnameOverride`);
      const named = ['--set-string', 'fullnameOverride=experiments'];
      const objects = await program.renderedAs(release, 'team-a', ...values, ...named);
      const services = objects.filter(({ kind }) => kind === 'Service');
      expect(services.map(nameOf)).toEqual(['Service experiments-ingest', 'Service experiments-metrics']);
      for (const service of services)
        await cluster.request('POST', '/api/v1/namespaces/team-a/services?dryRun=All', service);
    }
    for (const name of ['123', 'Mine', 'a_b', '-'])
      expect(await failureOf(rendered(...values, '--set-string', `fullnameOverride=${name}`))).toContain(
        'set fullnameOverride to a name of lower-case letters, digits and dashes',
      );
    // That one is in labels as well.
    for (const name of ['a b', 'a-', '-a'])
      expect(await failureOf(rendered(...values, '--set-string', `nameOverride=${name}`))).toContain(
        'nameOverride',
      );
  });

  it('refuses ports that the operator cannot listen at together', async () => {
    const ports = (values: string) => rendered(...DATABASE, '--set', values);
    expect(await failureOf(ports('metrics.port=8081'))).toContain('metrics.port must not be 8081');
    expect(await failureOf(ports('resultIngest.enabled=true,resultIngest.port=8081'))).toContain(
      'resultIngest.port must not be 8081',
    );
    expect(await failureOf(ports('resultIngest.enabled=true,resultIngest.port=8080'))).toContain(
      'metrics.port and resultIngest.port must not both be 8080',
    );
    // Where nothing is pushed, nothing listens there.
    expect(await ports('resultIngest.port=8080')).not.toEqual([]);
  });

  it('refuses what the operator would end with at its start', async () => {
    const failure = (...values: readonly string[]) =>
      failureOf(rendered(...DATABASE, ...values.flatMap((value) => ['--set', value])));
    expect(await failure('operator.retention=7776000s')).toContain('retention');
    expect(await failure('operator.deletionPatience=7776000s')).toContain('deletionPatience');
    expect(await failure('artifactStores={s3://}')).toContain('artifactStores');
    expect(await failure('artifactStores={s3://Bucket}')).toContain('artifactStores');
    expect(await failure('notifications.urls={https://}')).toContain('urls');

    const token = 'notifications.tokenSecret.name=hooks';
    const canary = 'canary.example/canary';
    const plain = await failure(token, `notifications.urls={https://hooks.example,http://${canary}}`);
    expect(plain).toContain('goes over https:// only');
    const user = await failure(token, `notifications.urls={https://user:password@${canary}}`);
    expect(user).toContain('a URL of notifications.urls has a user');
    expect(`${plain}${user}`).not.toContain('canary');
    // This far a token may go, and without one a user or plain HTTP are for the administrator to choose.
    const urls = 'https://hooks.example/a@b,http://localhost:8080/runs,http://127.0.0.1,http://[::1]:8080';
    expect(await rendered(...DATABASE, '--set', `${token},notifications.urls={${urls}}`)).not.toEqual([]);
    expect(
      await rendered(
        ...DATABASE,
        '--set',
        'notifications.urls={http://hooks.example,https://user@hooks.example}',
      ),
    ).not.toEqual([]);
  });

  it('gives roles, stores and URLs to the programs as they are, whatever is in them', async () => {
    const roles = ['team readers #2', 'a: b', '"quoted"', 'back\\slash', 'größe', '- x', '$(HOME) $$ $'];
    const stores = ['s3://bucket/runs #1', 's3://bucket/$(POD_NAME)'];
    const urls = ['https://hooks.example/#runs: all', 'https://hooks.example/?key=$$1'];
    const values = {
      'database.migration.existingSecret.name': 'owner',
      'database.migration.grantWrite': roles,
      'database.migration.grantRead': roles,
      artifactStores: stores,
      'notifications.urls': urls,
    };
    const objects = await rendered(
      ...DATABASE,
      ...Object.entries(values).flatMap(([path, value]) => [
        '--set-json',
        `${path}=${JSON.stringify(value)}`,
      ]),
    );
    const argsOf = (wanted: string) =>
      objects
        .filter((object): object is Workload => object.kind === wanted)
        .flatMap(({ spec }) => spec.template.spec.containers.flatMap(({ args }) => args ?? []))
        .filter((argument) => typeof argument !== 'string' || /^--(grant|artifact|notify)/.test(argument));
    // The kubelet makes one $ of two, and expands no $(NAME) after that.
    const options = (name: string, texts: readonly string[]) =>
      texts.map((text) => `--${name}=${text.split('$').join('$$')}`);
    expect(argsOf('Job')).toEqual([...options('grant-write', roles), ...options('grant-read', roles)]);
    expect(argsOf('Deployment')).toEqual([
      ...options('artifact-store', stores),
      ...options('notify-url', urls),
    ]);
  });

  it('takes names of digits for text', async () => {
    const digits = ['nameOverride', 'serviceAccount.name', 'operator.priorityClassName'];
    const own = [
      ...['database.existingSecret.name', 'database.existingSecret.key', 'resultIngest.tls.secretName'],
      ...['metrics.secure.tlsSecretName', 'notifications.tokenSecret.name', 'notifications.tokenSecret.key'],
      ...['notifications.urlsSecret.name', 'notifications.urlsSecret.key'],
    ];
    const set = (paths: readonly string[]) => [
      ...['--set', 'fullnameOverride=batchtest'],
      ...paths.flatMap((path) => ['--set-string', `${path}=456`]),
    ];
    const enabled = 'metrics.secure.enabled=true,resultIngest.enabled=true,networkPolicy.enabled=true';
    const monitoring = 'metrics.serviceMonitor.enabled=true,metrics.prometheusRule.enabled=true';
    const objects = [
      ...(await program.renderedAs(
        ...(['123', '789'] as const),
        ...set([...digits, ...own, 'database.tls.secretName', 'database.migration.existingSecret.name']),
        ...['--set', `${enabled},${monitoring},metrics.dashboards.enabled=true`],
      )),
      ...(await program.renderedAs(
        ...(['123', '789'] as const),
        ...set([
          ...digits,
          ...['image', 'storage.size', 'storage.storageClass'].map((of) => `database.embedded.${of}`),
        ]),
        ...['--set', 'database.embedded.enabled=true,networkPolicy.enabled=true,watch.clusterWide=false'],
      )),
    ];
    // As numbers they would be without quotes.
    expect(JSON.stringify(objects)).not.toMatch(/:(123|456|789)\b/);
    expect(objects.map(nameOf)).toContain('ServiceAccount 456');
  });

  it('describes every value in its schema, and has a default for each in values.yaml', async () => {
    const [values] = parseAllDocuments(await readFile(join(CHART, 'values.yaml'), 'utf8'));
    const schema = JSON.parse(await readFile(join(CHART, 'values.schema.json'), 'utf8'));
    expect(pathsOfSchema(schema).filter((path) => path !== 'global')).toEqual(pathsOfValues(values?.toJS()));
  });

  it('grants rights in the namespaces that are watched, and nowhere else', async () => {
    const objects = await rendered(...(PROFILES['some namespaces'] ?? []));
    expect(objects.filter(({ kind }) => kind === 'ClusterRoleBinding')).toEqual([]);
    const roles = objects.filter(({ kind }) => kind === 'Role');
    expect(roles.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`).sort()).toEqual([
      'batchtest/batchtest-leader',
      'team-a/batchtest',
      'team-b/batchtest',
    ]);
  });

  it('grants nothing to anybody with rbac.create=false, whatever else is asked for', async () => {
    const served = 'resultIngest.enabled=true,metrics.secure.enabled=true,metrics.secure.tlsSecretName=tls';
    for (const namespaces of ['watch.clusterWide=true', 'watch.clusterWide=false']) {
      const values = `rbac.create=false,rbac.aggregate=true,${served},${namespaces}`;
      const objects = await rendered(...DATABASE, '--set', values);
      expect(objects.filter(({ apiVersion }) => apiVersion.startsWith('rbac.')).map(nameOf)).toEqual([]);
    }
  });

  it('does not watch the whole cluster for who names namespaces', async () => {
    expect(await failureOf(rendered(...DATABASE, '--set', 'watch.namespaces={team-a}'))).toContain(
      'set watch.clusterWide=false for these alone, or leave watch.namespaces empty',
    );
  });

  it('shares no object with a release of the same name in another namespace, each with some namespaces', async () => {
    const identities = async (namespace: string) => {
      const objects = await program.rendered(
        namespace,
        ...['--set', 'watch.clusterWide=false,crds.install=false'],
        ...(PROFILES['pushed results'] ?? []),
        ...(PROFILES['metrics for some, artifacts and notifications'] ?? []),
      );
      return objects.map((object) => `${object.metadata.namespace ?? ''}/${nameOf(object)}`);
    };
    const first = await identities('one');
    expect(first).toContain('/ClusterRole one-batchtest-view');
    expect((await identities('two')).filter((identity) => first.includes(identity))).toEqual([]);
  });

  it('brings the alerts and dashboards of the repository, and has Prometheus keep the label namespace', async () => {
    const objects = await rendered(...(PROFILES.production ?? []));
    const one = (kind: string, name = 'batchtest') =>
      objects.find((object) => object.kind === kind && object.metadata.name === name);
    const alerts = parseAllDocuments(
      await readFile(join(repository, 'alerts', 'batchtest.rules.yaml'), 'utf8'),
    );
    expect(one('PrometheusRule')).toMatchObject({ spec: alerts[0]?.toJS() });
    expect(one('ServiceMonitor')).toMatchObject({
      spec: { endpoints: [{ port: 'metrics', scheme: 'http', honorLabels: true }] },
    });
    const dashboard = await readFile(join(repository, 'dashboards', 'batchtest-results.json'), 'utf8');
    expect(one('ConfigMap', 'batchtest-dashboard-results')).toMatchObject({
      metadata: { labels: { grafana_dashboard: '1' } },
      data: { 'batchtest-results.json': dashboard },
    });
  });

  it('has Prometheus check the operator by the ca.crt of its Secret, and by the authorities of its own where that has none', async () => {
    const tlsConfigOf = async (...values: readonly string[]) => {
      const secure = 'metrics.secure.enabled=true,metrics.secure.tlsSecretName=metrics-tls';
      const set = [secure, 'metrics.serviceMonitor.enabled=true', ...values].flatMap((value) => [
        '--set',
        value,
      ]);
      const objects = await rendered(...DATABASE, ...set);
      const isMonitor = (object: KubernetesObject): object is Monitor => object.kind === 'ServiceMonitor';
      return objects
        .filter(isMonitor)
        .flatMap(({ spec }) => spec.endpoints.map(({ tlsConfig }) => tlsConfig));
    };
    const serverName = 'batchtest-metrics.batchtest.svc';
    const ca = { secret: { name: 'metrics-tls', key: 'ca.crt' } };
    expect(await tlsConfigOf()).toEqual([{ serverName, ca }]);
    expect(await tlsConfigOf('metrics.secure.hasCa=false')).toEqual([{ serverName }]);
  });

  it('has the operator take URLs that may hold secrets from a Secret', async () => {
    const deployments = async (...values: readonly string[]) =>
      (await rendered(...DATABASE, ...values)).filter(({ kind }) => kind === 'Deployment');
    const fromSecret = await deployments(
      '--set',
      'notifications.urlsSecret.name=hooks,notifications.urlsSecret.key=all',
    );
    const valueFrom = { secretKeyRef: { name: 'hooks', key: 'all' } };
    const env = expect.arrayContaining([{ name: 'BATCHTEST_NOTIFY_URLS', valueFrom }]);
    expect(fromSecret).toMatchObject([{ spec: { template: { spec: { containers: [{ env }] } } } }]);
    expect(JSON.stringify(await deployments())).not.toContain('BATCHTEST_NOTIFY_URLS');
  });

  it('lets a drain end one operator at a time, and those that are not ready', async () => {
    const budgets = (await rendered(...DATABASE)).filter(({ kind }) => kind === 'PodDisruptionBudget');
    expect(budgets).toMatchObject([
      { spec: { maxUnavailable: 1, unhealthyPodEvictionPolicy: 'AlwaysAllow' } },
    ]);
  });

  it('has a role of its own migrate before every installation and upgrade, and gives its URL to nothing else', async () => {
    const values = PROFILES['roles and TLS of the database'] ?? [];
    const objects = await rendered(...values);
    const holding = objects.filter((object) => JSON.stringify(object).includes('batchtest-migration'));
    expect(holding).toMatchObject([
      {
        kind: 'Job',
        metadata: { annotations: { 'helm.sh/hook': 'pre-install,pre-upgrade' } },
        spec: {
          template: {
            spec: {
              containers: [
                {
                  args: [
                    'migrate',
                    '--grant-write=batchtest_write',
                    '--grant-read=batchtest_read',
                    '--grant-read=grafana',
                  ],
                },
              ],
            },
          },
        },
      },
    ]);
    expect((await rendered(...DATABASE)).map(({ kind }) => kind)).not.toContain('Job');
    const embedded = [...(PROFILES.development ?? []), '--set', 'database.migration.existingSecret.name=x'];
    expect(await failureOf(rendered(...embedded))).toContain('database.migration is for a database of yours');
    expect(await failureOf(rendered(...values, '--set', 'database.tls.secretName=x'))).toContain('not both');

    const namespace = await cluster.createNamespace('migrated');
    const release = [
      'migrated',
      CHART,
      '-n',
      namespace,
      ...values,
      '--set',
      'crds.install=false,rbac.create=false',
    ];
    const migration = async () => {
      const { hooks } = JSON.parse(await helm('status', 'migrated', '-n', namespace, '-o', 'json'));
      return hooks.map(({ name, last_run: run }: Record<string, { phase?: string }>) => [name, run?.phase]);
    };
    for (const verb of ['install', 'upgrade']) {
      await helm(verb, ...release, '--timeout', '120s');
      expect(await migration()).toEqual([['migrated-batchtest-migration', 'Succeeded']]);
    }
    await helm('uninstall', 'migrated', '-n', namespace);
  }, 300_000);

  it('is installed, upgraded and uninstalled, and leaves BatchTests alone', async () => {
    const namespace = 'batchtest';
    const release = ['bt', CHART, '-n', namespace, '--wait', '--timeout', '120s'];
    const profile = PROFILES.development ?? [];
    await helm('install', ...release, '--create-namespace', ...profile);
    const secret = `/api/v1/namespaces/${namespace}/secrets/bt-batchtest-postgres`;
    const first = await cluster.request<{ data: Record<string, string> }>('GET', secret);

    const batchTests = `/apis/batchtest.dev/v1alpha1/namespaces/team-a/batchtests`;
    await cluster.request('POST', batchTests, {
      apiVersion: 'batchtest.dev/v1alpha1',
      kind: 'BatchTest',
      metadata: { name: 'mine' },
      spec: {
        variants: [{ name: 'a', parameters: { A: '1' } }],
        objective: { metrics: [{ name: 'm', goal: 'minimize' }] },
        template: { spec: { containers: [{ name: 'test', image: 'none' }] } },
      },
    });

    await helm('upgrade', ...release, ...profile, '--set', 'operator.replicas=2,operator.logLevel=debug');
    const deployment = await cluster.request<{
      spec: { template: { spec: { containers: readonly { args: readonly string[] }[] } } };
    }>('GET', `/apis/apps/v1/namespaces/${namespace}/deployments/bt-batchtest`);
    const readyReplicas = async () =>
      (
        await cluster.request<{ status: { readyReplicas?: number } }>(
          'GET',
          `/apis/apps/v1/namespaces/${namespace}/deployments/bt-batchtest`,
        )
      ).status.readyReplicas;
    // Helm waits for as many as may not be missing.
    await expect.poll(readyReplicas, { timeout: 60_000 }).toBe(2);
    expect(deployment.spec.template.spec.containers[0]?.args).toContain('--log-level=debug');
    // The database was initialised with it.
    expect((await cluster.request<{ data: unknown }>('GET', secret)).data).toEqual(first.data);

    await helm('uninstall', 'bt', '-n', namespace, '--wait');
    await expect(
      cluster.request('GET', `/apis/apps/v1/namespaces/${namespace}/deployments/bt-batchtest`),
    ).rejects.toThrow(ApiRequestError);
    expect(await cluster.request('GET', `${batchTests}/mine`)).toMatchObject({ metadata: { name: 'mine' } });

    // And again, over the CRD that was kept.
    await helm('install', ...release, ...profile);
    expect(await cluster.request('GET', `${batchTests}/mine`)).toMatchObject({ metadata: { name: 'mine' } });
    await helm('uninstall', 'bt', '-n', namespace, '--wait');
  }, 300_000);

  it('pulls and reaches the embedded database as it does everything else', async () => {
    const objects = await rendered(
      ...['--set', 'database.embedded.enabled=true,imagePullSecrets[0].name=registry'],
      // That of another database, which is not there.
      ...['--set', 'networkPolicy.enabled=true,networkPolicy.database.port=6432'],
    );
    const workloads = objects.filter(isWorkload);
    expect(workloads.map(({ kind }) => kind).sort()).toEqual(['Deployment', 'StatefulSet']);
    for (const { spec } of workloads)
      expect(spec.template.spec).toMatchObject({ imagePullSecrets: [{ name: 'registry' }] });
    const operatorPolicy = objects.find(
      ({ kind, metadata }) => kind === 'NetworkPolicy' && metadata.name === 'batchtest',
    );
    expect(operatorPolicy).toMatchObject({
      spec: {
        egress: expect.arrayContaining([
          expect.objectContaining({ ports: [{ protocol: 'TCP', port: 5432 }] }),
        ]),
      },
    });
    expect(JSON.stringify(operatorPolicy)).not.toContain('6432');
  });

  it('keeps the password of a database whose volume outlives the release', async () => {
    const namespace = await cluster.createNamespace('kept');
    const release = [
      ...['kept', CHART, '-n', namespace, '--set', 'crds.install=false,rbac.create=false'],
      ...['--set', 'database.embedded.enabled=true,database.embedded.storage.size=1Gi'],
    ];
    const password = async () => {
      const path = `/api/v1/namespaces/${namespace}/secrets/kept-batchtest-postgres`;
      return (await cluster.request<{ data: Readonly<Record<string, string>> }>('GET', path)).data;
    };
    await helm('install', ...release);
    const first = await password();
    expect(Object.keys(first).sort()).toEqual(['password', 'url']);
    await helm('uninstall', 'kept', '-n', namespace, '--wait');
    await helm('install', ...release);
    expect(await password()).toEqual(first);
    await helm('uninstall', 'kept', '-n', namespace, '--wait');
  }, 300_000);

  it('upgrades the CRD', async () => {
    const older = await mkdtemp(join(tmpdir(), 'batchtest-older-'));
    onTestFinished(() => rm(older, { recursive: true, force: true }));
    await promisify(execFile)('cp', ['-r', CHART, older]);
    const file = join(older, 'batchtest', 'files', 'batchtest.dev_batchtests.yaml');
    const crd = await readFile(file, 'utf8');
    await writeFile(file, crd.replace(/^( *)- bt$/m, '$1- bt\n$1- older'));
    const release = ['-n', 'crd', '--wait', '--timeout', '120s', ...(PROFILES.development ?? [])];
    const shortNames = async () =>
      (
        await cluster.request<{ spec: { names: { shortNames: readonly string[] } } }>(
          'GET',
          '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/batchtests.batchtest.dev',
        )
      ).spec.names.shortNames;
    // The CRD that another release has kept belongs to it by name and namespace.
    await cluster
      .request('DELETE', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/batchtests.batchtest.dev')
      .catch((error: unknown) => {
        if (!(error instanceof ApiRequestError) || error.statusCode !== 404) throw error;
      });
    const isGone = () =>
      shortNames().then(
        () => false,
        (error: unknown) => error instanceof ApiRequestError && error.statusCode === 404,
      );
    await expect.poll(isGone, { timeout: 60_000 }).toBe(true);
    await helm('install', 'crd', join(older, 'batchtest'), '--create-namespace', ...release);
    expect(await shortNames()).toEqual(['bt', 'older']);
    await helm('upgrade', 'crd', CHART, ...release);
    expect(await shortNames()).toEqual(['bt']);
  }, 300_000);
});

/** Paths of all values that are no groups, sorted. Lists and maps of the user's own are values. */
function pathsOfValues(value: unknown, path: readonly string[] = []): readonly string[] {
  const isGroup =
    typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0;
  if (!isGroup || ['requests', 'limits'].includes(path.at(-1) ?? '')) return [path.join('.')];
  return Object.entries(value)
    .flatMap(([name, inner]) => pathsOfValues(inner, [...path, name]))
    .sort();
}

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
}

function pathsOfSchema({ properties }: Schema, path: readonly string[] = []): readonly string[] {
  if (properties === undefined) return [path.join('.')];
  return Object.entries(properties)
    .filter(([name]) => name !== 'claims')
    .flatMap(([name, inner]) => pathsOfSchema(inner, [...path, name]))
    .sort();
}
