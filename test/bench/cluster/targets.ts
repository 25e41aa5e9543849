import { median } from 'simple-statistics';
import { bold, markdownTable, titleOf } from '../figure-table.ts';
import { ARGO_WORKFLOWS } from './argo-contender.ts';
import { type FigureName, figureKind } from './figures.ts';
import { LOOP_OF_JOBS, LOOP_OF_PODS } from './loop-contender.ts';
import {
  type BenchmarkResult,
  bestAt,
  type Comparison,
  figuresIn,
  isOwn,
  type MeasuredContender,
} from './result.ts';

/** What the operator is to come to, in numbers that hold on any machine. */
interface Target {
  readonly name: string;
  readonly most: number;
  readonly digits: number;
  /** What one contender of ours came to in one comparison, round by round; empty where that says nothing. */
  readonly found: (own: MeasuredContender, comparison: Comparison) => readonly number[];
  /** Which round is judged: what must never happen is judged by the worst, and what a noisy machine has a part in by the one in the middle. */
  readonly judged: (rounds: readonly number[]) => number;
}

const ofRounds =
  (name: FigureName): Target['found'] =>
  ({ rounds }) =>
    rounds.flatMap(({ [name]: found }) => found ?? []);

/** Ours against another in the same round: a machine whose speed drifts treats both alike. */
const against =
  (
    other: (own: MeasuredContender) => string,
    name: FigureName,
    relation: (ours: number, theirs: number) => number,
  ): Target['found'] =>
  (own, { contenders }) => {
    const others = contenders.find((contender) => contender.name === other(own))?.rounds ?? [];
    return own.rounds.flatMap(({ [name]: ours }, round) => {
      const theirs = others[round]?.[name];
      return ours === undefined || theirs === undefined ? [] : [relation(ours, theirs)];
    });
  };

/** The plain loop that makes the same of its trials. */
const ownLoop = ({ name }: MeasuredContender): string =>
  name.startsWith('operator, Pods') ? LOOP_OF_PODS.name : LOOP_OF_JOBS.name;

const worst = (rounds: readonly number[]): number => Math.max(...rounds);
const difference = (ours: number, theirs: number): number => ours - theirs;

const TARGETS: readonly Target[] = [
  {
    // By efficiency: where each contender's programs run for other times, makespans alone tell of these.
    name: 'makespan / its ideal, of that of the plain loop that makes the same: Jobs, or pods',
    most: 1.01,
    digits: 3,
    found: against(ownLoop, 'efficiency', (ours, theirs) => theirs / ours),
    judged: median,
  },
  {
    name: `refill p50 to the creation of the next pod, above that of the ${LOOP_OF_PODS.name}, ms`,
    most: 20,
    digits: 0,
    found: against(() => LOOP_OF_PODS.name, 'refillCreatedP50Ms', difference),
    judged: median,
  },
  {
    name: 'the same, above that of the plain loop that makes the same, ms',
    most: 20,
    digits: 0,
    found: against(ownLoop, 'refillCreatedP50Ms', difference),
    judged: median,
  },
  {
    name: 'overshoot, pods, worst round',
    most: 0,
    digits: 0,
    found: ofRounds('overshoot'),
    judged: worst,
  },
  {
    name: 'writes of Jobs or pods by the operator, per trial, worst round',
    most: 2,
    digits: 2,
    found: ofRounds('trialWrites'),
    judged: worst,
  },
  {
    name: 'writes of a status, a second, worst round',
    most: 1,
    digits: 2,
    found: ofRounds('statusWriteRate'),
    judged: worst,
  },
  {
    // However many trials it has: its own creation, the finalizer set and taken off, the events of its start and its end.
    name: 'further writes of a BatchTest: creation, finalizer, events; worst round',
    most: 5,
    digits: 1,
    found: ofRounds('furtherWrites'),
    judged: worst,
  },
  {
    name: 'peak resident memory, MiB, worst round',
    most: 200,
    digits: 0,
    found: ofRounds('peakResidentMiB'),
    judged: worst,
  },
  {
    name: 'growth of resident memory per 1,000 trials, over the second half of a long run, MiB',
    most: 0.5,
    digits: 2,
    found: ofRounds('residentGrowth'),
    judged: worst,
  },
];

/** A table of all targets: for each contender of ours what it came to, scenario by scenario, and what is missed in **bold**. */
export function targetsMarkdown({ comparisons }: Pick<BenchmarkResult, 'comparisons'>): string {
  const own = [
    ...new Set(comparisons.flatMap(({ contenders }) => contenders.filter(isOwn).map(({ name }) => name))),
  ];
  return markdownTable([
    ['target', 'wanted', ...own],
    ...TARGETS.map((target) => [
      target.name,
      target.most === 0 ? '0' : `≤ ${target.most}`,
      ...own.map((name) => foundText(target, name, comparisons)),
    ]),
    ['rows in which Argo Workflows is better', 'none', ...own.map((name) => rowsOfArgo(name, comparisons))],
  ]);
}

const nameOf = ({ scenario, limits }: Comparison): string =>
  limits === 'stock' ? `${scenario.name} (stock)` : scenario.name;

function foundText(target: Target, name: string, comparisons: readonly Comparison[]): string {
  const texts = comparisons.flatMap((comparison) => {
    const own = comparison.contenders.find((contender) => contender.name === name);
    const rounds = own === undefined ? [] : target.found(own, comparison);
    if (rounds.length === 0) return [];
    const judged = target.judged(rounds);
    const text = `${nameOf(comparison)} ${roundedUp(judged, target.digits)}`;
    return judged <= target.most ? [text] : [bold(text)];
  });
  return texts.length === 0 ? 'not measured' : texts.join(', ');
}

/** What is above a limit is not told as if it were at it. */
function roundedUp(value: number, digits: number): string {
  const scale = 10 ** digits;
  // Without what a decimal's binary form has above it.
  const up = Math.ceil(Number((value * scale).toPrecision(12))) / scale;
  return (up === 0 ? 0 : up).toFixed(digits);
}

function rowsOfArgo(name: string, comparisons: readonly Comparison[]): string {
  const lost = new Map<FigureName, string[]>();
  for (const comparison of comparisons) {
    const both = comparison.contenders.filter((contender) =>
      [name, ARGO_WORKFLOWS.name].includes(contender.name),
    );
    for (const figure of figuresIn(comparison)) {
      const best = bestAt({ ...comparison, contenders: both }, figure);
      if (best.length !== 1 || best[0]?.name !== ARGO_WORKFLOWS.name) continue;
      lost.set(figure, [...(lost.get(figure) ?? []), nameOf(comparison)]);
    }
  }
  const texts = [...lost].map(
    ([figure, scenarios]) => `${bold(`${titleOf(figureKind(figure))}:`)} ${scenarios.join(', ')}`,
  );
  return texts.length === 0 ? 'none' : texts.join('<br>');
}
