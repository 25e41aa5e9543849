/** Ways in which a watch tells of what happened: late, not at all, more than once, or in another order. */
import type { WatchLine, WatchShaper } from '../integration/faulty-proxy.ts';

/** Everything in order, and this much later. */
export const delayedBy =
  (delayMs: number): WatchShaper =>
  (line, deliver) => {
    setTimeout(() => deliver(line), delayMs);
  };

/** Nothing of the objects for which this is true. */
export const withoutThose =
  (isSwallowed: (line: WatchLine) => boolean): WatchShaper =>
  (line, deliver) => {
    if (!isSwallowed(line)) deliver(line);
  };

/** No line waits longer than this for one to change places with. */
const SWAP_WAIT_MS = 50;

/** Everything three times, and neighbours that tell of different objects in reversed order. One object's lines keep theirs. */
export function tripledAndSwapped(): WatchShaper {
  let held: WatchLine | undefined;
  let timer: NodeJS.Timeout | undefined;
  return (line, deliver) => {
    const thrice = (one: WatchLine) => {
      for (let times = 0; times < 3; times += 1) deliver(one);
    };
    const before = held;
    clearTimeout(timer);
    if (before === undefined) {
      held = line;
      timer = setTimeout(() => {
        held = undefined;
        thrice(line);
      }, SWAP_WAIT_MS);
      return;
    }
    held = undefined;
    if (before.object.metadata.uid === line.object.metadata.uid) {
      thrice(before);
      thrice(line);
    } else {
      thrice(line);
      thrice(before);
    }
  };
}
