/** @module Exponential moving average of parameters, with warm-up so that early averages are not stuck at the start. */
import { GraphError } from "../errors.ts";
import { add, div, minimum, mul, sub } from "../ops/arithmetic.ts";
import type { Tensor } from "../trace/tensor.ts";
import { flatten, unflatten } from "./flat.ts";

/**
 * average + (1 - d)(params - average), with d = min(decay, (1 + t) / (10 + t)) after t updates. `step` is t, a scalar
 * (Adam's step count serves).
 * @throws GraphError for a decay outside [0, 1].
 */
export function ema<P>(average: P, params: P, step: Tensor, decay: number): P {
  if (!(decay >= 0 && decay <= 1)) throw new GraphError(`ema: decay is ${decay}. Give a number from 0 to 1.`);
  const d = minimum(div(add(step, 1), add(step, 10)), decay);
  const a = flatten(average);
  return unflatten(add(a, mul(sub(flatten(params, average), a), sub(1, d))), average);
}
