/**
 * Preloaded into an operator whose wall clock is wrong. FAULT_CLOCK holds pairs `[from, offset]` as JSON, in milliseconds: from that
 * long after the start of the process on, the clock is off by that much. Timers and the monotonic clock stay right, as they do when a
 * machine's clock is set.
 */
const steps = JSON.parse(process.env.FAULT_CLOCK ?? '[]');
const RealDate = Date;
const now = () => {
  const offset = steps.filter(([from]) => performance.now() >= from).at(-1)?.[1] ?? 0;
  return RealDate.now() + offset;
};

globalThis.Date = class extends RealDate {
  constructor(...values) {
    if (values.length === 0) super(now());
    else super(...values);
  }

  static now() {
    return now();
  }
};
