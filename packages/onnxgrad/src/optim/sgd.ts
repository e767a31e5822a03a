/** @module Stochastic gradient descent with momentum, as graph. */
import { add, mul, sub } from "../ops/arithmetic.ts";
import { full, type NdArray } from "../trace/ndarray.ts";
import type { Packed } from "../trace/packed.ts";
import type { Tensor } from "../trace/tensor.ts";
import { flatten, unflatten } from "./flat.ts";
import { requireSetting } from "./settings.ts";

/** Hyper-parameters of {@link sgd}. */
export interface SgdOptions {
  readonly lr: number | Tensor;
  /** Decay of the velocity; default 0. */
  readonly momentum?: number;
  /** Look ahead along the velocity (Nesterov); default false. */
  readonly nesterov?: boolean;
  /** L2 term added to the gradient; default 0. */
  readonly weightDecay?: number;
}

/** Zero velocity for a packed parameter tree: [parameters]. */
export function sgdInit(params: Packed): NdArray {
  return full([params.data.length], 0);
}

/**
 * One update: velocity = momentum * velocity + grad; params -= lr * velocity (PyTorch's convention).
 * @throws GraphError for settings that are negative or no numbers.
 */
export function sgd<P>(
  params: P,
  grads: unknown,
  velocity: Tensor,
  { lr, momentum = 0, nesterov = false, weightDecay = 0 }: SgdOptions,
): { readonly params: P; readonly velocity: Tensor } {
  for (const [name, value] of Object.entries({ lr, momentum, weightDecay }))
    requireSetting("sgd", name, value);
  const p = flatten(params);
  const raw = flatten(grads, params);
  const g = weightDecay === 0 ? raw : add(raw, mul(p, weightDecay));
  const next = momentum === 0 ? g : add(mul(velocity, momentum), g);
  const direction = nesterov ? add(g, mul(next, momentum)) : next;
  return { params: unflatten(sub(p, mul(direction, lr)), params), velocity: next };
}
