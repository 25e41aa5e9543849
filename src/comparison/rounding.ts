/** Numbers whose difference is a smaller share of them than this differ by the rounding of their sums: one 0.2 against three. */
export const ROUNDING_SHARE = 1e-12;

/** True for numbers that are equal but for the rounding of the sums that made them. */
export const areEqualButForRounding = (one: number, other: number): boolean =>
  Math.abs(one - other) <= ROUNDING_SHARE * Math.max(Math.abs(one), Math.abs(other));
