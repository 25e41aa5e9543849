import type { Comparison, Objective } from '../api/v1alpha1/schema.ts';
import { behindAtLook, type Contestant, lookRepetitions } from '../comparison/early-stopping.ts';
import type { MetricSamples } from '../comparison/metric-samples.ts';
import type { RunDefinition } from './run.ts';

/** Variants that are to be stopped early. */
export interface DueStops {
  /** Counts from 1. */
  readonly look: number;
  /** Indices of variants; at least one. */
  readonly variants: readonly number[];
}

/**
 * The looks at which variants may be stopped early. A look compares the first repetitions of all variants but those that were stopped before
 * it or failed in one of them, and is made once these have ended. What it says follows from those results alone, whenever and by whomever
 * it is made: a run that is picked up again comes to the same. It is worked out once, when it is due; an event costs no more than a
 * look at its own variant.
 */
export class Looks {
  readonly #objective: Objective;
  readonly #comparison: Comparison;
  readonly #samples: MetricSamples;
  readonly #baseline: number;
  readonly #variants: number;
  /** Of each look the repetitions that it compares. */
  readonly #schedule: readonly number[];
  /** By variant: the look at which it was stopped. */
  readonly #stoppedAt = new Map<number, number>();
  /** By variant: the first of its repetitions that failed. */
  readonly #failedAt = new Map<number, number>();
  /** Variants of which nothing more is run, because one of their trials failed them as a whole. */
  readonly #givenUp = new Set<number>();
  /** Looks that were made. */
  #made = 0;
  /** The variants that the next look found to be behind; undefined while it is not due. */
  #behind: readonly number[] | undefined;
  /** Variants that the next look waits for. */
  #awaited = new Set<number>();

  constructor({ variants, manifest: { spec } }: RunDefinition, samples: MetricSamples) {
    const { objective, comparison, repetitions } = spec;
    this.#objective = objective;
    this.#comparison = comparison;
    this.#samples = samples;
    this.#variants = variants.length;
    this.#baseline = variants.findIndex(({ name }) => name === comparison.baseline);
    this.#schedule =
      comparison.earlyStopping === undefined ? [] : lookRepetitions(comparison.earlyStopping, repetitions);
    this.#awaitVariants();
  }

  /** Variants that were stopped. */
  get stoppedCount(): number {
    return this.#stoppedAt.size;
  }

  isStopped(variant: number): boolean {
    return this.#stoppedAt.has(variant);
  }

  /** Takes note of a trial that succeeded; its metrics are among the samples. */
  noteSucceeded(variant: number): void {
    this.#reconsider(variant);
  }

  /** Takes note of a trial that failed for good. */
  noteFailed(variant: number, repetition: number): void {
    const before = this.#failedAt.get(variant);
    if (before === undefined || repetition < before) this.#failedAt.set(variant, repetition);
    this.#reconsider(variant);
  }

  /** Takes note that nothing more of a variant is run: no look waits for repetitions that it will not have. */
  noteGivenUp(variant: number): void {
    this.#givenUp.add(variant);
    this.#reconsider(variant);
  }

  /** Takes note that a variant is stopped, which is committed. */
  noteStopped(variant: number, look: number): void {
    this.#stoppedAt.set(variant, look);
    this.#reconsider(variant);
  }

  /**
   * The variants that are to be stopped now; undefined when there are none.
   * @param hasMore whether there are trials of a variant that have not ended
   */
  due(hasMore: (variant: number) => boolean): DueStops | undefined {
    for (;;) {
      const repetitions = this.#schedule[this.#made];
      if (repetitions === undefined || this.#awaited.size > 0) return undefined;
      this.#behind ??= behindAtLook(
        this.#objective,
        this.#comparison,
        this.#variants,
        this.#contestants(repetitions),
      );
      const variants = this.#behind.filter(
        (variant) => variant !== this.#baseline && !this.isStopped(variant) && hasMore(variant),
      );
      if (variants.length > 0) return { look: this.#made + 1, variants };
      this.#made += 1;
      this.#behind = undefined;
      this.#awaitVariants();
    }
  }

  #contestants(repetitions: number): readonly Contestant[] {
    return Array.from({ length: this.#variants }, (_, variant) => variant).flatMap((variant) => {
      if (this.#isOut(variant, repetitions)) return [];
      const trials = this.#samples.firstTrials(variant, repetitions);
      return trials === undefined ? [] : [{ variant, trials }];
    });
  }

  #awaitVariants(): void {
    this.#awaited = new Set();
    if (this.#schedule[this.#made] === undefined) return;
    for (let variant = 0; variant < this.#variants; variant += 1) this.#awaited.add(variant);
    for (let variant = 0; variant < this.#variants; variant += 1) this.#reconsider(variant);
  }

  #reconsider(variant: number): void {
    const repetitions = this.#schedule[this.#made];
    if (repetitions === undefined || !this.#awaited.has(variant)) return;
    const isComplete = this.#samples.firstTrials(variant, repetitions) !== undefined;
    if (isComplete || this.#givenUp.has(variant) || this.#isOut(variant, repetitions))
      this.#awaited.delete(variant);
  }

  /** True for a variant that the next look does not compare: it failed before it, or was stopped by an earlier one. */
  #isOut(variant: number, repetitions: number): boolean {
    const stoppedAt = this.#stoppedAt.get(variant);
    const failedAt = this.#failedAt.get(variant);
    return (stoppedAt !== undefined && stoppedAt <= this.#made) || (failedAt ?? repetitions) < repetitions;
  }
}
