/** @module Softmax and log-sum-exp over the last axis, and scaled dot-product attention. */
import { apply1, type Tensor } from "../trace/tensor.ts";
import { add, LARGEST, mul, sub } from "./arithmetic.ts";
import { clamp } from "./clamp.ts";
import { stopGradient } from "./compare.ts";
import { defineOp, type NoAttrs, type OpDefinition, requireFloat, shapeError } from "./define-op.ts";
import { exp, log } from "./elementary.ts";
import { matmul } from "./matmul.ts";
import { alongRows } from "./placement.ts";
import { max } from "./reduce.ts";
import { sum } from "./sum.ts";
import { matrixTranspose, reshape } from "./reshape.ts";

/** e^x / sum e^x over the last axis. */
export const softmaxOp: OpDefinition<NoAttrs> = defineOp<NoAttrs>({
  name: "softmax",
  infer(inputs) {
    requireFloat("softmax", inputs);
    if (inputs[0]!.shape.length === 0)
      throw shapeError("softmax", "needs at least one axis", inputs, "Reshape to rows first.");
    return [{ shape: inputs[0]!.shape, dtype: "float32" }];
  },
  vjp: ({ grad, outputs: [y] }) => [mul(y!, sub(grad, sum(mul(grad, y!), [-1], { keepDims: true })))],
  lower: (context, inputs) => context.emit("Softmax", inputs, { attrs: { axis: -1n } }),
  evaluate([x]) {
    const n = x!.shape.at(-1) ?? 1;
    const data = new Float64Array(x!.data.length);
    for (let start = 0; start < data.length; start += n) {
      const row = x!.data.subarray(start, start + n);
      const top = row.reduce((a, b) => Math.max(a, b), -Infinity);
      const weights = row.map((v) => Math.exp(v - top));
      const total = weights.reduce((a, b) => a + b, 0);
      data.set(
        weights.map((v) => v / total),
        start,
      );
    }
    return [{ shape: x!.shape, data }];
  },
  place: alongRows,
  macs: null,
  traits: { cheap: true },
});

/** Softmax over the last axis. */
export function softmax(x: Tensor): Tensor {
  return apply1(softmaxOp, [x], {});
}

/** log sum e^x over the last axis (dropped), shifted by the maximum so that nothing overflows. */
export function logSumExp(x: Tensor): Tensor {
  // Infinities less infinities are NaN: an infinite maximum is taken for the largest number, from which they are infinitely far.
  const top = clamp(stopGradient(max(x, [-1], { keepDims: true })), -LARGEST, LARGEST);
  const total = log(sum(exp(sub(x, top)), [-1], { keepDims: true }));
  return reshape(add(total, top), x.shape.slice(0, -1));
}

/** softmax(q k^T / sqrt(d)) v for q [..., m, d], k [..., n, d], v [..., n, e] (Vaswani et al. 2017, eq. 1). */
export function scaledDotProductAttention(q: Tensor, k: Tensor, v: Tensor): Tensor {
  const scores = matmul(mul(q, 1 / Math.sqrt(q.shape.at(-1)!)), matrixTranspose(k));
  return matmul(softmax(scores), v);
}
