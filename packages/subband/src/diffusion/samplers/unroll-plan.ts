/**
 * @module A sampling plan as graph: the calls and updates that the host loop of plan.ts makes, traced one after another,
 * for samplers that live in one model file.
 */
import { add, mul, type Tensor } from "onnxgrad";
import type { PlanCall, SamplingPlan } from "./plan.ts";

/** Steps of the plan that need noise, in order. */
export function noisySteps(plan: SamplingPlan): number[] {
  const noisy = plan.filter(({ noiseBefore, noiseAfter }) => noiseBefore > 0 || noiseAfter > 0);
  return [...new Set(noisy.map(({ step }) => step))];
}

/**
 * Traces a plan on `x`, distributed like the data plus noise of the first level, and returns the final state; in pieces,
 * a call each.
 * `noise(step)` is the standard normal noise of each of the {@link noisySteps}.
 */
export function* unrollPlan(
  plan: SamplingPlan,
  predict: (x: Tensor, call: PlanCall) => Tensor,
  x: Tensor,
  noise: (step: number) => Tensor,
): Generator<void, Tensor> {
  let state = x;
  let previous: Tensor | undefined;
  for (const call of plan) {
    const { step, a, b, c, noiseBefore, noiseAfter } = call;
    if (noiseBefore > 0) state = add(state, mul(noise(step), noiseBefore));
    const denoised = predict(state, call);
    const terms = [
      ...(a === 0 ? [] : [mul(state, a)]),
      mul(denoised, b),
      ...(c === 0 || previous === undefined ? [] : [mul(previous, c)]),
      ...(noiseAfter === 0 ? [] : [mul(noise(step), noiseAfter)]),
    ];
    state = terms.reduce((total, term) => add(total, term));
    previous = denoised;
    yield;
  }
  return state;
}
