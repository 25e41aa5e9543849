import { isDeepStrictEqual } from 'node:util';
import type { OperatorWorld } from '../integration/operator-world.ts';
import { type EndState, endStateOf } from './end-state.ts';
import type { FaultyWay } from './faulty-way.ts';
import { type PlayOptions, playReference } from './reference-scenario.ts';
import { isWritingCall } from './store-proxy.ts';
import { violationsOf } from './violations.ts';

/** What came of a run of the reference scenario. */
export interface Played {
  readonly end: EndState;
  /** Everything that the judge finds wrong with it, in words. */
  readonly violations: readonly string[];
  /** Names, in order, of the operators' writes. */
  readonly apiWrites: readonly string[];
  readonly commits: readonly string[];
}

/** What came of a run that has settled. */
export async function playedRun(world: OperatorWorld, way: FaultyWay, uid: string): Promise<Played> {
  const [end, violations] = await Promise.all([endStateOf(world, uid), violationsOf(world, uid)]);
  return {
    end,
    violations: violations.map(({ invariant, evidence }) => `${invariant}: ${evidence}`),
    apiWrites: way.apiWrites(),
    commits: way.store.writes.filter(isWritingCall),
  };
}

/**
 * Plays the reference scenario with an operator that has this way.
 * @param during what happens meanwhile; it is told the run's UID when the object was created
 */
export async function playOnWay(
  world: OperatorWorld,
  way: FaultyWay,
  during: (uid: string) => Promise<unknown> = async () => undefined,
  options: Omit<PlayOptions, 'onCreated'> = {},
): Promise<Played> {
  let failed: (error: unknown) => void = () => undefined;
  const failure = new Promise<never>((_, reject) => {
    failed = reject;
  });
  let meanwhile: Promise<unknown> | undefined;
  const onCreated = (created: string) => {
    meanwhile = during(created);
    meanwhile.catch(failed);
  };
  // What goes wrong first is told, not what came of it.
  const uid = await Promise.race([playReference(world, { ...options, onCreated }), failure]);
  await meanwhile;
  return playedRun(world, way, uid);
}

/** What differs between two ends, and what the judge found, in words; nothing when the run came to the end that it should have. */
export function differencesOf(played: Played, reference: Played): readonly string[] {
  const parts = Object.keys(reference.end) as (keyof EndState)[];
  return [
    ...played.violations,
    ...parts
      .filter((part) => !isDeepStrictEqual(played.end[part], reference.end[part]))
      .map(
        (part) =>
          `${part} is ${JSON.stringify(played.end[part])} instead of ${JSON.stringify(reference.end[part])}`,
      ),
  ];
}
