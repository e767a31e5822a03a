/** @module Adam and AdamW as graph: the update of a whole parameter tree is a dozen operations on one vector. */
import { add, div, mul, square, sub } from "../ops/arithmetic.ts";
import { pow, sqrt } from "../ops/elementary.ts";
import { type NdArray, scalar } from "../trace/ndarray.ts";
import type { Packed } from "../trace/packed.ts";
import type { Tensor } from "../trace/tensor.ts";
import { flatten, unflatten } from "./flat.ts";
import { requireSetting } from "./settings.ts";

/** Moments of Adam; `T` is NdArray outside the graph, Tensor inside. */
export interface AdamState<T> {
  readonly [key: string]: T;
  /** Running mean of the gradient, [parameters]. */
  readonly m: T;
  /** Running mean of its square, [parameters]. */
  readonly v: T;
  /** Updates made so far, a scalar. */
  readonly step: T;
}

/** Hyper-parameters; `lr` may be a tensor fed at each step. */
export interface AdamOptions {
  readonly lr: number | Tensor;
  /** Decay of the moments; default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Added to the root of the second moment; default 1e-8. */
  readonly epsilon?: number;
  /** Decoupled weight decay (Loshchilov and Hutter 2019); default 0. */
  readonly weightDecay?: number;
}

/** Zero moments for a packed parameter tree: a state begins what has no values as zeros. */
export function adamInit(params: Packed): AdamState<NdArray> {
  const zeros = (): NdArray => ({ shape: [params.size], data: new Float32Array() });
  return { m: zeros(), v: zeros(), step: scalar(0) };
}

/**
 * One update of Adam (Kingma and Ba 2015, algorithm 1), with decoupled decay when `weightDecay` > 0 (AdamW).
 * `params` and `grads` are trees of the same structure.
 * @throws GraphError for settings that are negative or no numbers, and betas that are not below 1.
 */
export function adam<P>(
  params: P,
  grads: unknown,
  state: { readonly m: Tensor; readonly v: Tensor; readonly step: Tensor },
  { lr, betas: [beta1, beta2] = [0.9, 0.999], epsilon = 1e-8, weightDecay = 0 }: AdamOptions,
): { readonly params: P; readonly state: AdamState<Tensor> } {
  for (const [name, value] of Object.entries({ lr, epsilon, weightDecay }))
    requireSetting("adam", name, value);
  for (const beta of [beta1, beta2]) requireSetting("adam", "betas", beta, 1);
  const p = flatten(params);
  const g = flatten(grads, params);
  const step = add(state.step, 1);
  const m = add(mul(state.m, beta1), mul(g, 1 - beta1));
  const v = add(mul(state.v, beta2), mul(square(g), 1 - beta2));
  // The bias corrections are scalars, so they are folded into the step size and epsilon (Kingma and Ba, section 2).
  const correction2 = sqrt(sub(1, pow(beta2, step)));
  const stepSize = mul(div(correction2, sub(1, pow(beta1, step))), lr);
  const update = mul(div(m, add(sqrt(v), mul(correction2, epsilon))), stepSize);
  const decayed = weightDecay === 0 ? p : mul(p, sub(1, mul(lr, weightDecay)));
  return { params: unflatten(sub(decayed, update), params), state: { m, v, step } };
}
