/** `1 trial`, `2 trials`: the count and its noun, which gets an `s` unless there is one. */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
