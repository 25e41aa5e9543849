import type { Objective } from '../api/v1alpha1/schema.ts';
import { type Candidate, meansOfSamples, type ObjectiveSamples } from './candidate.ts';
import { type ObjectiveMeans, scoreOf, shortfalls } from './score.ts';
import { leadAmongEquals } from './standing.ts';

/**
 * The samples of the objective's metrics that a run has so far, per variant, and who is best by them. They are kept by repetition, as
 * reports read them: sums in the order in which results happen to come in would differ from theirs in the last digit. Means are made when they are asked
 * for and kept until a variant gets another sample: a sample costs the same however many there are, and the best one pass over the variants.
 */
export class MetricSamples {
  readonly #objective: Objective;
  readonly #lead: (one: ObjectiveMeans, other: ObjectiveMeans) => number;
  readonly #repetitions: number;
  /** By variant, by repetition, by metric: of one piece, as a run may have 100,000 trials, and keeps them to its end. */
  readonly #values: Float64Array;
  /** By variant, by repetition: 1 for a trial whose values are known. */
  readonly #isKnown: Uint8Array;
  readonly #means: (ObjectiveMeans | undefined)[];
  /** Variants with samples that are not in their means yet. */
  readonly #outdated = new Set<number>();
  readonly #disqualified = new Set<number>();
  readonly #stopped = new Set<number>();

  /**
   * @param repetitions of each variant
   * @param tieBreak metrics of the objective that decide between equal scores
   */
  constructor(objective: Objective, variants: number, repetitions: number, tieBreak: readonly string[] = []) {
    this.#objective = objective;
    this.#repetitions = repetitions;
    this.#lead = leadAmongEquals(objective, tieBreak);
    this.#values = new Float64Array(variants * repetitions * objective.metrics.length);
    this.#isKnown = new Uint8Array(variants * repetitions);
    this.#means = Array.from({ length: variants }, () => undefined);
  }

  /** Adds a successful trial's metrics; all of the objective's are among them. */
  add(variant: number, repetition: number, metrics: ReadonlyMap<string, number>): void {
    const trial = variant * this.#repetitions + repetition;
    this.#values.set(
      this.#objective.metrics.map(({ name }) => metrics.get(name) ?? Number.NaN),
      trial * this.#objective.metrics.length,
    );
    this.#isKnown[trial] = 1;
    this.#outdated.add(variant);
  }

  /** A variant with a failed trial cannot be best. */
  disqualify(variant: number): void {
    this.#disqualified.add(variant);
  }

  /** A variant that is stopped early cannot be best. */
  stop(variant: number): void {
    this.#stopped.add(variant);
  }

  /** The means of a variant's successful trials; undefined while it has none. */
  meansOf(variant: number): ObjectiveMeans | undefined {
    if (this.#outdated.delete(variant)) this.#means[variant] = meansOfSamples(this.#samplesOf(variant));
    return this.#means[variant];
  }

  /** The values of a variant's first trials by repetition; undefined when one of them has no result. */
  firstTrials(variant: number, repetitions: number): readonly ObjectiveMeans[] | undefined {
    const trials = this.#trialsOf(variant, repetitions);
    return trials.length === repetitions ? trials : undefined;
  }

  /**
   * Index and score of the best variant so far; where scores are equal the one that {@link leadAmongEquals} prefers, then the earlier one. Undefined
   * before the first result.
   */
  best(): { readonly variant: number; readonly score: number } | undefined {
    const variants: number[] = [];
    const candidates: ObjectiveMeans[] = [];
    for (const variant of this.#means.keys()) {
      const means = this.meansOf(variant);
      if (means === undefined || this.#disqualified.has(variant)) continue;
      variants.push(variant);
      candidates.push(means);
    }
    let best: { variant: number; shortfall: number; means: ObjectiveMeans } | undefined;
    shortfalls(this.#objective, candidates).forEach((shortfall, position) => {
      const variant = variants[position];
      const means = candidates[position];
      if (variant === undefined || means === undefined || this.#stopped.has(variant)) return;
      const isBetter =
        best === undefined ||
        shortfall < best.shortfall ||
        (shortfall === best.shortfall && this.#lead(means, best.means) > 0);
      if (isBetter) best = { variant, shortfall, means };
    });
    return best === undefined ? undefined : { variant: best.variant, score: scoreOf(best.shortfall) };
  }

  /** The variants that are compared, in their order. */
  candidates(names: readonly string[]): readonly Candidate[] {
    return [...this.#means.keys()].flatMap((variant) =>
      this.meansOf(variant) === undefined || this.#disqualified.has(variant)
        ? []
        : [
            {
              name: names[variant] ?? '',
              samples: this.#samplesOf(variant),
              repetitions: this.#repetitionsOf(variant),
              isStopped: this.#stopped.has(variant),
            },
          ],
    );
  }

  #samplesOf(variant: number): ObjectiveSamples {
    const trials = this.#trialsOf(variant, this.#repetitions);
    return this.#objective.metrics.map((_, position) =>
      trials.map((values) => values[position] ?? Number.NaN),
    );
  }

  /** Those that have a result. */
  #repetitionsOf(variant: number): readonly number[] {
    const repetitions: number[] = [];
    for (let repetition = 0; repetition < this.#repetitions; repetition += 1)
      if (this.#isKnown[variant * this.#repetitions + repetition] === 1) repetitions.push(repetition);
    return repetitions;
  }

  /** The values of those of a variant's first trials that have a result, by repetition. */
  #trialsOf(variant: number, repetitions: number): readonly ObjectiveMeans[] {
    const trials: ObjectiveMeans[] = [];
    const width = this.#objective.metrics.length;
    const first = variant * this.#repetitions;
    for (let trial = first; trial < first + Math.min(repetitions, this.#repetitions); trial += 1)
      if (this.#isKnown[trial] === 1)
        trials.push([...this.#values.subarray(trial * width, (trial + 1) * width)]);
    return trials;
  }
}
