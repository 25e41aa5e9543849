/**
 * What an engine makes of a field.
 * - `Honoured`: what the field's description says.
 * - `Differs`: something else, which the note says.
 * - `Ignored`: nothing. `Refused`: the engine does not run the manifest because of it.
 */
export type Treatment = 'Honoured' | 'Differs' | 'Ignored' | 'Refused';

/** What both engines make of one field that a manifest sets. */
export interface FieldParity {
  /** Such as `spec.parallelism`, or `spec.comparison.gates[].max` for all of a list. */
  readonly field: string;
  readonly local: Treatment;
  readonly kubernetes: Treatment;
  /** How they differ: the rest of a sentence that begins with the field. Null when both honour it alike. */
  readonly note: string | null;
  /** True when the program would not be run alike because of it; false for what lies in the nature of the place. */
  readonly matters: boolean;
}

/** A field that both engines honour alike. */
export const honouredByBoth = (field: string): FieldParity => ({
  field,
  local: 'Honoured',
  kubernetes: 'Honoured',
  note: null,
  matters: false,
});

/** True when both engines honour the field alike. */
export const isAlike = ({ local, kubernetes, note }: FieldParity): boolean =>
  local === 'Honoured' && kubernetes === 'Honoured' && note === null;
