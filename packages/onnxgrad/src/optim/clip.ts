/** @module Clipping of gradients by their global norm. */
import { add, div, minimum, mul, square } from "../ops/arithmetic.ts";
import { sqrt } from "../ops/elementary.ts";
import { sum } from "../ops/reduce.ts";
import type { Tensor } from "../trace/tensor.ts";
import { flatten, unflatten } from "./flat.ts";

/**
 * Scales a gradient tree so that its Euclidean norm over all leaves is at most `maxNorm` (Pascanu et al. 2013), and
 * gives the norm before clipping.
 */
export function clipByGlobalNorm<G>(grads: G, maxNorm: number): { readonly grads: G; readonly norm: Tensor } {
  const flat = flatten(grads);
  const norm = sqrt(sum(square(flat)));
  const factor = minimum(div(maxNorm, add(norm, 1e-12)), 1);
  return { grads: unflatten(mul(flat, factor), grads), norm };
}
