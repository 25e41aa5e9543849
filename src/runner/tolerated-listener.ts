/**
 * A caller's listener whose own failure does not reach who tells it: a run would never be known to be over. What it throws is said once.
 * @param name what the caller knows it as
 */
export function toleratedListener<T>(
  listener: ((value: T) => void) | undefined,
  name: string,
  onNotice: ((notice: string) => void) | undefined,
): (value: T) => void {
  let hasFailed = false;
  return (value) => {
    try {
      listener?.(value);
    } catch (error) {
      if (!hasFailed) onNotice?.(`${name} threw, and is told of what follows all the same: ${String(error)}`);
      hasFailed = true;
    }
  };
}
