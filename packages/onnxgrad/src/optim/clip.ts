/** @module Clipping of gradients by their global norm. */
import { GraphError } from "../errors.ts";
import { add, div, isOrdinary, maximum, mul } from "../ops/arithmetic.ts";
import { norm as normOf } from "../ops/norm.ts";
import type { Tensor } from "../trace/tensor.ts";
import { flatten, unflatten } from "./flat.ts";

/**
 * Scales a gradient tree so that its Euclidean norm over all leaves is at most `maxNorm` (Pascanu et al. 2013), and
 * gives the norm before clipping. Squares beyond float32 do no harm; a norm beyond it (or beyond 3.4e38 times `maxNorm`), of
 * infinite gradients for instance, makes all of them NaN rather than zero, so that it is noticed.
 * @throws GraphError unless `maxNorm` is a positive number; Infinity clips nothing.
 */
export function clipByGlobalNorm<G>(grads: G, maxNorm: number): { readonly grads: G; readonly norm: Tensor } {
  if (!(maxNorm > 0) || !(isOrdinary(maxNorm) || maxNorm === Infinity))
    throw new GraphError(
      `clipByGlobalNorm: maxNorm is ${maxNorm}. Give a positive number, the largest norm that gradients may have.`,
    );
  const flat = flatten(grads);
  const norm = normOf(flat);
  const ratio = div(norm, maxNorm);
  // Nothing is added, but NaN to what is infinite.
  const excess = add(maximum(ratio, 1), mul(ratio, 0));
  return { grads: unflatten(div(flat, excess), grads), norm };
}
