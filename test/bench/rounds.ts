/**
 * The same in another order for each round, so that what one leaves behind, such as an API server that is still busy, is not always at the cost of the same other
 * one: rows of a Williams square (E. J. Williams, Experimental designs balanced for the estimation of residual effects of treatments, 1949), every other one
 * backwards where the number of items is odd. Over twice as many rounds as there are items, each comes equally often right after each other one.
 */
export function orderOfRound<T>(items: readonly T[], round: number): readonly T[] {
  const count = items.length;
  const places = items.map((_, place) => (place % 2 === 0 ? place / 2 : count - (place + 1) / 2));
  const row = places.flatMap((place) => items.slice((place + round) % count).slice(0, 1));
  return count % 2 === 1 && round % 2 === 1 ? row.reverse() : row;
}
