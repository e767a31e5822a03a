/** @module Normalisation: standardisation of rows, layer, group and batch normalisation. */
import { apply, sameShape, type Shape, type Tensor } from "../trace/tensor.ts";
import { add, mul, sub } from "./arithmetic.ts";
import { pow } from "./elementary.ts";
import { defineOp, inRange, type OpDefinition, requireFloat, shapeError } from "./define-op.ts";
import { channelAffine, channelMoments } from "./channels.ts";
import { alongRows } from "./placement.ts";
import { mean } from "./reduce.ts";
import { reshape } from "./reshape.ts";

interface StandardizeAttrs {
  readonly epsilon: number;
}

/**
 * (x - mean) / sqrt(variance + epsilon) over the last axis. Outputs: the result, the mean and the inverse deviation,
 * so that the gradient need not compute them again.
 */
export const standardizeOp: OpDefinition<StandardizeAttrs> = defineOp<StandardizeAttrs>({
  name: "standardize",
  infer(inputs) {
    requireFloat("standardize", inputs);
    const { shape } = inputs[0]!;
    if (shape.length === 0)
      throw shapeError("standardize", "needs at least one axis", inputs, "Reshape to rows first.");
    if (shape.at(-1) === 0)
      throw shapeError("standardize", "of no elements has no value", inputs, "Leave out what is empty.");
    const row = [...shape.slice(0, -1), 1];
    return [shape, row, row].map((dims) => ({ shape: dims, dtype: "float32" as const }));
  },
  vjp({ inputs: [x], outputs: [y, , inverse], grads: [grad, gradMean, gradInverse] }) {
    const n = x!.shape.at(-1)!;
    const rowMean = (t: Tensor) => mean(t, [-1], { keepDims: true });
    const parts: Tensor[] = [];
    if (grad) {
      const along = rowMean(mul(grad, y!));
      parts.push(mul(sub(sub(grad, mul(y!, along)), rowMean(grad)), inverse!));
    }
    if (gradMean) parts.push(mul(gradMean, 1 / n));
    // d(inverse)/dx = -inverse^2 y / n
    if (gradInverse) parts.push(mul(mul(mul(gradInverse, -1 / n), pow(inverse!, 2)), y!));
    return [parts.reduce((a, b) => add(a, b))];
  },
  lower(context, [x], { attrs, inputs: [spec] }) {
    const n = spec!.shape.at(-1)!;
    const ones = context.floats([n], new Float32Array(n).fill(1));
    return context.emit("LayerNormalization", [x!, ones], {
      outputs: 3,
      attrs: { axis: -1n, epsilon: attrs.epsilon },
    });
  },
  evaluate([x], { epsilon }, [out, row]) {
    const n = x!.shape.at(-1)!;
    const y = new Float64Array(x!.data.length);
    const means = new Float64Array(y.length / n);
    const inverses = new Float64Array(y.length / n);
    for (let r = 0; r < means.length; r++) {
      const values = x!.data.subarray(r * n, (r + 1) * n);
      const m = values.reduce((a, b) => a + b, 0) / n;
      const variance = inRange(values.reduce((a, b) => a + (b - m) ** 2, 0) / n);
      means[r] = m;
      inverses[r] = 1 / Math.sqrt(variance + epsilon);
      y.set(
        values.map((v) => (v - m) * inverses[r]!),
        r * n,
      );
    }
    return [
      { shape: out!.shape, data: y },
      { shape: row!.shape, data: means },
      { shape: row!.shape, data: inverses },
    ];
  },
  place: alongRows,
  macs: null,
  traits: { oneNode: true },
});

/** Zero mean and unit variance over the last axis. */
export function standardize(x: Tensor, epsilon = 1e-5): Tensor {
  return apply(standardizeOp, [x], { epsilon })[0]!;
}

/** Scale and shift of a normalisation, one of each a channel (or a sample and channel, see {@link affineChannels}). */
export interface Affine {
  readonly scale: Tensor;
  readonly shift: Tensor;
}

function requireAffine(op: string, x: Tensor, { scale, shift }: Affine, allowed: readonly Shape[]): void {
  if ([scale, shift].some(({ shape }) => !allowed.some((each) => sameShape(each, shape))))
    throw shapeError(
      op,
      `scale and shift must be ${allowed.map((shape) => `[${shape.join(",")}]`).join(" or ")}`,
      [x, scale, shift],
      "Give one scale and one shift a channel.",
    );
}

/** Layer normalisation over the last axis (Ba et al. 2016); scale and shift are [last extent]. */
export function layerNorm(x: Tensor, affine?: Affine, epsilon = 1e-5): Tensor {
  if (affine) requireAffine("layerNorm", x, affine, [x.shape.slice(-1)]);
  const y = standardize(x, epsilon);
  return affine ? add(mul(y, affine.scale), affine.shift) : y;
}

/**
 * Group normalisation of [n,c,h,w] (Wu and He 2018); scale and shift are [c].
 * @throws GraphError when the channels are not divisible by the groups.
 */
export function groupNorm(x: Tensor, groups: number, affine?: Affine, epsilon = 1e-5): Tensor {
  const [n, c, h, w] = x.shape as [number, number, number, number];
  if (x.rank !== 4 || c % groups !== 0)
    throw shapeError(
      "groupNorm",
      `${c} channels are not divisible by ${groups} groups`,
      [x],
      "Choose a divisor of the channels of [n,c,h,w].",
    );
  const y = reshape(standardize(reshape(x, [n, groups, (c / groups) * h * w]), epsilon), x.shape);
  return affine ? affineChannels(y, affine) : y;
}

/** scale * x + shift with one value of each a channel of [n,c,h,w]: [c], [1,c], or [n,c] for one of each a sample. */
export function affineChannels(x: Tensor, { scale, shift }: Affine): Tensor {
  requireAffine("affineChannels", x, { scale, shift }, [
    x.shape.slice(1, 2),
    x.shape.slice(0, 2),
    [1, x.shape[1]!],
  ]);
  const c = x.shape[1]!;
  if (scale.size === c && shift.size === c) return channelAffine(x, reshape(scale, [c]), reshape(shift, [c]));
  const spread = (t: Tensor) => reshape(t, [t.rank === 2 ? t.shape[0]! : 1, c, 1, 1]);
  return add(mul(x, spread(scale)), spread(shift));
}

/** What batch normalisation in training gives: the result and the batch's statistics [c] for the running averages. */
export interface BatchNormResult {
  readonly y: Tensor;
  readonly mean: Tensor;
  /** Biased variance, as used for normalising. */
  readonly variance: Tensor;
}

/** Batch normalisation of [n,c,h,w] in training: statistics of this batch, per channel (Ioffe and Szegedy 2015). */
export function batchNormTraining(x: Tensor, affine: Affine, epsilon = 1e-5): BatchNormResult {
  requireAffine("batchNormTraining", x, affine, [x.shape.slice(1, 2)]);
  const { mean, variance } = channelMoments(x);
  return { y: batchNormInference(x, affine, { mean, variance }, epsilon), mean, variance };
}

/** Batch normalisation of [n,c,h,w] at inference: running mean and variance [c] are given. */
export function batchNormInference(
  x: Tensor,
  affine: Affine,
  running: { mean: Tensor; variance: Tensor },
  epsilon = 1e-5,
): Tensor {
  const scale = mul(affine.scale, pow(add(running.variance, epsilon), -0.5));
  return affineChannels(x, { scale, shift: sub(affine.shift, mul(running.mean, scale)) });
}
