import { median } from 'simple-statistics';
import { bold, markdownTable, titleOf } from '../figure-table.ts';
import { spreadOf } from '../spread.ts';
import { ARGO_WORKFLOWS } from './argo-contender.ts';
import { type FigureName, type Figures, figureKind } from './figures.ts';
import { LOOP_OF_JOBS, LOOP_OF_PODS } from './loop-contender.ts';
import {
  type BenchmarkResult,
  bestAt,
  type Comparison,
  figuresIn,
  isOwn,
  type MeasuredContender,
} from './result.ts';

/** What the operator is to come to, in numbers that hold on any machine, and what it came to in one scenario. */
interface Target {
  readonly name: string;
  readonly wanted: string;
  readonly digits: number;
  /** Of one contender of ours in one comparison; undefined where it says nothing. */
  readonly found: (own: MeasuredContender, comparison: Comparison) => number | undefined;
  readonly isMet: (found: number) => boolean;
}

const medianFigure =
  (name: FigureName): Target['found'] =>
  ({ rounds }) =>
    spreadOf(rounds, name)?.median;

/** Ours against another in the same round, as the median of the rounds: a machine whose speed drifts treats both alike. */
function against(
  other: string,
  name: FigureName,
  relation: (ours: number, theirs: number) => number,
): Target['found'] {
  return (own, { contenders }) => {
    const others = contenders.find((contender) => contender.name === other)?.rounds ?? [];
    return medianOf(own.rounds, ({ [name]: ours }, round) => {
      const theirs = others[round]?.[name];
      return ours === undefined || theirs === undefined ? undefined : relation(ours, theirs);
    });
  };
}

function medianOf(
  rounds: readonly Figures[],
  read: (figures: Figures, round: number) => number | undefined,
): number | undefined {
  const values = rounds.flatMap((figures, round) => read(figures, round) ?? []);
  return values.length === 0 ? undefined : median(values);
}

const TARGETS: readonly Target[] = [
  {
    // By efficiency: where each contender's programs run for other times, makespans alone tell of these.
    name: `makespan / its ideal, of that of the ${LOOP_OF_JOBS.name}`,
    wanted: '≤ 1.01',
    digits: 2,
    found: against(LOOP_OF_JOBS.name, 'efficiency', (ours, theirs) => theirs / ours),
    isMet: (found) => found <= 1.01,
  },
  {
    name: `refill p50 to the creation of the next pod, above that of the ${LOOP_OF_PODS.name}, ms`,
    wanted: '≤ 20',
    digits: 0,
    found: against(LOOP_OF_PODS.name, 'refillCreatedP50Ms', (ours, theirs) => ours - theirs),
    isMet: (found) => found <= 20,
  },
  {
    name: 'overshoot, pods',
    wanted: '0',
    digits: 0,
    found: medianFigure('overshoot'),
    isMet: (found) => found === 0,
  },
  {
    name: 'writes of Jobs or pods by the operator, per trial',
    wanted: '≤ 2',
    digits: 2,
    found: medianFigure('trialWrites'),
    isMet: (found) => found <= 2,
  },
  {
    name: 'writes of a status, a second',
    wanted: '≤ 1',
    digits: 2,
    found: medianFigure('statusWriteRate'),
    isMet: (found) => found <= 1,
  },
  {
    // However many trials it has: its own creation, the finalizer set and taken off, the events of its start and its end.
    name: 'further writes of a BatchTest: creation, finalizer, events',
    wanted: '≤ 5',
    digits: 1,
    found: medianFigure('furtherWrites'),
    isMet: (found) => found <= 5,
  },
  {
    name: 'peak resident memory, MiB',
    wanted: '≤ 200',
    digits: 0,
    found: medianFigure('peakResidentMiB'),
    isMet: (found) => found <= 200,
  },
  {
    name: 'growth of resident memory per 1,000 trials, over the second half of a long run, MiB',
    wanted: '≤ 0.5',
    digits: 2,
    found: medianFigure('residentGrowth'),
    isMet: (found) => found <= 0.5,
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
      target.wanted,
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
    const found = own && target.found(own, comparison);
    if (found === undefined) return [];
    const text = `${nameOf(comparison)} ${found.toFixed(target.digits)}`;
    // As it is told, so that no row contradicts itself.
    return target.isMet(Number(found.toFixed(target.digits))) ? [text] : [bold(text)];
  });
  return texts.length === 0 ? 'not measured' : texts.join(', ');
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
