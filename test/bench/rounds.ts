/**
 * The same in another order for each round, so that what one leaves behind, such as an API server that is still busy, is not always at the cost of the same other
 * one: rows of a Williams square (E. J. Williams, Experimental designs balanced for the estimation of residual effects of treatments, 1949), every other one
 * backwards where the number of items is odd. Over twice as many rounds as there are items, each comes equally often right after each other one.
 */
export function orderOfRound<T>(items: readonly T[], round: number): readonly T[] {
  const first = round % items.length;
  const left = [...items.slice(first), ...items.slice(0, first)];
  // In turn from the front and from the back.
  const row = items.flatMap((_, place) => left.splice(place % 2 === 0 ? 0 : -1, 1));
  return items.length % 2 === 1 && round % 2 === 1 ? row.reverse() : row;
}
