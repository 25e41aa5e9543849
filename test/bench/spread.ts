import { median } from 'simple-statistics';

/** How a figure that contenders are compared by is told. */
export interface FigureKind {
  readonly title: string;
  readonly unit: string;
  readonly digits: number;
  /** Undefined for what is neither good nor bad. */
  readonly best?: 'least' | 'most';
}

/** What was measured of a contender, round after round; a round may lack figures. */
export interface Measured<Name extends string> {
  readonly rounds: readonly Readonly<Partial<Record<Name, number>>>[];
}

export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** A figure over all rounds; undefined when no round has it. */
export function spreadOf<Name extends string>(
  rounds: Measured<Name>['rounds'],
  name: Name,
): Spread | undefined {
  const values = rounds.flatMap((figures) => figures[name] ?? []);
  if (values.length === 0) return undefined;
  return { median: median(values), least: Math.min(...values), most: Math.max(...values) };
}

/** The contenders whose median is the best as it is told, rounded; nobody where no value is better than another. */
export function bestOf<Name extends string, Contender extends Measured<Name>>(
  contenders: readonly Contender[],
  name: Name,
  { best, digits }: Pick<FigureKind, 'best' | 'digits'>,
): readonly Contender[] {
  if (best === undefined) return [];
  const told = contenders.flatMap((contender) => {
    const spread = spreadOf(contender.rounds, name);
    return spread === undefined ? [] : [{ contender, value: Number(spread.median.toFixed(digits)) }];
  });
  const values = told.map(({ value }) => value);
  const wanted = best === 'most' ? Math.max(...values) : Math.min(...values);
  return told.filter(({ value }) => value === wanted).map(({ contender }) => contender);
}
