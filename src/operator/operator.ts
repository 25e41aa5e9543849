/** Wires the loop to a cluster and a Postgres. */
import { randomUUID } from 'node:crypto';
import { aborted } from '../aborted.ts';
import { type Controller, startController } from '../controller/controller.ts';
import { ClusterClock } from '../engine/kubernetes/cluster-clock.ts';
import { EventRecorder } from '../engine/kubernetes/events.ts';
import { KubeClient } from '../engine/kubernetes/kube-client.ts';
import { KubernetesEngine } from '../engine/kubernetes/kubernetes-engine.ts';
import { KubernetesRunSource } from '../engine/kubernetes/kubernetes-run-source.ts';
import { type Leadership, LeaseElection } from '../engine/kubernetes/lease-election.ts';
import type { ReflectorProblem } from '../engine/kubernetes/reflector.ts';
import { TokenAccess } from '../engine/kubernetes/token-access.ts';
import { isViewOf, staleView } from '../engine/kubernetes/view-health.ts';
import type { ListenAddress } from '../http/listening-server.ts';
import { joinedSignal } from '../joined-signal.ts';
import type { DeliveryConfig } from '../outbox/delivery-config.ts';
import { configuredAccess } from '../runner/cluster.ts';
import { ClusterUnavailableError } from '../runner/errors.ts';
import { openResultStore } from '../runner/result-store.ts';
import type { ResultStoreConfig } from '../runner/runner-config.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createMetrics, type Metrics } from '../telemetry/metrics.ts';
import { type MetricsServer, startMetricsServer } from '../telemetry/metrics-server.ts';
import { VERSION } from '../version.ts';
import { type ClusterIngest, type ClusterIngestConfig, startClusterIngest } from './cluster-ingest.ts';
import { deliverWhileLeading } from './delivery.ts';
import { type HealthServer, startHealthServer } from './health-server.ts';
import { LateResultStore } from './late-result-store.ts';
import { startRetention } from './retention.ts';
import { announce } from './run-announcements.ts';
import { unseenNamespaces } from './unseen-namespaces.ts';
import { viewFailureOf } from './view-failure.ts';

export interface OperatorConfig {
  readonly kubeconfig: string | undefined;
  /** Namespaces whose BatchTests are run; `All` for every namespace. */
  readonly namespaces: readonly string[] | 'All';
  readonly store: ResultStoreConfig;
  /** Where the Lease is; undefined: no election, for when there is only one operator. */
  readonly leaseNamespace: string | undefined;
  /** Unique among the operators: the pod's name. */
  readonly identity: string;
  /** How long results stay after the end of their run, in milliseconds; undefined: for ever. */
  readonly retentionMs: number | undefined;
  /** How long the deletion of a BatchTest waits for a result store that is away. */
  readonly deletionPatienceMs: number;
  /** How results that pods push are taken; undefined: none are. */
  readonly resultIngest: ClusterIngestConfig | undefined;
  /** Who is notified, and where artifacts are read back from. */
  readonly delivery: DeliveryConfig;
  readonly health: ListenAddress;
  /** Where /metrics is served; undefined: with the health. */
  readonly metrics: MetricsEndpoint | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export interface MetricsEndpoint extends ListenAddress {
  /** PEM files, and with them HTTPS and a check of who asks; undefined: plain HTTP for everybody who can connect. */
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
}

/** The ports that the operator listens on. */
export interface OperatorPorts {
  readonly healthPort: number;
  /** Undefined when /metrics is served with the health. */
  readonly metricsPort: number | undefined;
}

/** A run's writes of its status come to one a second at most, the last one included, which waits for nothing: hence more than a second. */
const STATUS_INTERVAL_MS = 1_250;
const CONCURRENT_RUNS = 8;
const LEASE_NAME = 'batchtest-operator';
const SYNC_TIMEOUT_MS = 120_000;
/** How long a reconcile under way may take to finish when the operator stops. Less than a pod's grace period. */
const STOP_DEADLINE_MS = 20_000;

/**
 * Runs BatchTests until the signal is aborted; then finishes what is under way, gives up the leadership, and leaves all Jobs to the next
 * leader.
 * @param onListening told of the ports once they are listened on
 */
export async function runOperator(
  config: OperatorConfig,
  logger: Logger,
  signal: AbortSignal,
  onListening: (ports: OperatorPorts) => void = () => {},
): Promise<void> {
  const state = new OperatorState();
  const metrics = createMetrics(state.clock.now);
  const checks = {
    live: () => state.staleView(),
    ready: () => state.notReady ?? (state.waitsForStore() ? 'waiting for the result store' : undefined),
    butFor: () => unseenNamespaces(state.source?.unseen() ?? []),
  };
  const served = await startMetrics(config, metrics, state, logger);
  const health = await startHealthServer(
    config.health,
    checks,
    served === undefined ? metrics : undefined,
  ).catch(async (error: unknown) => {
    await served?.close();
    throw error;
  });
  onListening({ healthPort: health.port, metricsPort: served?.port });
  try {
    await operate(config, logger, signal, state, metrics);
  } finally {
    await served?.close();
    await closeAll(health, state);
  }
}

/** Serves the metrics on a port of their own, if that is wanted. Those that are protected are not served anywhere else. */
async function startMetrics(
  { metrics: endpoint }: OperatorConfig,
  metrics: Metrics,
  state: OperatorState,
  logger: Logger,
): Promise<MetricsServer | undefined> {
  if (endpoint === undefined) return undefined;
  const { host, port, tls } = endpoint;
  if (tls === undefined) return startMetricsServer({ host, port }, metrics);
  const secure = {
    ...tls,
    // Nobody is let in before the cluster can be asked.
    decide: async (authorization: string | undefined) =>
      (await state.tokenAccess?.decide(authorization)) ?? 'Unavailable',
    onProblem: (error: unknown) =>
      logger.warn(
        { err: error },
        'the renewed certificate of the metrics cannot be used; the earlier one stays',
      ),
  };
  return startMetricsServer({ host, port, secure }, metrics);
}

class OperatorState {
  /** Why it cannot be counted on; undefined when it can. */
  notReady: string | undefined = 'starting';
  readonly clock = new ClusterClock();
  client: KubeClient | undefined;
  tokenAccess: TokenAccess | undefined;
  store: LateResultStore | undefined;
  waitsForStore: () => boolean = () => true;
  source: KubernetesRunSource | undefined;
  engine: KubernetesEngine | undefined;
  ingest: ClusterIngest | undefined;

  staleView(): string | undefined {
    return staleView([...(this.source?.health() ?? []), ...(this.engine?.health() ?? [])], this.clock.now());
  }
}

async function operate(
  config: OperatorConfig,
  logger: Logger,
  stop: AbortSignal,
  state: OperatorState,
  metrics: Metrics,
): Promise<void> {
  const failed = new AbortController();
  const { signal } = joinedSignal([stop, failed.signal]);
  const { environment, kubeconfig, namespaces, identity } = config;
  const { clock } = state;
  const term = new LeadershipTerm(config.leaseNamespace === undefined);
  // From the start: an alert is to tell of operators that never get as far as an election, too.
  if (config.leaseNamespace !== undefined) metrics.leader.follow(LEASE_NAME, () => term.isHeld());
  const access = await configuredAccess({ kubeconfig }, environment);
  const client = new KubeClient({
    access,
    version: VERSION,
    observer: metrics.requests.of(access.server),
    mayWrite: () => term.isHeld(),
    onDate: clock.observe,
  });
  state.client = client;
  state.tokenAccess = new TokenAccess({
    client,
    path: '/metrics',
    onProblem: (error) => logger.warn({ err: error }, 'who asks for the metrics could not be found out'),
    monotonicNow: () => performance.now(),
  });
  // Such as a schema that is newer than this program: closing the store tells.
  const onDefect = () => failed.abort();
  const store = new LateResultStore(
    () => openResultStore(config.store, metrics.store.observer),
    logger,
    onDefect,
  );
  state.store = store;
  if (config.resultIngest !== undefined) {
    const ingest = await startClusterIngest(config.resultIngest, {
      access,
      store: metrics.store.measuredPushes(store),
      namespaces,
      logger,
      observer: metrics.requests.of(access.server),
      onAnswered: (answer) => metrics.ingest.pushAnswered(answer),
      onCertificate: (expiresAt) => metrics.certificate.expires('ingest', expiresAt),
    });
    state.ingest = ingest;
    // While the controller stops, not after it: each may take its time, and the pod has one grace period for both.
    void aborted(signal).then(() => ingest.close());
  }

  state.notReady = 'waiting for a complete view of the cluster';
  const onProblem = (problem: ReflectorProblem) => {
    metrics.views.failed(problem.path, viewFailureOf(problem.error));
    logProblem(problem, source, logger);
  };
  const engine = new KubernetesEngine({
    ...{ client, namespaces, onProblem, now: clock.now },
    ...(state.ingest === undefined ? {} : { resultIngest: state.ingest.address }),
  });
  const source = new KubernetesRunSource({
    ...{ client, namespaces, engine, onProblem, now: clock.now },
    onSeen: (namespace) => logger.info({ namespace: namespace ?? 'All' }, 'seen completely'),
  });
  state.source = source;
  state.engine = engine;
  metrics.views.follow({
    health: () => [...source.health(), ...engine.health()],
    unseen: () => source.unseen().length,
  });
  // A cluster that is away must not hold up an operator that is asked to stop.
  await Promise.race([source.start(SYNC_TIMEOUT_MS), aborted(signal)]).catch((cause: unknown) => {
    throw new ClusterUnavailableError(cause instanceof Error ? cause.message : String(cause), { cause });
  });
  if (signal.aborted) return;
  state.notReady = undefined;
  state.waitsForStore = () => !store.isOpen;

  const recorder = new EventRecorder(client, identity);
  const announcing = announce(recorder, logger);
  const measuredStore = metrics.store.measured(store);
  const lead = async (leading: AbortSignal) => {
    logger.info({ identity, namespaces }, 'leading');
    const retention = startRetention(store, { ...config, now: clock.now }, logger);
    const delivering = deliverWhileLeading(store, config, logger, metrics, leading).catch((error: unknown) =>
      logger.error({ err: error }, 'the outbox is not processed'),
    );
    const controller = startController({
      source,
      engine,
      store: measuredStore,
      logger,
      onEvent: (event) => {
        metrics.runs.observe(event);
        announcing(event);
      },
      queueObserver: metrics.queue,
      leads: () => term.isHeld(),
      now: clock.now,
      random: Math.random,
      statusIntervalMs: STATUS_INTERVAL_MS,
      deletionPatienceMs: config.deletionPatienceMs,
      concurrency: CONCURRENT_RUNS,
    });
    const unfollow = [
      metrics.runs.follow(controller),
      metrics.queue.follow(() => controller.queue()),
      metrics.objects.follow(() => source.statuses()),
    ];
    await aborted(leading);
    retention.stop();
    await stopController(controller, logger);
    for (const stop of unfollow) stop();
    await delivering;
  };
  if (config.leaseNamespace === undefined) return lead(signal);
  const election = new LeaseElection({
    client,
    namespace: config.leaseNamespace,
    name: LEASE_NAME,
    identity: `${identity}_${randomUUID()}`,
    onProblem: (error) => logger.warn({ err: error }, 'the lease could not be read or written'),
  });
  return election.run(async (leadership) => {
    term.begin(leadership);
    await lead(leadership.signal);
  }, signal);
}

/** Whether this process leads, asked anew for each write: a process that was paused may have lost its Lease without having noticed. */
class LeadershipTerm {
  #isHeld: () => boolean;

  constructor(isAlone: boolean) {
    this.#isHeld = () => isAlone;
  }

  begin(leadership: Leadership): void {
    this.#isHeld = () => leadership.isHeld();
  }

  isHeld(): boolean {
    return this.#isHeld();
  }
}

async function stopController(controller: Controller, logger: Logger): Promise<void> {
  logger.info('no longer leading; finishing what is under way');
  if (!(await controller.stop(STOP_DEADLINE_MS)))
    logger.warn({ deadlineMs: STOP_DEADLINE_MS }, 'a reconcile did not finish in time');
}

function logProblem(
  { path, error, retryInMs }: ReflectorProblem,
  source: KubernetesRunSource,
  logger: Logger,
): void {
  const waiting = unseenNamespaces(source.unseen().filter(({ namespace }) => isViewOf(path, namespace)));
  logger.warn(
    { path, retryInMs: Math.round(retryInMs), err: error, ...(waiting === undefined ? {} : { waiting }) },
    'a list or watch failed and is tried again',
  );
}

async function closeAll(
  health: HealthServer,
  { engine, source, store, client, ingest }: OperatorState,
): Promise<void> {
  await health.close();
  await ingest?.close();
  await engine?.close();
  await source?.close();
  await store?.close();
  await client?.close();
}
