import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** The values of a label: a closed list, or for the few that are open a sentence that says what bounds them. */
export type LabelValues = readonly string[] | string;
export type Labels<Name extends string> = Readonly<Record<Name, LabelValues>>;

/** What the reference and the tests know of a metric. */
export interface MetricDescription {
  readonly name: string;
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: Labels<string>;
  /** Upper bounds of a histogram; empty for other kinds. */
  readonly buckets: readonly number[];
}

/** The namespace of a BatchTest: the only open label of our own metrics. */
export const NAMESPACE = 'namespace of the BatchTest; empty for a local run';

/** Makes the metrics of one registry, and remembers what each is and which labels it may have. */
export class MetricFamilies {
  readonly #registry: Registry;
  readonly #descriptions: MetricDescription[] = [];

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  get descriptions(): readonly MetricDescription[] {
    return this.#descriptions;
  }

  counter<Name extends string = never>(name: string, help: string, labels: Labels<Name>): Counter<Name> {
    this.#describe(name, 'counter', help, labels);
    return new Counter({ ...this.#common(name, help, labels) });
  }

  /** @param collect sets the gauge when it is asked for, from what is true then */
  gauge<Name extends string = never>(
    name: string,
    help: string,
    labels: Labels<Name>,
    collect?: (gauge: Gauge<Name>) => void,
  ): Gauge<Name> {
    this.#describe(name, 'gauge', help, labels);
    return new Gauge({
      ...this.#common(name, help, labels),
      ...(collect === undefined
        ? {}
        : {
            collect() {
              // What is not there any more must not be told of as it was last.
              this.reset();
              collect(this);
            },
          }),
    });
  }

  histogram<Name extends string = never>(
    name: string,
    help: string,
    labels: Labels<Name>,
    buckets: readonly number[],
  ): Histogram<Name> {
    this.#describe(name, 'histogram', help, labels, buckets);
    return new Histogram({ ...this.#common(name, help, labels), buckets: [...buckets] });
  }

  #describe(
    name: string,
    kind: MetricDescription['kind'],
    help: string,
    labels: Labels<string>,
    buckets: readonly number[] = [],
  ): void {
    this.#descriptions.push({ name, kind, help, labels, buckets });
  }

  #common<Name extends string>(name: string, help: string, labels: Labels<Name>) {
    const labelNames = Object.keys(labels).filter((label): label is Name => label in labels);
    return { name, help, labelNames, registers: [this.#registry] };
  }
}

/** The word if the list has it, else `Other`: a label takes no word that somebody else chooses. */
export const boundedWord = (word: string, words: readonly string[]): string =>
  words.includes(word) ? word : 'Other';
