/**
 * Milliseconds since some moment, the same one for all processes of this machine: neither a clock that is set changes it, nor, on Linux, a machine that is
 * suspended.
 */
export const steadyMs = (): number => Number(process.hrtime.bigint()) / 1_000_000;

/**
 * The time of day when it is made, and from then on what has passed since, whatever the clock of this machine is set to: deadlines are about what has passed, and a
 * program that slept with its machine is not late. In whole milliseconds since the epoch.
 */
export function steadyClock(): () => number {
  const origin = Date.now() - steadyMs();
  return () => Math.round(origin + steadyMs());
}
