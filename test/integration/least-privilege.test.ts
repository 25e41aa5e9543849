/**
 * The operator with the roles that the chart gives it, and an API server that logs every request: nothing is refused, nothing is allowed by anything
 * else, and every verb that is granted is needed. An API server of its own, because ClusterRoles and the log belong to the whole cluster.
 */
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import { FINALIZER } from '../../src/api/v1alpha1/constants.ts';
import { batchTestSchema } from '../../src/api/v1alpha1/schema.ts';
import { attemptName } from '../../src/core/attempt.ts';
import { defineRun } from '../../src/core/run.ts';
import { carrierOf } from '../../src/engine/kubernetes/attempt-carrier.ts';
import { jobManifest } from '../../src/engine/kubernetes/job-manifest.ts';
import type { AuditEvent, AuditPolicy } from '../tools/audit-log.ts';
import { ApiRequestError, createClusterClient } from '../tools/cluster-client.ts';
import { type ControlPlane, startControlPlane } from '../tools/control-plane.ts';
import { collectionOf, type Helm, type KubernetesObject, openHelm } from './helm-chart.ts';
import type { Execution } from './kubernetes-world.ts';
import { edit, untilEvent, untilNothingIsLeft, untilRunning } from './operator-steps.ts';
import {
  aBatchTest,
  ENDS_SOON,
  type OperatorSite,
  type OperatorWorld,
  openOperatorSite,
  RUNS_ON,
} from './operator-world.ts';
import { type Grant, judgePrivileges, type PolicyRule } from './privilege-judge.ts';
import type { RunningOperator } from './running-operator.ts';
import { tokenOf } from './service-account-tokens.ts';
import type { BatchTestObject } from './watch-recorder.ts';

vi.setConfig({ testTimeout: 300_000 });

const AUDIT_POLICY: AuditPolicy = {
  rules: [
    {
      // With its owner references.
      level: 'Request',
      userGroups: ['system:serviceaccounts'],
      verbs: ['create'],
      resources: [{ group: 'batch', resources: ['jobs'] }],
    },
    { level: 'Metadata', userGroups: ['system:serviceaccounts'] },
    { level: 'None' },
  ],
};
const DATABASE = ['--set', 'database.existingSecret.name=batchtest-database'];
const ACCOUNT = 'batchtest';
const accountOf = (namespace: string): string => `system:serviceaccount:${namespace}:${ACCOUNT}`;
const RBAC = 'rbac.authorization.k8s.io/v1';

let cluster: ControlPlane;
let helm: Helm;
let site: OperatorSite;
beforeAll(async () => {
  helm = await openHelm();
  cluster = await startControlPlane({ auditPolicy: AUDIT_POLICY });
  site = await openOperatorSite(cluster);
}, 900_000);
afterAll(async () => {
  await site?.close();
  await cluster?.stop();
  await helm?.close();
}, 60_000);

interface Role extends KubernetesObject {
  readonly rules: readonly PolicyRule[];
}

interface Binding extends KubernetesObject {
  readonly roleRef: { readonly kind: string; readonly name: string };
  readonly subjects: readonly { readonly name: string; readonly namespace: string }[];
}

interface Deployment extends KubernetesObject {
  readonly spec: {
    readonly template: {
      readonly spec: { readonly containers: readonly { readonly args: readonly string[] }[] };
    };
  };
}

/** What of the chart is there: the operator's account and roles, and how the operator is started. */
interface Installation {
  readonly namespace: string;
  readonly grants: readonly Grant[];
  readonly args: readonly string[];
  readonly kubeconfigPath: string;
}

/** Creates the account and the roles that the chart has, and nothing else of it; they go with the test. */
async function install({ directory }: OperatorWorld, ...values: readonly string[]): Promise<Installation> {
  const namespace = await cluster.createNamespace('release');
  const objects = await helm.rendered(namespace, ...DATABASE, ...values);
  for (const object of objects) {
    if (object.kind !== 'ServiceAccount' && object.apiVersion !== RBAC) continue;
    const collection = await collectionOf(cluster, object);
    await cluster.request('POST', collection, object);
    onTestFinished(async () => {
      await cluster.request('DELETE', `${collection}/${object.metadata.name}`);
    });
  }
  const grants = grantsOf(objects, namespace);
  for (const grant of grants) await untilGranted(grant, namespace);
  const deployment = objects.find((object): object is Deployment => object.kind === 'Deployment');
  const kubeconfigPath = join(directory, 'installed.kubeconfig');
  await writeFile(kubeconfigPath, await cluster.kubeconfigForServiceAccount(namespace, ACCOUNT), {
    mode: 0o600,
  });
  return {
    namespace,
    grants,
    args: deployment?.spec.template.spec.containers[0]?.args.slice(1) ?? [],
    kubeconfigPath,
  };
}

/** What the bindings among these objects give to the operator's account. */
function grantsOf(objects: readonly KubernetesObject[], namespace: string): readonly Grant[] {
  const bindings = objects.filter((object): object is Binding => object.kind.endsWith('RoleBinding'));
  const own = bindings.filter(({ subjects }) =>
    subjects.some((subject) => subject.name === ACCOUNT && subject.namespace === namespace),
  );
  return own.map(({ metadata, roleRef }) => {
    const role = objects.find(
      (object): object is Role =>
        object.kind === roleRef.kind &&
        object.metadata.name === roleRef.name &&
        object.metadata.namespace === metadata.namespace,
    );
    if (role === undefined) throw new Error(`${roleRef.kind} ${roleRef.name} is bound, and not in the chart`);
    return { role: `${roleRef.kind} ${roleRef.name}`, namespace: metadata.namespace, rules: role.rules };
  });
}

/** Roles and bindings reach the API server's authorizer after a moment. */
async function untilGranted({ namespace, rules }: Grant, release: string): Promise<void> {
  const [rule] = rules;
  const resourceAttributes = {
    ...{ namespace, group: rule?.apiGroups[0], resource: rule?.resources[0], verb: rule?.verbs[0] },
    name: rule?.resourceNames?.[0],
  };
  const spec = { user: accountOf(release), resourceAttributes };
  const review = () =>
    cluster.request('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec,
    });
  await expect.poll(review, { timeout: 60_000 }).toMatchObject({ status: { allowed: true } });
}

/** Starts the operator as the chart's Deployment does, but for ports and files of this machine. */
async function start(
  world: OperatorWorld,
  { args, kubeconfigPath }: Installation,
  identity: string,
): Promise<RunningOperator> {
  const certificates = join(dirname(cluster.kubeconfigPath), 'certificates');
  const tls = (purpose: string) => [
    ...[`--${purpose}-tls-cert`, join(certificates, 'apiserver.crt')],
    ...[`--${purpose}-tls-key`, join(certificates, 'apiserver.key')],
  ];
  const here = [
    ...['--metrics-port', '0'],
    ...(args.includes('--metrics-secure') ? tls('metrics') : []),
    ...(takesResults(args) ? ['--result-ingest-port', '0'] : []),
  ];
  const operator = await world.startOperator({ args, kubeconfigPath, identity, options: here });
  await operator.untilReady();
  return operator;
}

const takesResults = (args: readonly string[]): boolean =>
  args.some((option) => option.startsWith('--result-ingest-url='));

/** The audit events of an account of a namespace, once everything that it has done is logged. It must do nothing any more. */
async function auditEvents(world: OperatorWorld, namespace: string): Promise<readonly AuditEvent[]> {
  // The log is written in the order in which requests end.
  const witness = {
    ...cluster,
    token: await world.cluster.tokenOfServiceAccount(world.namespace, 'witness'),
  };
  const client = createClusterClient(witness);
  onTestFinished(() => client.close());
  const mark = `/version?of=${namespace}`;
  await client.request('GET', mark);
  const isMarked = async () => (await cluster.auditLog()).some(({ requestURI }) => requestURI === mark);
  await expect.poll(isMarked, { timeout: 60_000 }).toBe(true);
  const account = accountOf(namespace);
  return (await cluster.auditLog()).filter(({ user: { username } }) => username === account);
}

/** A BatchTest whose first attempt's name is taken, before any operator looks at it: it has to find out whose that is. */
async function aRunWhoseNameIsTaken(
  { cluster, namespace, create }: OperatorWorld,
  execution: Execution,
): Promise<string> {
  const name = `taken-${execution.toLowerCase()}`;
  const manifest = aBatchTest({ name, parallelism: 1, pod: ENDS_SOON, spec: { execution } });
  const uid = await create(manifest);
  const parsed = batchTestSchema.parse({ ...manifest, metadata: { ...manifest.metadata, namespace } });
  const run = defineRun(parsed, { uid, engine: 'kubernetes' });
  const [trial] = run.trials;
  if (trial === undefined) throw new Error('the run has no trial');
  const carrier = carrierOf(run);
  const request = { run, trial, attempt: 1, name: attemptName(run, trial, 1), deadlineSeconds: 600 };
  await cluster.request('POST', carrier.collection(namespace), {
    metadata: { name: request.name },
    spec: carrier.manifest(request).spec,
  });
  return uid;
}

/** A run to its end, with data that its pods mount; then its object goes by itself. */
async function runsToItsEnd(world: OperatorWorld): Promise<void> {
  const corpus = { metadata: { name: 'corpus' }, data: { text: 'x' } };
  await world.cluster.request('POST', `/api/v1/namespaces/${world.namespace}/configmaps`, corpus);
  const spec = {
    ttlSecondsAfterFinished: 1,
    sharedData: [{ name: 'corpus', mountPath: '/data', configMap: { name: 'corpus' } }],
  };
  const uid = await world.create(
    aBatchTest({ name: 'whole', variants: 3, repetitions: 2, parallelism: 2, pod: ENDS_SOON, spec }),
  );
  await world.untilCondition(uid, 'Complete');
  await world.recorder.until('the object has gone', (changes) =>
    changes.some(
      ({ kind, type, object }) => kind === 'BatchTest' && type === 'DELETED' && object.metadata.uid === uid,
    )
      ? true
      : undefined,
  );
}

async function isSuspendedAndCancelled(world: OperatorWorld, execution: Execution): Promise<void> {
  const uid = await world.create(
    aBatchTest({ variants: 6, parallelism: 6, pod: RUNS_ON, spec: { execution } }),
  );
  await untilRunning(world, uid, 6);
  await edit(world, { suspend: true });
  await world.untilCondition(uid, 'Suspended');
  await edit(world, { suspend: false, parallelism: 5 });
  await untilRunning(world, uid, 5);
  await edit(world, { cancel: true });
  await world.untilCondition(uid, 'Cancelled');
  await untilNothingIsLeft(world, uid);
  await world.remove('cache');
}

/** Has somebody else edit objects while their finalizer is being set, until the operator came too late with its own edit and had to read one. */
async function areEditedByOthers(world: OperatorWorld, account: string): Promise<void> {
  const hasRead = async () =>
    (await cluster.auditLog()).some(
      ({ user, verb, objectRef }) =>
        user.username === account && verb === 'get' && objectRef?.resource === 'batchtests',
    );
  for (let number = 0; !(await hasRead()); number += 1) {
    if (number === 50) throw new Error('of 50 objects that others edited as well the operator read none');
    const name = `edited-${number}`;
    await world.create(aBatchTest({ name, parallelism: 1, pod: RUNS_ON, spec: { suspend: true } }));
    for (let edits = 1; ; edits += 1) {
      const metadata = { annotations: { edits: String(edits) } };
      const edited = await world.cluster.request<BatchTestObject>('PATCH', world.path(name), { metadata });
      if (edited.metadata.finalizers?.includes(FINALIZER)) break;
      if (edits === 10_000) throw new Error(`${name} was edited ${edits} times and has no finalizer yet`);
    }
    await world.remove(name);
  }
}

/** A run without Jobs, of so few trials that each pod is deleted by itself; the names of its attempts. */
async function runsAsPods(world: OperatorWorld): Promise<readonly string[]> {
  const spec = { execution: 'Pod' } as const;
  const uid = await world.create(
    aBatchTest({ name: 'pods', variants: 2, repetitions: 2, parallelism: 2, pod: ENDS_SOON, spec }),
  );
  await world.untilCondition(uid, 'Complete');
  await untilNothingIsLeft(world, uid);
  return (await world.storedAttempts(uid)).map(({ name }) => name);
}

async function failsAndTimesOut(world: OperatorWorld): Promise<void> {
  const failing = await world.create(
    aBatchTest({ name: 'failing', parallelism: 1, pod: { runMs: 100, exitCode: 1 } }),
  );
  const late = await world.create(
    aBatchTest({ name: 'late', parallelism: 1, trialDeadlineSeconds: 1, pod: RUNS_ON }),
  );
  await world.untilCondition(failing, 'Failed');
  await untilEvent(world, failing, 'FirstTrialFailed');
  await world.untilCondition(late, 'Failed');
}

async function pushesItsResult(world: OperatorWorld, operator: RunningOperator): Promise<void> {
  const { ingestPort } = await operator.untilLogged(
    'it takes results',
    ({ msg }) => msg === 'taking pushed results',
  );
  const uid = await world.create(
    aBatchTest({ name: 'pushing', parallelism: 1, pod: RUNS_ON, spec: { results: { push: true } } }),
  );
  const [pod] = await untilRunning(world, uid, 1);
  if (pod === undefined) throw new Error('unreachable: one was waited for');
  const answer = await fetch(`http://127.0.0.1:${ingestPort}/v1/result`, {
    method: 'POST',
    headers: { authorization: `Bearer ${await tokenOf(world, pod)}` },
    body: '{"metrics":{"x":1}}',
    signal: AbortSignal.timeout(30_000),
  });
  expect(await answer.json()).toMatchObject({ reason: 'Stored' });
  await world.endPod(pod, { exitCode: 0 });
  await world.untilCondition(uid, 'Complete');
}

/** Binds the chart's role for whoever scrapes, and scrapes. */
async function isScraped(
  world: OperatorWorld,
  operator: RunningOperator,
  { namespace }: Installation,
): Promise<void> {
  const name = `${namespace}-prometheus`;
  const bindings = `/apis/${RBAC}/clusterrolebindings`;
  await cluster.request('POST', bindings, {
    metadata: { name },
    roleRef: {
      apiGroup: 'rbac.authorization.k8s.io',
      kind: 'ClusterRole',
      name: `${namespace}-batchtest-metrics`,
    },
    subjects: [{ kind: 'ServiceAccount', name: 'prometheus', namespace: world.namespace }],
  });
  onTestFinished(async () => {
    await cluster.request('DELETE', `${bindings}/${name}`);
  });
  const { metricsPort } = await operator.untilLogged(
    'it has started',
    ({ msg }) => msg === 'operator started',
  );
  const scraper = createClusterClient({
    url: `https://127.0.0.1:${metricsPort}`,
    certificateAuthority: cluster.certificateAuthority,
    token: await world.cluster.tokenOfServiceAccount(world.namespace, 'prometheus'),
  });
  onTestFinished(() => scraper.close());
  // A refusal is remembered for ten seconds.
  await expect
    .poll(() => scraper.request('GET', '/metrics').catch(String), { timeout: 60_000, interval: 1_000 })
    .toContain('# HELP ');
}

it.each<[installed: string, values: (world: OperatorWorld) => string]>([
  [
    'in the whole cluster with everything that is optional',
    () => 'resultIngest.enabled=true,metrics.secure.enabled=true,metrics.secure.tlsSecretName=metrics-tls',
  ],
  [
    'in one namespace with nothing that is optional',
    ({ namespace }) => `watch.clusterWide=false,watch.namespaces={${namespace}}`,
  ],
])('%s, the operator needs each right that the chart gives it, and no other', async (_, values) => {
  const world = await site.aWorld('privileges');
  const installation = await install(world, '--set', values(world));
  const { args, grants, namespace } = installation;
  const taken = [await aRunWhoseNameIsTaken(world, 'Job'), await aRunWhoseNameIsTaken(world, 'Pod')];
  const first = await start(world, installation, 'first');
  for (const uid of taken) await world.untilCondition(uid, 'Complete');
  const second = await start(world, installation, 'second');

  await runsToItsEnd(world);
  const attemptsOfPods = await runsAsPods(world);
  await isSuspendedAndCancelled(world, 'Job');
  await isSuspendedAndCancelled(world, 'Pod');
  await failsAndTimesOut(world);
  await areEditedByOthers(world, accountOf(namespace));
  if (takesResults(args)) await pushesItsResult(world, second);
  if (args.includes('--metrics-secure')) await isScraped(world, second, installation);

  const deleted = await world.create(aBatchTest({ name: 'deleted', parallelism: 1, pod: RUNS_ON }));
  await untilRunning(world, deleted, 1);
  await first.terminate();
  await second.untilLogged('it leads', ({ msg }) => msg === 'leading');
  await world.remove('deleted');
  await untilNothingIsLeft(world, deleted);
  await second.terminate();

  const events = await auditEvents(world, namespace);
  expect(judgePrivileges(grants, events)).toEqual({ refused: [], ungranted: [], unused: [] });
  expect(attemptsOfPods).toHaveLength(4);
  for (const name of attemptsOfPods)
    expect(writesOf(events, name), name).toEqual(['create pods', 'delete pods']);
});

/** What was written of the object of this name, in order. */
const writesOf = (events: readonly AuditEvent[], name: string): readonly string[] =>
  events
    .filter(({ verb, objectRef }) => objectRef?.name === name && !READING.has(verb))
    .map(({ verb, objectRef }) => `${verb} ${objectRef?.resource}`);
const READING: ReadonlySet<string> = new Set(['get', 'list', 'watch']);

it('the right to finalizers is needed where the API server asks for it, as it does here', async () => {
  const world = await site.aWorld('finalizers');
  const { namespace } = world;
  const roles = `/apis/${RBAC}/namespaces/${namespace}`;
  const metadata = { name: 'without-finalizers' };
  const rules = [{ apiGroups: ['batch'], resources: ['jobs'], verbs: ['create'] }];
  await cluster.request('POST', `${roles}/roles`, { metadata, rules });
  await cluster.request('POST', `${roles}/rolebindings`, {
    metadata,
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: metadata.name },
    subjects: [{ kind: 'ServiceAccount', name: ACCOUNT, namespace }],
  });
  await untilGranted({ role: metadata.name, namespace, rules }, namespace);
  const client = createClusterClient({
    ...cluster,
    token: await world.cluster.tokenOfServiceAccount(world.namespace, ACCOUNT),
  });
  onTestFinished(() => client.close());

  const manifest = aBatchTest({ parallelism: 1, pod: ENDS_SOON });
  const parsed = batchTestSchema.parse({ ...manifest, metadata: { ...manifest.metadata, namespace } });
  const run = defineRun(parsed, { uid: await world.create(manifest), engine: 'kubernetes' });
  const [trial] = run.trials;
  if (trial === undefined) throw new Error('the run has no trial');
  const job = jobManifest({ run, trial, attempt: 1, name: 'owned', deadlineSeconds: 600 });
  const creation = client.request('POST', `/apis/batch/v1/namespaces/${namespace}/jobs`, job);
  await expect(creation).rejects.toThrow(ApiRequestError);
  await expect(creation).rejects.toThrow(/cannot set blockOwnerDeletion/);
});
