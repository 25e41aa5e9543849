import type { AttemptKey, AttemptState, ObservedAttempt, Termination } from '../../src/core/attempt.ts';
import type { RunDefinition } from '../../src/core/run.ts';
import type { AttemptRequest, Engine, StartOutcome } from '../../src/engine/engine.ts';

/** How one call of `startAttempt` goes. */
type StartAnswer =
  | 'Started'
  /** The request never arrived. */
  | 'NotSent'
  /** It started, but the answer was lost; nothing shows the attempt until it is asked for again or revealed. */
  | 'AnswerLost'
  | 'Postponed'
  /** It started, but the server failed then; nothing shows the attempt until it is asked for again or revealed. */
  | 'PostponedButStarted'
  | 'Refused';

/** Those with which it starts, if it is not there yet. */
const STARTING_ANSWERS: ReadonlySet<StartAnswer> = new Set(['Started', 'AnswerLost', 'PostponedButStarted']);

/** Those that tell nothing of an attempt of this name which is there. */
const UNKNOWING_ANSWERS: ReadonlySet<StartAnswer> = new Set(['NotSent', 'Postponed', 'PostponedButStarted']);

/** What goes wrong with it; what is late is answered when somebody lets it be. */
export type StartFault = StartAnswer | { readonly late: StartAnswer };

/** What goes wrong with the removal of one attempt. What is late is done at once, and answered when somebody lets it be. */
export type RemoveFault = 'NotSent' | 'AnswerLost' | 'Late';

export interface ModelAttempt extends AttemptKey {
  readonly runUid: string;
  readonly name: string;
  state: AttemptState;
  /** True while the engine has not heard of it. */
  hidden: boolean;
  /** True while no answer has told of it: what shows it is its pod alone, and nothing does once that has ended. */
  unanswered: boolean;
  /** Shown because it is being asked for, but it is not there and never will be. */
  readonly isPhantom: boolean;
  /** True when somebody else removed it after its end was seen: only the engine's memory still has it. */
  onlyRemembered: boolean;
}

/** The model as the controller takes it. What happens in it is told to the listeners by whoever lets it happen. */
export const asEngine = (model: ModelEngine, listeners = new Set<(runUid: string) => void>()): Engine => ({
  name: 'kubernetes',
  observe: (run) => model.observe(run),
  seenUntil: (run, now) => model.seenUntil(run, now),
  isAsShown: (run, name) => model.isAsShown(run, name),
  isGone: (run, name) => model.isGone(run, name),
  startAttempt: (request) => model.startAttempt(request),
  removeAttempts: (run, names) => model.removeAttempts(run, names),
  onChange: (listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
  close: async () => {},
});

/**
 * An engine in memory that keeps the promises of engine.ts. Nothing in it happens by itself: its test decides when an attempt
 * begins, ends or is gone.
 */
export class ModelEngine
  implements
    Pick<Engine, 'observe' | 'seenUntil' | 'isAsShown' | 'isGone' | 'startAttempt' | 'removeAttempts'>
{
  /** By name. */
  readonly attempts = new Map<string, ModelAttempt>();
  /** Used up one a call, first in, first out. */
  readonly startFaults: StartFault[] = [];
  readonly removeFaults: RemoveFault[] = [];
  /** What lets the answers come that are late, in the order in which they were asked for. */
  readonly lateAnswers: (() => void)[] = [];
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  observe({ uid }: RunDefinition): readonly ObservedAttempt[] {
    return this.attemptsOf(uid)
      .filter(({ hidden }) => !hidden)
      .map(({ name, variantId, repetition, attempt, state }) => ({
        name,
        variantId,
        repetition,
        attempt,
        state,
      }));
  }

  seenUntil(_run: RunDefinition, now: number): number {
    return now;
  }

  async isAsShown(_run: RunDefinition, _name: string): Promise<boolean> {
    return true;
  }

  async isGone(_run: RunDefinition, name: string): Promise<boolean> {
    const attempt = this.attempts.get(name);
    if (attempt !== undefined) markAnswered(attempt);
    return attempt === undefined;
  }

  async startAttempt(request: AttemptRequest): Promise<StartOutcome> {
    const { name } = request;
    const fault = this.startFaults.shift() ?? 'Started';
    const answer = typeof fault === 'object' ? fault.late : fault;
    const existing = this.attempts.get(name);
    const starts = existing === undefined && STARTING_ANSWERS.has(answer);
    const attempt =
      starts || typeof fault === 'object' ? (existing ?? this.#show(request, !starts)) : existing;
    if (typeof fault === 'object') await new Promise<void>((resolve) => this.lateAnswers.push(resolve));
    if (attempt?.isPhantom) this.attempts.delete(name);
    if (existing !== undefined && !UNKNOWING_ANSWERS.has(answer)) markAnswered(existing);
    switch (answer) {
      case 'Started':
        return { kind: starts ? 'Started' : 'AlreadyStarted' };
      case 'NotSent':
        throw new Error(`start ${name}: connection refused`);
      case 'AnswerLost':
        if (starts && attempt !== undefined) markUnanswered(attempt);
        throw new Error(`start ${name}: connection reset`);
      case 'Postponed':
        return { kind: 'Postponed', reason: 'QuotaExceeded', message: 'pods=3', retryAfterMs: 1_000 };
      case 'PostponedButStarted':
        if (starts && attempt !== undefined) markUnanswered(attempt);
        return {
          kind: 'Postponed',
          reason: 'ServerUnavailable',
          message: 'etcdserver: request timed out',
          retryAfterMs: 1_000,
          mayHaveStarted: true,
        };
      case 'Refused':
        if (existing !== undefined) return { kind: 'AlreadyStarted' };
        return { kind: 'Refused', reason: 'PodRefused', message: 'not allowed' };
    }
  }

  #show({ run, trial, attempt, name }: AttemptRequest, isPhantom: boolean): ModelAttempt {
    const shown: ModelAttempt = {
      runUid: run.uid,
      name,
      variantId: trial.variant.id,
      repetition: trial.repetition,
      attempt,
      state: { kind: 'Waiting', since: this.#now() },
      hidden: false,
      unanswered: false,
      isPhantom,
      onlyRemembered: false,
    };
    this.attempts.set(name, shown);
    return shown;
  }

  /** Everything is answered that is still to be. */
  answerLate(): void {
    for (const answer of this.lateAnswers.splice(0)) answer();
  }

  async removeAttempts(run: RunDefinition, names: readonly string[]): Promise<void> {
    await Promise.all(names.map((name) => this.removeAttempt(run, name)));
  }

  /** One of them: each may meet a fault of its own. */
  async removeAttempt(_run: RunDefinition, name: string): Promise<void> {
    const fault = this.removeFaults.shift();
    if (fault === 'NotSent') throw new Error(`remove ${name}: connection refused`);
    const attempt = this.attempts.get(name);
    if (attempt !== undefined && hasEnded(attempt)) this.attempts.delete(name);
    else if (attempt !== undefined) {
      attempt.state = { kind: 'Stopping' };
      markAnswered(attempt);
    }
    if (fault === 'Late') await new Promise<void>((resolve) => this.lateAnswers.push(resolve));
    if (fault === 'AnswerLost') throw new Error(`remove ${name}: connection reset`);
  }

  attemptsOf(runUid: string): readonly ModelAttempt[] {
    return [...this.attempts.values()].filter((attempt) => attempt.runUid === runUid);
  }

  /** The program starts to run. */
  begin(attempt: ModelAttempt): void {
    if (attempt.state.kind === 'Waiting') attempt.state = { kind: 'Running', since: this.#now() };
  }

  /** The program has ended, and what it left is still being read. */
  isBeingRead(attempt: ModelAttempt): void {
    if (attempt.state.kind === 'Running' && attempt.state.endedAt === undefined)
      attempt.state = { ...attempt.state, endedAt: this.#now() };
  }

  /** The program ends, or never gets to its end; an attempt that is being stopped is gone with it. */
  end(attempt: ModelAttempt, termination: Termination): void {
    if (attempt.state.kind === 'Stopping') this.attempts.delete(attempt.name);
    else if (attempt.state.kind !== 'Ended') {
      attempt.hidden ||= attempt.unanswered;
      attempt.state = {
        kind: 'Ended',
        at: (attempt.state.kind === 'Running' ? attempt.state.endedAt : undefined) ?? this.#now(),
        termination: {
          ...termination,
          ...(attempt.state.kind === 'Running' ? { startedAt: attempt.state.since } : {}),
        },
      };
    }
  }

  /** Somebody else asks for its removal: a live attempt is stopped, and one whose end was seen is remembered. */
  deleteByOthers(attempt: ModelAttempt): void {
    if (attempt.state.kind === 'Ended') attempt.onlyRemembered = true;
    else attempt.state = { kind: 'Stopping' };
  }

  /** Somebody else removes it at once, without a grace period, and the engine sees only that it is gone. */
  vanish(attempt: ModelAttempt): void {
    if (attempt.state.kind === 'Ended') attempt.onlyRemembered = true;
    else this.attempts.delete(attempt.name);
  }

  /** What was being stopped is gone. */
  finishStopping(attempt: ModelAttempt): void {
    if (attempt.state.kind === 'Stopping') this.attempts.delete(attempt.name);
  }

  /** A new process looks at the world: it sees all that is there, and remembers nothing that is not. */
  restart(): void {
    this.lateAnswers.length = 0;
    for (const attempt of this.attempts.values()) {
      if (attempt.isPhantom) this.attempts.delete(attempt.name);
      markAnswered(attempt);
      if (attempt.onlyRemembered) this.attempts.delete(attempt.name);
    }
  }
}

function markAnswered(attempt: ModelAttempt): void {
  attempt.hidden = false;
  attempt.unanswered = false;
}

function markUnanswered(attempt: ModelAttempt): void {
  attempt.hidden = true;
  attempt.unanswered = true;
}

const hasEnded = ({ state }: ModelAttempt): boolean =>
  state.kind === 'Ended' || (state.kind === 'Running' && state.endedAt !== undefined);

/** The program ended with this exit code and left this in its result file. */
export const exited = (exitCode: number, message = ''): Termination => ({
  kind: 'Exited',
  exitCode,
  message,
});

/** The program ended well and reported `p95_ms`. */
export const exitedWell = (p95 = 1): Termination => exited(0, JSON.stringify({ metrics: { p95_ms: p95 } }));

/** The program did not get to its own end. */
export const lost = (reason = 'NodeLost'): Termination => ({
  kind: 'Lost',
  reason,
  message: 'the node is gone',
});
