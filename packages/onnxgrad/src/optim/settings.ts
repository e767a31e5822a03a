/** @module Settings of optimisers: refused where they are traced when no update could be meant by them. */
import { GraphError } from "../errors.ts";
import type { Tensor } from "../trace/tensor.ts";

/**
 * Requires a number that is at least 0, and below `below`, which may be infinite; what is fed at each step is not looked at.
 * @throws GraphError naming the optimiser, the setting and what is allowed.
 */
export function requireSetting(
  of: string,
  name: string,
  value: number | Tensor,
  below: number = Infinity,
): void {
  if (typeof value !== "number" || (value >= 0 && value < below)) return;
  const range = below === Infinity ? "a finite number, 0 or more" : `0 or more, below ${below}`;
  throw new GraphError(`${of}: ${name} is ${value}. Give ${range}.`);
}
