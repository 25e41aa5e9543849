import { once } from 'node:events';

/**
 * Resolves when a person ends this process by Ctrl-C, or somebody by SIGTERM. A terminal signals npx as well, which passes it on: from then on no such signal ends
 * this process while it tidies up.
 */
export async function untilInterrupted(): Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => undefined);
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
}
