/** Kills an operator at one exact write, and lets the next one go on: the learning run and the replays of F1 and F2. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Fault, FORWARD } from '../integration/faulty-proxy.ts';
import type { Execution } from '../integration/kubernetes-world.ts';
import type { OperatorSite, TestHooks } from '../integration/operator-world.ts';
import type { RunningOperator } from '../integration/running-operator.ts';
import { apiWriteName } from './api-write.ts';
import { aFaultyWay } from './faulty-way.ts';
import { differencesOf, type Played, playedRun } from './played-run.ts';
import { playReference } from './reference-scenario.ts';
import { FORWARD_STATEMENT, type StoreFault } from './store-proxy.ts';

/** One write of a run: the n-th (from 1) of its name. */
export interface WriteOf {
  readonly name: string;
  readonly occurrence: number;
}

/** When the operator dies, as seen from one of its writes. */
export type CrashPoint =
  /** The API server has done it; the operator never learns. */
  | { readonly kind: 'ApiWrite'; readonly write: WriteOf }
  /** With a write to the store: before the server has heard of it, once it is committed and before its answer arrives, or after that. */
  | { readonly kind: 'Commit'; readonly write: WriteOf; readonly when: 'Before' | 'Unanswered' | 'Answered' };

interface PlayedWithCrash extends Played {
  /** Whether the crash point was reached. */
  readonly wasKilled: boolean;
}

const describeCrashPoint = (point: CrashPoint): string =>
  `${point.kind === 'Commit' ? `${point.when} ` : ''}${point.write.name} #${point.write.occurrence}`;

/** Numbers the writes of a run within their names. */
function numbered(names: readonly string[]): readonly WriteOf[] {
  const counts = new Map<string, number>();
  return names.map((name) => {
    const occurrence = (counts.get(name) ?? 0) + 1;
    counts.set(name, occurrence);
    return { name, occurrence };
  });
}

/** Every point of a recorded run at which an operator can be killed. */
export const apiCrashPoints = ({ apiWrites }: Played): readonly CrashPoint[] =>
  numbered(apiWrites).map((write) => ({ kind: 'ApiWrite', write }));
export const commitCrashPoints = ({ commits }: Played): readonly CrashPoint[] =>
  numbered(commits).flatMap((write) =>
    (['Before', 'Unanswered', 'Answered'] as const).map((when) => ({ kind: 'Commit' as const, write, when })),
  );

/** Plays the reference scenario in a world of its own; with a crash point, the operator is killed there once and another one started. */
export async function playWithCrash(
  site: OperatorSite,
  name: string,
  point: CrashPoint | undefined,
  execution: Execution = 'Job',
): Promise<PlayedWithCrash> {
  const ending = new Ending();
  try {
    const world = await site.aWorld(name, ending.hooks);
    const way = await aFaultyWay(world, ending.hooks);
    let operator: RunningOperator | undefined;
    let wasHit = false;
    let restart: (starting: Promise<RunningOperator>) => void = () => undefined;
    const restarted = new Promise<RunningOperator>((resolve) => {
      restart = resolve;
    });
    const crash = async (): Promise<'Lose'> => {
      await operator?.kill();
      restart(way.startOperator());
      return 'Lose';
    };
    let seen = 0;
    const isHit = (called: string | undefined): boolean => {
      if (point === undefined || called !== point.write.name || wasHit) return false;
      seen += 1;
      wasHit = seen === point.write.occurrence;
      return wasHit;
    };
    if (point?.kind === 'ApiWrite')
      way.api.onRequest(
        ({ method, url }): Fault =>
          isHit(apiWriteName(method, url)) ? { kind: 'Intercept', answered: crash } : FORWARD,
      );
    if (point?.kind === 'Commit')
      way.store.onStatement(
        ({ call }): StoreFault => (isHit(call) ? commitFault(point.when, crash) : FORWARD_STATEMENT),
      );
    operator = await way.startOperator();
    const uid = await playReference(world, { spec: { execution } });
    // The last write of a run settles it before its answer, and so before the operator is killed.
    if (wasHit) await restarted;
    return { ...(await playedRun(world, way, uid)), wasKilled: wasHit };
  } catch (error) {
    await ending.failed();
    throw error;
  } finally {
    await ending.finished();
  }
}

function commitFault(when: 'Before' | 'Unanswered' | 'Answered', crash: () => Promise<'Lose'>): StoreFault {
  switch (when) {
    case 'Before':
      // A held statement is dropped when its connection goes, with the operator.
      return { kind: 'Hold', until: crash().then(() => Promise.reject(new Error('killed'))) };
    case 'Unanswered':
      return { kind: 'Intercept', answered: crash };
    case 'Answered':
      return {
        kind: 'Intercept',
        answered: async () => 'Deliver',
        delivered: () => {
          // By now the operator acts on the answer; it does not get far.
          void sleep(1).then(crash);
        },
      };
  }
}

const AT_ONCE = 3;

/**
 * Plays the scenario once per crash point, a few side by side, and compares each with the reference. What differs, in words; nothing when
 * every run came to the same end with all invariants kept.
 */
export async function differencesAt(
  site: OperatorSite,
  reference: Played,
  points: readonly CrashPoint[],
  execution: Execution = 'Job',
): Promise<readonly string[]> {
  const found: string[] = [];
  const queue = [...points];
  const worker = async () => {
    for (let point = queue.shift(); point !== undefined; point = queue.shift()) {
      const at = describeCrashPoint(point);
      try {
        const played = await playWithCrash(site, 'crash', point, execution);
        found.push(...differences(played, reference, point).map((difference) => `${at}: ${difference}`));
      } catch (error) {
        found.push(`${at}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return found;
}

function differences(played: PlayedWithCrash, reference: Played, point: CrashPoint): readonly string[] {
  const missed = played.wasKilled || dependsOnTime(point) ? [] : ['this write never came'];
  return [...missed, ...differencesOf(played, reference)];
}

/** Statuses are written once a second, so how many there are differs from one run to the next. */
const dependsOnTime = ({ write }: CrashPoint): boolean => write.name.endsWith('/status');

/** A world of its own for each of many runs within one test goes when its run is over. */
class Ending {
  readonly #failed: (() => Promise<void>)[] = [];
  readonly #finished: (() => Promise<void>)[] = [];
  readonly hooks: TestHooks = {
    onTestFailed: (listener) => this.#failed.push(listener),
    onTestFinished: (listener) => this.#finished.push(listener),
  };

  async failed(): Promise<void> {
    for (const listener of this.#failed) await listener();
  }

  /** What was opened last goes first, as vitest does it. */
  async finished(): Promise<void> {
    for (const listener of this.#finished.toReversed()) await listener();
  }
}
