import { ClickHouseFailure } from "./clickhouse-error.ts";

/**
 * Lets at most `width` pieces of work run at a time; up to `waiting` more wait in order, the rest are refused with
 * ClickHouse's own error 202. Reports and the program's own work have a lane each, so that neither waits for the other.
 */
export function lane(width: number, waiting: number): () => Promise<() => void> {
  let running = 0;
  const queue: (() => void)[] = [];
  const leave = () => {
    const next = queue.shift();
    if (next === undefined) running--;
    else next();
  };
  const once = () => {
    let left = false;
    return () => {
      if (!left) leave();
      left = true;
    };
  };
  return async () => {
    if (running < width) running++;
    else if (queue.length < waiting) await new Promise<void>((resolve) => queue.push(resolve));
    else
      throw new ClickHouseFailure(
        202,
        "TOO_MANY_SIMULTANEOUS_QUERIES",
        "Too many simultaneous queries.",
      );
    return once();
  };
}
