import { setFlagsFromString } from 'node:v8';

/** The first release of Node whose V8 counts calls instead of bytes; it takes a few thousand of them by itself, and complains of a flag that it does not know. */
const FIRST_THAT_COUNTS_CALLS = 22;

/**
 * Has V8 optimize a function of this process once it has run fifteen times as much as usual. Much of this program runs some thousand times in a process
 * and is then over: to compile it for speed takes more processor time than that gives back (docs/decisions/0021-functions-are-optimized-late.md).
 */
export function optimizeLate(): void {
  if (Number.parseInt(process.versions.node, 10) >= FIRST_THAT_COUNTS_CALLS) return;
  // In bytes of executed bytecode; the default of Node 20 is 67,584.
  setFlagsFromString('--interrupt-budget=1000000');
}
