import { ConditionType, FINAL_CONDITIONS } from '../api/v1alpha1/constants.ts';
import { type BatchTestStatus, type Condition, STATUS_TIES_LIMIT } from '../api/v1alpha1/status.ts';
import type { Conclusion } from '../comparison/conclusion.ts';
import { type Halt, haltOf, SUSPENDED } from './halt.ts';
import type { RunEnd } from './plan.ts';
import type { RunControls } from './run.ts';
import type { ReadonlyRunLedger } from './run-ledger.ts';
import { ENDS_UNSEEN } from './unseen-ends.ts';
import { type VerificationCounts, verifiedStatus } from './verification-counts.ts';
import { CANNOT_BE_ENDED } from './waiting.ts';

/** One CamelCase word for programs and a sentence for people. */
export interface Explanation {
  readonly reason: string;
  readonly message: string;
}

/** What the status says beside what the ledger holds. Times are milliseconds since the epoch. */
export interface StatusContext {
  readonly controls: RunControls;
  /** Since when the run may run; undefined while it is suspended. */
  readonly activeSince: number | undefined;
  /** Why nothing starts though trials are due; undefined when nothing is in the way. */
  readonly waiting: Explanation | undefined;
  /** Why results cannot be stored; undefined when they can. */
  readonly storeProblem: Explanation | undefined;
  /** What of the run was read back; undefined when that is not known. */
  readonly verification?: VerificationCounts | undefined;
  readonly observedGeneration: number | undefined;
  /** The conditions of the status before, whose transition times are kept where nothing changed. */
  readonly previousConditions: readonly Condition[];
}

/**
 * The status of a run. Derived from the ledger alone, so it never shows more done than is committed, and the same state gives the
 * same status: a settled run is written once.
 */
export function statusOf(ledger: ReadonlyRunLedger, context: StatusContext, now: number): BatchTestStatus {
  const { total, pending, active, succeeded, failed, cancelled, skipped } = ledger.counts;
  // Whether what is only being asked for runs is not known yet, and it may be postponed many times.
  const asked = ledger.startsUnderWay.size;
  const best = bestOf(ledger);
  const gate = ledger.conclusion?.gate;
  return {
    ...(context.observedGeneration === undefined ? {} : { observedGeneration: context.observedGeneration }),
    runUid: ledger.definition.uid,
    ...(context.activeSince === undefined ? {} : { startTime: timestamp(context.activeSince) }),
    ...completionTime(ledger, context.previousConditions, now),
    trials: {
      total,
      pending: pending + asked,
      running: active - asked,
      succeeded,
      failed,
      cancelled,
      ...(skipped === 0 ? {} : { skipped }),
      ...(ledger.reused === 0 ? {} : { reused: ledger.reused }),
    },
    variants: {
      ...ledger.variantCounts,
      ...(ledger.stoppedVariants === 0 ? {} : { stoppedEarly: ledger.stoppedVariants }),
    },
    ...(best === undefined ? {} : { best }),
    ...(gate === undefined ? {} : { gate }),
    ...(context.verification === undefined ? {} : verifiedStatus(context.verification)),
    conditions: withTransitionTimes(conditionsOf(ledger, context, now), context, now),
  };
}

/** Why there is no run of an object, or none yet. */
export interface MissingRun {
  /** `NotHeld`: the object could not be kept from going, so nothing is started. */
  readonly kind: 'InvalidSpec' | 'StoreUnavailable' | 'NotHeld';
  readonly explanation: Explanation;
  /** Whether the object is suspended, which is done without its run; undefined when that makes no difference. */
  readonly suspended?: boolean | undefined;
}

/**
 * The status of an object that cannot be run, or of one whose run cannot be opened now. What was told of an earlier look at the run stays: counts never go
 * back, and the clock of its deadline is not lost unless it is suspended.
 * @param previous the status before; undefined when there was none
 */
export function statusWithoutRun(
  missing: MissingRun,
  previous: BatchTestStatus | undefined,
  observedGeneration: number | undefined,
  now: number,
): BatchTestStatus {
  const context = { observedGeneration, previousConditions: previous?.conditions ?? [] };
  const conditions = conditionsWithoutRun(missing, context.previousConditions);
  const kept = context.previousConditions.filter(({ type }) => !conditions.some((one) => one.type === type));
  // The condition that a person sees first is the first one that is true, and that of the store is the last.
  const [progressing, ...others] = withTransitionTimes(conditions, context, now);
  const { startTime, ...told } = previous ?? {};
  return {
    ...told,
    ...(startTime === undefined || missing.suspended === true ? {} : { startTime }),
    ...(observedGeneration === undefined ? {} : { observedGeneration }),
    conditions: [...(progressing === undefined ? [] : [progressing]), ...kept, ...others],
  };
}

function conditionsWithoutRun(
  { kind, explanation, suspended }: MissingRun,
  previousConditions: readonly Condition[],
): readonly BareCondition[] {
  switch (kind) {
    case 'InvalidSpec':
      return [
        condition(ConditionType.Progressing, false, explanation),
        condition(ConditionType.Failed, true, explanation),
      ];
    case 'StoreUnavailable':
      return [
        condition(ConditionType.Progressing, true, {
          reason: 'WaitingForResultStore',
          message: 'nothing starts before the result store can be used',
        }),
        ...(suspended === undefined
          ? []
          : suspension({ controls: { suspended }, previousConditions }, suspended ? SUSPENDED : undefined)),
        condition(ConditionType.ResultStoreAvailable, false, explanation),
      ];
    case 'NotHeld':
      return [condition(ConditionType.Progressing, true, explanation)];
  }
}

/** True when a status says that its run is over. */
export function isFinished(status: Pick<BatchTestStatus, 'conditions'> | undefined): boolean {
  return finishedCondition(status) !== undefined;
}

/** The condition that ended a run; undefined while it is not over. */
export function finishedCondition(
  status: Pick<BatchTestStatus, 'conditions'> | undefined,
): Condition | undefined {
  const final: readonly string[] = FINAL_CONDITIONS;
  return status?.conditions?.find(({ type, status: value }) => final.includes(type) && value === 'True');
}

/** While the run is under way, whose lead would be significant is not looked into: it changes with every result. */
function bestOf(ledger: ReadonlyRunLedger): BatchTestStatus['best'] | undefined {
  const { conclusion } = ledger;
  if (conclusion !== undefined) return finalBest(conclusion);
  const best = ledger.samples.best();
  const variant = best === undefined ? undefined : ledger.definition.variants[best.variant];
  return best === undefined || variant === undefined
    ? undefined
    : { name: variant.name, score: best.score.toFixed(4) };
}

const finalBest = ({ best }: Conclusion): BatchTestStatus['best'] | undefined =>
  best === undefined
    ? undefined
    : {
        name: best.name,
        score: best.score.toFixed(4),
        ...(best.ties.length === 0 ? {} : { ties: best.ties.slice(0, STATUS_TIES_LIMIT) }),
        tieCount: best.ties.length,
      };

function completionTime(
  ledger: ReadonlyRunLedger,
  previous: readonly Condition[],
  now: number,
): Pick<BatchTestStatus, 'completionTime'> {
  if (ledger.end === undefined) return {};
  const before = finishedCondition({ conditions: [...previous] });
  return { completionTime: before?.lastTransitionTime ?? timestamp(now) };
}

type BareCondition = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;

function conditionsOf(
  ledger: ReadonlyRunLedger,
  context: StatusContext,
  now: number,
): readonly BareCondition[] {
  const store = condition(
    ConditionType.ResultStoreAvailable,
    context.storeProblem === undefined,
    context.storeProblem ?? { reason: 'Available', message: 'results are stored' },
  );
  const { end } = ledger;
  if (end !== undefined)
    return [
      condition(ConditionType.Progressing, false, end),
      condition(finalType(end), true, end),
      ...suspension(context, end),
      store,
    ];
  const halt = haltOf(ledger, context.controls, now);
  const isSuspended = halt?.reason === 'RunSuspended';
  return [
    condition(ConditionType.Progressing, !isSuspended, progress(context, halt)),
    ...suspension(context, halt),
    store,
  ];
}

/**
 * As of a Job: the condition appears with the first suspension, and is false from then on when it is over. Only a user resumes a run: what ends it
 * all the same while it is to be suspended says why it is not any more.
 * @param level what halts the run, or how it ended; undefined when it may go on
 */
function suspension(
  {
    controls,
    previousConditions,
  }: Pick<StatusContext, 'previousConditions'> & { readonly controls: Pick<RunControls, 'suspended'> },
  level: Explanation | undefined,
): readonly BareCondition[] {
  if (level?.reason === 'RunSuspended') return [condition(ConditionType.Suspended, true, level)];
  if (!previousConditions.some(({ type }) => type === ConditionType.Suspended)) return [];
  const isResumed = level === undefined || !controls.suspended;
  return [
    condition(
      ConditionType.Suspended,
      false,
      isResumed ? { reason: 'RunResumed', message: 'the run was resumed' } : level,
    ),
  ];
}

/** The one reason for what the run does now. */
function progress({ waiting, storeProblem }: StatusContext, halt: Halt | undefined): Explanation {
  if (halt !== undefined && halt.end === undefined && waiting?.reason !== ENDS_UNSEEN) return halt;
  if (halt !== undefined) {
    const isHeldUp = waiting?.reason === CANNOT_BE_ENDED || waiting?.reason === ENDS_UNSEEN;
    return {
      reason: halt.reason,
      message: `${halt.message}: ${isHeldUp ? waiting.message : 'running trials are being ended'}`,
    };
  }
  if (storeProblem !== undefined)
    return { reason: 'WaitingForResultStore', message: 'nothing new starts before results can be stored' };
  return waiting ?? { reason: 'Running', message: 'trials are running' };
}

function finalType(end: RunEnd): string {
  switch (end.state) {
    case 'Complete':
      return ConditionType.Complete;
    case 'Failed':
      return ConditionType.Failed;
    case 'Cancelled':
      return ConditionType.Cancelled;
  }
}

/** Characters of a condition's message: a list of mistakes or a server's answer may be long, and a status must stay small. */
const MESSAGE_LIMIT = 1_024;

const condition = (type: string, holds: boolean, { reason, message }: Explanation): BareCondition => ({
  type,
  status: holds ? 'True' : 'False',
  reason,
  message:
    message.length <= MESSAGE_LIMIT ? message : `${[...message].slice(0, MESSAGE_LIMIT - 1).join('')}…`,
});

function withTransitionTimes(
  conditions: readonly BareCondition[],
  {
    previousConditions,
    observedGeneration,
  }: Pick<StatusContext, 'observedGeneration' | 'previousConditions'>,
  now: number,
): Condition[] {
  return conditions.map((bare) => {
    const before = previousConditions.find(({ type }) => type === bare.type);
    return {
      ...bare,
      lastTransitionTime: before?.status === bare.status ? before.lastTransitionTime : timestamp(now),
      ...(observedGeneration === undefined ? {} : { observedGeneration }),
    };
  });
}

/** RFC 3339 with whole seconds, as Kubernetes writes times. */
const timestamp = (milliseconds: number): string =>
  new Date(milliseconds).toISOString().replace(/\.\d{3}Z$/, 'Z');
