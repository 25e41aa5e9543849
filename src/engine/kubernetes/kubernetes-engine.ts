import { LABEL_RUN_UID } from '../../api/v1alpha1/constants.ts';
import type { ObservedAttempt } from '../../core/attempt.ts';
import type { RunDefinition } from '../../core/run.ts';
import type { AttemptRequest, Engine, StartOutcome } from '../engine.ts';
import { ApiError, isApiError } from './api-error.ts';
import {
  type CarrierAddress,
  type CarrierObject,
  carrierOf,
  carrierPath,
  podsPath,
  projectCarrier,
} from './attempt-carrier.ts';
import { AttemptIndex } from './attempt-index.ts';
import { attemptLabels } from './attempt-pod.ts';
import {
  type CarrierProjection,
  type ForeignObject,
  isCarrier,
  isForeign,
  type JobProjection,
  type Known,
  orForeign,
  type PodProjection,
  projectJob,
  projectPod,
} from './attempt-projections.ts';
import {
  type AttemptRecord,
  endByJob,
  endByPod,
  isForgettable,
  isSettled,
  jobOf,
  noteInterruptedPods,
  observedAttempt,
  podsToStop,
  shownAlike,
  takeCarrier,
} from './attempt-record.ts';
import { deleteAllOfRun, deleteCarrier, deletePod } from './carrier-removal.ts';
import { type KubeClient, NotLeadingError } from './kube-client.ts';
import type { JobObject, PodObject } from './kubernetes-objects.ts';
import { Reflector, type ReflectorProblem, type ReflectorTimes } from './reflector.ts';
import type { ResultIngestAddress } from './result-volume.ts';
import { outcomeOfRefusal } from './start-outcome.ts';
import { allSynced, isViewOf, seenWithin, type ViewHealth } from './view-health.ts';
import { Wakefulness } from './wakefulness.ts';

export interface KubernetesEngineOptions {
  readonly client: KubeClient;
  /** The namespaces whose runs are seen to; `All` for every namespace, which takes rights in all of them. */
  readonly namespaces: readonly string[] | 'All';
  /** How long to wait for the first complete view of the cluster, in milliseconds. */
  readonly syncTimeoutMs?: number;
  /** Told of each failed list or watch. */
  readonly onProblem?: (problem: ReflectorProblem) => void;
  /** Where pods push results to; undefined: attempts of runs that need it are postponed. */
  readonly resultIngest?: ResultIngestAddress;
  readonly reflectorTimes?: Partial<ReflectorTimes>;
  /** In [0, 1). */
  readonly random?: () => number;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

const SYNC_TIMEOUT_MS = 60_000;
/** How often what time alone changes is looked at, in milliseconds. */
const LOOK_INTERVAL_MS = 500;
/** What we made and the watch does not show within this time is asked for. */
const UNOBSERVED_LIMIT_MS = 5_000;
/** A Job's end may be seen before its pod's: they come by different watches. */
const POD_LAG_MS = 5_000;
/** A pod that the Job controller made in the moment before its Job went is seen within this time. */
const LATE_POD_MS = 2_000;
/** From how many on attempts are removed together, and their pods with them. */
const MANY = 5;
/** How long a removed attempt is remembered, so that an event that was on its way does not bring it back. */
const REMOVED_MEMORY_MS = 60_000;
/** How long the end of an attempt is kept when everything of it is gone and nobody asks for its removal: of a run that was deleted. */
const END_MEMORY_MS = 3_600_000;

/** An administrator can change that at any time, and no trial could report before. */
const INGEST_NOT_SERVED: StartOutcome = {
  kind: 'Postponed',
  reason: 'ResultIngestNotServed',
  message:
    'spec.results.push is true, and the operator of this cluster takes no pushed results: its option --result-ingest-url is not set',
  retryAfterMs: 30_000,
};

/** Opens an engine over a cluster. Resolves when it has a complete view; rejects, closed again, when that takes too long. */
export async function openKubernetesEngine(options: KubernetesEngineOptions): Promise<KubernetesEngine> {
  const engine = new KubernetesEngine(options);
  try {
    await engine.whenSynced(options.syncTimeoutMs ?? SYNC_TIMEOUT_MS);
  } catch (error) {
    await engine.close();
    throw error;
  }
  return engine;
}

/**
 * Attempts as Jobs, or as pods. What is shown of an attempt follows its pod, which a watch tells of at once, and not the status of its
 * Job, which the Job controller writes in batches of a second. Our own writes are taken into account before a watch confirms them.
 *
 * Nothing is done by name alone: what carries an attempt counts only when the run's object owns it, by UID, and is deleted only under
 * its own UID.
 */
export class KubernetesEngine implements Engine {
  readonly name = 'kubernetes';
  readonly #client: KubeClient;
  readonly #now: () => number;
  readonly #resultIngest: ResultIngestAddress | undefined;
  readonly #index = new AttemptIndex();
  readonly #jobs: readonly Reflector<JobObject, JobProjection | ForeignObject>[];
  readonly #pods: readonly Reflector<PodObject, PodProjection | ForeignObject>[];
  readonly #listeners = new Set<{ readonly call: (runUid: string) => void }>();
  readonly #starts = new Map<string, Promise<StartOutcome>>();
  /** By run: names of attempts that may have been started though no answer said so. */
  readonly #unanswered = new Map<string, Set<string>>();
  /** By run: all of its Jobs, or pods, are being deleted, those made meanwhile as well. */
  readonly #clearing = new Map<string, Promise<void>>();
  /** Records that may change by time alone. */
  readonly #unsettled = new Set<AttemptRecord>();
  readonly #looking: NodeJS.Timeout;
  readonly #wakefulness: Wakefulness;
  #isClosed = false;

  constructor(options: KubernetesEngineOptions) {
    this.#client = options.client;
    this.#now = options.now ?? Date.now;
    this.#wakefulness = new Wakefulness(this.#now());
    this.#resultIngest = options.resultIngest;
    const scopes =
      options.namespaces === 'All' ? [''] : options.namespaces.map((name) => `/namespaces/${name}`);
    const common = {
      client: options.client,
      labelSelector: LABEL_RUN_UID,
      now: this.#now,
      readUntil: (now: number) => this.#wakefulness.seenUntil(now),
      ...(options.random === undefined ? {} : { random: options.random }),
      ...(options.onProblem === undefined ? {} : { onProblem: options.onProblem }),
      ...(options.reflectorTimes === undefined ? {} : { times: options.reflectorTimes }),
    };
    this.#jobs = scopes.map(
      (scope) =>
        new Reflector<JobObject, JobProjection | ForeignObject>({
          ...common,
          path: `/apis/batch/v1${scope}/jobs`,
          project: orForeign(projectJob),
          onChange: (_, before, after) => this.#jobChanged(ours(before), ours(after)),
        }),
    );
    this.#pods = scopes.map(
      (scope) =>
        new Reflector<PodObject, PodProjection | ForeignObject>({
          ...common,
          path: `/api/v1${scope}/pods`,
          project: orForeign(projectPod),
          onChange: (_, before, after) => this.#podChanged(ours(before), ours(after)),
        }),
    );
    for (const reflector of this.#reflectors) reflector.start();
    this.#looking = setInterval(() => this.#lookAgain(), LOOK_INTERVAL_MS);
    this.#looking.unref();
  }

  get #reflectors() {
    return [...this.#jobs, ...this.#pods];
  }

  /** Resolves when everything that is there has been seen once. Rejects after `timeoutMs`, with what was in the way. */
  whenSynced(timeoutMs: number): Promise<void> {
    return seenWithin(allSynced(this.#reflectors), this.#reflectors, timeoutMs, this.#client.server);
  }

  /** One entry per watched collection. */
  health(): readonly ViewHealth[] {
    return this.#reflectors.map(({ path, lastActivityAt, lastProblem }) => ({
      path,
      lastActivityAt,
      lastProblem,
    }));
  }

  /** The views that show what there is in a namespace: nothing of a run is known for certain before they are complete. */
  viewsOf(namespace: string | undefined) {
    return this.#reflectors.filter(({ path }) => !path.includes('/namespaces/') || isViewOf(path, namespace));
  }

  observe(run: RunDefinition): readonly ObservedAttempt[] {
    return this.#index.shownOf(run.uid, namespaceOf(run));
  }

  seenUntil({ namespace }: RunDefinition, now: number): number {
    return Math.min(now, ...this.viewsOf(namespace).map((view) => view.seenUntil(now)));
  }

  /** A watch that tells nothing may have nothing to tell, or may be cut off: for a minute and a half both look alike. */
  async isAsShown(run: RunDefinition, name: string): Promise<boolean> {
    const record = this.#index.find(run.uid, namespaceOf(run), name);
    const carrier = record?.carrier?.projection.uid;
    if (record === undefined || carrier === undefined) return record?.shown !== undefined;
    const pods = await this.#podsAtServer(record);
    const { removal, end } = record;
    if (record.carrier?.projection.uid !== carrier || removal !== undefined || end !== undefined)
      return false;
    record.end = endByPod(record, pods);
    if (record.end !== undefined) {
      this.#changed(record);
      return false;
    }
    const runs = pods.some(({ state, isDeleted }) => state.kind === 'Running' && !isDeleted);
    if (record.shown?.state.kind === 'Waiting' && runs)
      throw new Error(`${record.namespace}/${name} has started, which no watch has told yet`);
    // It did not run out of its time: somebody has taken its pod away before.
    if (record.shown?.state.kind === 'Running' && !runs)
      throw new Error(`the pod of ${record.namespace}/${name} is gone, or goes, which no watch has told yet`);
    return true;
  }

  /** The watch of pods may show a pod, and take it back, before the watch of Jobs tells whose it is. */
  async isGone(run: RunDefinition, name: string): Promise<boolean> {
    const known = this.#index.find(run.uid, namespaceOf(run), name);
    if (known?.shown !== undefined || known?.removal !== undefined) return known.shown === undefined;
    try {
      const record = await this.#recordOfUnseen(run, name);
      if (record === undefined) return true;
      this.#changed(record, 'Quietly');
      return record.shown === undefined;
    } catch (error) {
      // The rights may have gone with the namespace: what was seen has to do, or its runs would never end.
      if (isApiError(error, 403)) return true;
      throw error;
    }
  }

  async startAttempt(request: AttemptRequest): Promise<StartOutcome> {
    if (request.run.manifest.spec.results.push && this.#resultIngest === undefined) return INGEST_NOT_SERVED;
    const key = `${request.run.uid}/${request.name}`;
    const underWay = this.#starts.get(key);
    if (underWay !== undefined) {
      const outcome = await underWay;
      return outcome.kind === 'Started' ? { kind: 'AlreadyStarted' } : outcome;
    }
    const start = this.#start(request).finally(() => this.#starts.delete(key));
    this.#starts.set(key, start);
    return start;
  }

  async removeAttempts(run: RunDefinition, names: readonly string[]): Promise<void> {
    const namespace = namespaceOf(run);
    // What is being started has no UID yet to be deleted by.
    await Promise.all(names.map((name) => this.#starts.get(`${run.uid}/${name}`)?.catch(() => undefined)));
    const known = names.flatMap((name) => {
      const record = this.#index.find(run.uid, namespace, name);
      return record === undefined || record.removal !== undefined ? [] : [record];
    });
    const isAll = this.#isAllOfMany(run, namespace, names);
    if (isAll) {
      const clearing = this.#clear(run, namespace, known);
      this.#clearing.set(run.uid, clearing);
      await clearing.finally(() => this.#clearing.delete(run.uid));
    }
    await Promise.all(names.map((name) => this.#remove(run, name)));
    if (!isAll) await this.#stopPods(known);
  }

  /** Removes all attempts of a run. Nothing of it is started meanwhile: the requests would hit it. */
  async #clear(run: RunDefinition, namespace: string, records: readonly AttemptRecord[]): Promise<void> {
    await this.#removing(records, () => this.#deleteAll(run, namespace, records));
    await this.#stopPods(
      records,
      async () =>
        !this.#hasBystanders('Pod', run.uid, namespace) &&
        deleteAllOfRun(this.#client, podsPath(namespace), run.uid),
    );
  }

  async #remove(run: RunDefinition, name: string): Promise<void> {
    const known = this.#index.find(run.uid, namespaceOf(run), name);
    // A pod of it may have been seen, and not yet what made the pod.
    const isUnseen = known === undefined || (known.carrierUids.size === 0 && known.removal === undefined);
    const record = (isUnseen ? await this.#recordOfUnseen(run, name) : undefined) ?? known;
    this.#noteAnswer(run.uid, name, true);
    if (record === undefined || record.removal !== undefined) return;
    await this.#removing([record], async () => {
      if (record.carrier !== undefined) await deleteCarrier(this.#client, record.carrier.projection);
    });
  }

  /** True when one request can take the place of many: these attempts are all that there is of the run, or may be. */
  #isAllOfMany(run: RunDefinition, namespace: string, names: readonly string[]): boolean {
    if (names.length < MANY) return false;
    const { kind } = carrierOf(run);
    const wanted = new Set(names);
    const mayBeCarried = this.#index
      .recordsOf(run.uid, namespace)
      .filter(
        ({ carrier, startingSince, removal }) =>
          (carrier !== undefined && removal === undefined) || startingSince !== undefined,
      );
    const mayBeThere = [...mayBeCarried.map(({ name }) => name), ...(this.#unanswered.get(run.uid) ?? [])];
    if (mayBeCarried.length < MANY || mayBeThere.some((name) => !wanted.has(name))) return false;
    if (mayBeCarried.some(({ carrier }) => carrier !== undefined && carrier.projection.kind !== kind))
      return false;
    return !this.#hasBystanders(kind, run.uid, namespace);
  }

  /** True when something of this kind has the run's UID written on it without being of an attempt that we know: a request for all of the run would hit it. */
  #hasBystanders(kind: CarrierProjection['kind'], runUid: string, namespace: string): boolean {
    const isBystander = (seen: Known): boolean => {
      if (seen.namespace !== namespace) return false;
      if (isForeign(seen)) return seen.foreignTo === runUid;
      const carrierUid = seen.kind === 'Job' ? seen.uid : seen.carrierUid;
      return (
        seen.runUid === runUid &&
        this.#index.find(runUid, namespace, seen.name)?.carrierUids.has(carrierUid) !== true
      );
    };
    const views: readonly { values(): Iterable<Known> }[] = kind === 'Job' ? this.#jobs : this.#pods;
    return views.some((view) => [...view.values()].some(isBystander));
  }

  async #deleteAll(run: RunDefinition, namespace: string, records: readonly AttemptRecord[]): Promise<void> {
    if (await deleteAllOfRun(this.#client, carrierOf(run).collection(namespace), run.uid)) return;
    const known = records.flatMap(({ carrier }) => (carrier === undefined ? [] : [carrier.projection]));
    await Promise.all(known.map((carrier) => deleteCarrier(this.#client, carrier)));
  }

  /**
   * Deletes the pods of Jobs that are gone, where they are many. The garbage collector does it too, some twenty a second at the limits that it is shipped with, and
   * until then their programs go on; so this may as well fail. Not before the Jobs: their controller would account for each pod first.
   * @param together deletes all of them by one request; false when it may not
   */
  async #stopPods(records: readonly AttemptRecord[], together = async () => false): Promise<void> {
    const pods = records.flatMap(podsToStop);
    if (pods.length < MANY) return;
    try {
      if (!(await together())) await Promise.all(pods.map((pod) => deletePod(this.#client, pod)));
    } catch {
      // Left to the garbage collector.
    }
  }

  /**
   * Shows attempts as on their way out from now on; as before, when their removal fails. Announces neither: whoever asks for it knows, and would be called to ask
   * again at once, past the back-off.
   */
  async #removing(records: readonly AttemptRecord[], remove: () => Promise<void>): Promise<void> {
    const begun = records.map((record) => {
      const { end, podWasSeen } = record;
      const removal = { ofEnded: end !== undefined, mayStillGetPod: end === undefined && !podWasSeen };
      record.removal = removal;
      record.end = undefined;
      this.#changed(record, 'Quietly');
      return { record, end, removal };
    });
    try {
      await remove();
    } catch (error) {
      for (const { record, end, removal } of begun) {
        // It was started anew since.
        if (record.removal !== removal) continue;
        record.removal = undefined;
        record.end = end;
        this.#changed(record, 'Quietly');
      }
      throw error;
    }
  }

  onChange(listener: (runUid: string) => void): () => void {
    const entry = { call: listener };
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#looking);
    await Promise.all(this.#reflectors.map((reflector) => reflector.stop()));
  }

  async #start(request: AttemptRequest): Promise<StartOutcome> {
    const { run, trial, attempt, name } = request;
    const namespace = namespaceOf(run);
    const carrier = carrierOf(run);
    const key = { variantId: trial.variant.id, repetition: trial.repetition, attempt };
    const record = this.#index.ensure({ runUid: run.uid, namespace, name, key }, this.#now());
    if (record.removal === undefined && (record.carrier !== undefined || record.end !== undefined))
      return { kind: 'AlreadyStarted' };
    if (record.removal !== undefined) beginAnew(record);
    record.startingSince = this.#now();
    this.#changed(record, 'Quietly');
    try {
      await this.#clearing.get(run.uid)?.catch(() => undefined);
      const created = await this.#client.request<CarrierObject>('POST', carrier.collection(namespace), {
        body: () => carrier.manifest(request, this.#resultIngest),
      });
      this.#noteAnswer(run.uid, name, true);
      this.#expect(record, carrier.project(created));
      return { kind: 'Started' };
    } catch (error) {
      if (error instanceof NotLeadingError) throw error;
      if (!(error instanceof ApiError)) {
        this.#noteAnswer(run.uid, name, false);
        throw new Error(`start ${namespace}/${name}: no answer`, { cause: error });
      }
      if (error.reason === 'AlreadyExists') {
        // It may be ours, and the question whose it is may get no answer.
        this.#noteAnswer(run.uid, name, false);
        return await this.#adopt(record, request);
      }
      const outcome = outcomeOfRefusal(error, carrier.kind);
      if (outcome.kind === 'Refused' && this.#unanswered.get(run.uid)?.has(name) === true)
        return await this.#afterRefusal(record, request, outcome);
      // One that is refused for now says nothing about an earlier try.
      if (outcome.kind === 'Postponed' && outcome.mayHaveStarted) this.#noteAnswer(run.uid, name, false);
      return outcome;
    } finally {
      record.startingSince = undefined;
      this.#changed(record, 'Quietly');
    }
  }

  /** Whether there may be an object of this name that no answer and no watch has told of. */
  #noteAnswer(runUid: string, name: string, isKnown: boolean): void {
    const names = this.#unanswered.get(runUid) ?? new Set();
    if (isKnown) names.delete(name);
    else names.add(name);
    if (names.size === 0) this.#unanswered.delete(runUid);
    else this.#unanswered.set(runUid, names);
  }

  /** There is an object of this name: ours, whose start we do not know of, or somebody else's. */
  async #adopt(record: AttemptRecord, request: AttemptRequest): Promise<StartOutcome> {
    const { run, name } = request;
    const { kind } = carrierOf(run);
    switch (await this.#lookUp(record, request)) {
      case 'Ours':
        return { kind: 'AlreadyStarted' };
      case 'Foreign':
        return {
          kind: 'Refused',
          reason: 'NameTaken',
          message: `${kind} ${record.namespace}/${name} is there already and is not owned by BatchTest ${run.name} (UID ${run.uid})`,
        };
      // It has gone since; the next try finds the name free.
      case 'Gone':
        return {
          kind: 'Postponed',
          reason: 'NameInUse',
          message: `${kind} ${name} was just being deleted`,
          retryAfterMs: 500,
        };
    }
  }

  /** What is refused now may have been started by an earlier try that got no answer: whoever refuses looks at the object before anybody at its name. */
  async #afterRefusal(
    record: AttemptRecord,
    request: AttemptRequest,
    refusal: StartOutcome,
  ): Promise<StartOutcome> {
    return (await this.#lookUp(record, request)) === 'Ours' ? { kind: 'AlreadyStarted' } : refusal;
  }

  /** Whose the object of the attempt's name is; what is ours is shown from now on. */
  async #lookUp(record: AttemptRecord, { run, name }: AttemptRequest): Promise<'Ours' | 'Foreign' | 'Gone'> {
    const carrier = carrierOf(run);
    const found = await this.#get({ kind: carrier.kind, namespace: record.namespace, name });
    this.#noteAnswer(run.uid, name, true);
    if (found === undefined) return 'Gone';
    const projection = carrier.project(found);
    if (projection === undefined || !isOfRecord(projection, record)) return 'Foreign';
    this.#expect(record, projection);
    return 'Ours';
  }

  /** Takes what the server answered for what the watch is going to show. */
  #expect(record: AttemptRecord, projection: CarrierProjection | undefined): void {
    // The watch was faster: it is known already, or even gone again.
    if (projection === undefined || record.carrierUids.has(projection.uid)) return;
    takeCarrier(record, projection.uid, projection, 'Answer');
  }

  /** The record of an attempt that no view shows, made from what the server says; undefined when nothing of the run has the name. */
  async #recordOfUnseen(run: RunDefinition, name: string): Promise<AttemptRecord | undefined> {
    const carrier = carrierOf(run);
    const found = await this.#get({ kind: carrier.kind, namespace: namespaceOf(run), name });
    const projection = found === undefined ? undefined : carrier.project(found);
    if (projection?.runUid !== run.uid) return undefined;
    const record = this.#index.ensure(projection, this.#now());
    this.#expect(record, projection);
    return record;
  }

  async #get(address: CarrierAddress): Promise<CarrierObject | undefined> {
    try {
      return await this.#client.request<CarrierObject>('GET', carrierPath(address));
    } catch (error) {
      if (isApiError(error, 404)) return undefined;
      throw error;
    }
  }

  #jobChanged(before: JobProjection | undefined, after: JobProjection | undefined): void {
    const job = after ?? before;
    if (job === undefined) return;
    const record = this.#index.ensure(job, this.#now());
    takeCarrier(record, job.uid, after, 'Watch');
    this.#changed(record);
  }

  #podChanged(before: PodProjection | undefined, after: PodProjection | undefined): void {
    const pod = after ?? before;
    if (pod === undefined) return;
    const record = this.#index.ensure(pod, this.#now());
    if (isCarrier(pod)) takeCarrier(record, pod.uid, after, 'Watch');
    else if (after === undefined) record.pods.delete(pod.uid);
    else record.pods.set(after.uid, after);
    this.#changed(record);
  }

  /** Everything that a change of a record entails; announces it when it shows. */
  #changed(record: AttemptRecord, how: 'Announced' | 'Quietly' = 'Announced'): void {
    record.changedAt = this.#now();
    record.podWasSeen ||= hasOwnPod(record);
    noteInterruptedPods(record);
    if (record.removal !== undefined) record.removal.mayStillGetPod &&= !record.podWasSeen;
    else record.end ??= endByPod(record) ?? endOfPodless(record);
    this.#reconsider(record, how);
  }

  #reconsider(record: AttemptRecord, how: 'Announced' | 'Quietly' = 'Announced'): void {
    const before = record.shown;
    record.shown = observedAttempt(record);
    this.#index.show(record);
    if (isSettled(record)) this.#unsettled.delete(record);
    else this.#unsettled.add(record);
    if (isForgettable(record)) this.#index.forget(record);
    if (how === 'Quietly' || shownAlike(before, record.shown) || this.#isClosed) return;
    for (const { call } of [...this.#listeners]) call(record.runUid);
  }

  #lookAgain(): void {
    this.#wakefulness.noteRuns(this.#now());
    for (const record of [...this.#unsettled]) this.#lookAt(record, this.#now() - record.changedAt);
  }

  /** @param age milliseconds since anything of the record changed */
  #lookAt(record: AttemptRecord, age: number): void {
    const { carrier, removal, pods } = record;
    if (carrier?.isObserved === false) {
      if (age >= UNOBSERVED_LIMIT_MS) void this.#verify(record, carrier.projection);
      return;
    }
    const job = jobOfUnseenEnd(record);
    if (job !== undefined && age >= POD_LAG_MS) {
      void this.#lookForPod(record, job);
      return;
    }
    if (removal !== undefined && carrier === undefined) {
      if (age >= LATE_POD_MS) removal.mayStillGetPod = false;
      if (age >= REMOVED_MEMORY_MS && pods.size === 0) record.removal = undefined;
    } else if (carrier === undefined && pods.size === 0 && age >= END_MEMORY_MS) {
      record.end = undefined;
    }
    this.#reconsider(record);
  }

  /**
   * The Job is over and its pod, which alone tells how, was not seen. The watch of pods may be behind, as after an outage that it came back from later than
   * that of Jobs, so the server is asked; only when it has no such pod either the Job's word has to do.
   */
  #lookForPod(record: AttemptRecord, job: JobProjection): Promise<void> {
    return this.#ask(record, async () => {
      const pods = await this.#podsAtServer(record);
      // The Job may have gone meanwhile, and the record with it: what is forgotten would be shown again, and nobody could remove it.
      if (jobOf(record)?.uid !== job.uid || !isPodless(record) || this.#isClosed) return;
      // A pod that has not ended yet, though its Job has, is looked for again.
      record.end = endByPod(record, pods) ?? (pods.length === 0 ? endByJob(job) : undefined);
      this.#changed(record);
    });
  }

  /** The pods of an attempt, as the server has them now. */
  async #podsAtServer(record: AttemptRecord): Promise<readonly PodProjection[]> {
    const { items } = await this.#client.request<{ readonly items: readonly PodObject[] }>(
      'GET',
      podsPath(record.namespace),
      { query: { labelSelector: selectorOf(record) } },
    );
    return items
      .flatMap((pod) => projectPod(pod) ?? [])
      .filter(({ carrierUid }) => record.carrierUids.has(carrierUid));
  }

  /**
   * Asks the server for what ought to have been seen long since, and again until the watch shows it or the server has no such object: a list that comes after it
   * went tells nothing of it.
   */
  #verify(record: AttemptRecord, expected: CarrierProjection): Promise<void> {
    const { uid } = expected;
    return this.#ask(record, async () => {
      const found = await this.#get(expected);
      const { carrier } = record;
      if (carrier?.isObserved !== false || carrier.projection.uid !== uid || this.#isClosed) return;
      const after = found?.metadata.uid === uid ? projectCarrier(found, carrier.projection) : undefined;
      takeCarrier(record, uid, after, 'Answer');
      this.#changed(record);
      const job = jobOfUnseenEnd(record);
      if (job !== undefined) await this.#lookForPod(record, job);
    });
  }

  /** Asks the server something about a record, and nothing again before the answer is here and some time has passed. */
  async #ask(record: AttemptRecord, question: () => Promise<void>): Promise<void> {
    record.changedAt = Number.POSITIVE_INFINITY;
    try {
      await question();
    } catch {
      // The views have the same trouble and report it; it is asked again.
    } finally {
      if (record.changedAt === Number.POSITIVE_INFINITY) record.changedAt = this.#now();
    }
  }
}

const selectorOf = (record: AttemptRecord): string =>
  Object.entries(attemptLabels(record.runUid, record))
    .map(([label, value]) => `${label}=${value}`)
    .join(',');

const ours = <T extends CarrierProjection>(seen: T | ForeignObject | undefined): T | undefined =>
  seen === undefined || isForeign(seen) ? undefined : seen;

function namespaceOf({ uid, name, namespace }: RunDefinition): string {
  if (namespace === undefined) throw new Error(`run ${uid} (${name}) is in no namespace`);
  return namespace;
}

const isOfRecord = ({ runUid, key }: CarrierProjection, record: AttemptRecord): boolean =>
  runUid === record.runUid &&
  key.variantId === record.variantId &&
  key.repetition === record.repetition &&
  key.attempt === record.attempt;

const hasOwnPod = ({ pods, carrierUids }: AttemptRecord): boolean =>
  [...pods.values()].some(({ carrierUid }) => carrierUids.has(carrierUid));

/** Nothing of it tells its end, which somebody still waits for. */
const isPodless = ({ removal, end, pods }: AttemptRecord): boolean =>
  removal === undefined && end === undefined && pods.size === 0;

/** Its Job, when that is over and the pod that tells how was not seen. */
function jobOfUnseenEnd(record: AttemptRecord): JobProjection | undefined {
  const job = jobOf(record);
  return job?.finished !== undefined && isPodless(record) ? job : undefined;
}

/** Its pod was seen, went without telling its end, and the Job is over. */
function endOfPodless(record: AttemptRecord) {
  const job = jobOf(record);
  return job !== undefined && record.podWasSeen && record.pods.size === 0 ? endByJob(job) : undefined;
}

/** What was removed is started again under the same name: nothing of then counts. */
function beginAnew(record: AttemptRecord): void {
  record.removal = undefined;
  record.carrier = undefined;
  record.podWasSeen = false;
  record.carrierUids.clear();
}
