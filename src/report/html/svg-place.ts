/** A place or a length in percent of a drawing, for attributes of SVG. Percentages let a drawing take any width without distortion. */
export const percent = (value: number): string => `${Number(value.toFixed(2))}%`;

/** At most `most` of the items, evenly from all of them. */
export function evenly<T>(items: readonly T[], most: number): readonly T[] {
  if (items.length <= most) return items;
  return items.filter(
    (_, index) =>
      Math.floor((index * most) / items.length) !== Math.floor(((index - 1) * most) / items.length),
  );
}
