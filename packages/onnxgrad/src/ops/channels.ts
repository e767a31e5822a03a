/**
 * @module Per-channel statistics and per-channel scale and shift of [n,c,h,w]: what batch normalisation is made of. The
 * gradient of the statistics is again a scale and a shift, so that a layer costs as few passes over its features as it can.
 */
import { apply, apply1, type Shape, type Tensor } from "../trace/tensor.ts";
import { mul, sub } from "./arithmetic.ts";
import { broadcastTo, sum } from "./sum.ts";
import {
  defineOp,
  type NoAttrs,
  type OpDefinition,
  type RefArray,
  requireFloat,
  shapeError,
} from "./define-op.ts";
import { reshaped } from "./emit.ts";
import { sharded } from "./placement.ts";
import { reshape } from "./reshape.ts";

/** Elements of one channel. */
const countOf = ([n, , h, w]: Shape) => n! * h! * w!;

/** Calls `visit(channel, index)` for every element of [n,c,h,w]. */
function forEachElement([n, c, h, w]: Shape, visit: (channel: number, at: number) => void): void {
  let at = 0;
  for (let image = 0; image < n!; image++)
    for (let channel = 0; channel < c!; channel++)
      for (let pixel = 0; pixel < h! * w!; pixel++) visit(channel, at++);
}

/** Mean and biased variance of every channel. */
export const channelMomentsOp: OpDefinition<NoAttrs> = defineOp<NoAttrs>({
  name: "channelMoments",
  infer(inputs) {
    requireFloat("channelMoments", inputs);
    const [x] = inputs;
    if (x!.shape.length !== 4)
      throw shapeError("channelMoments", "takes [n,c,h,w]", inputs, "Reshape first.");
    if (countOf(x!.shape) === 0)
      throw shapeError("channelMoments", "of no elements have no value", inputs, "Leave out what is empty.");
    const c = [x!.shape[1]!];
    return [c, c].map((shape) => ({ shape, dtype: "float32" as const }));
  },
  // d(mean)/dx = 1 / N, d(variance)/dx = 2 (x - mean) / N: one scale and shift of x.
  vjp({ inputs: [x], outputs: [mean], grads: [gradMean, gradVariance] }) {
    const share = 1 / countOf(x!.shape);
    if (gradVariance === undefined)
      return [broadcastTo(reshape(mul(gradMean!, share), [1, mean!.size, 1, 1]), x!.shape)];
    const scale = mul(gradVariance, 2 * share);
    const about = mul(scale, mean!);
    return [
      channelAffine(x!, scale, gradMean === undefined ? mul(about, -1) : sub(mul(gradMean, share), about)),
    ];
  },
  // In two passes: E[x^2] - E[x]^2 would lose the variance of channels far from zero.
  lower(context, [x], { outputs: [spec] }) {
    const axes = context.ints([0, 2, 3]);
    const [kept] = context.emit("ReduceMean", [x!, axes], { attrs: { keepdims: 1n } });
    const [centred] = context.emit("Sub", [x!, kept!]);
    const [squared] = context.emit("Mul", [centred!, centred!]);
    return [
      context.emit("Reshape", [kept!, context.shape(spec!.shape)])[0]!,
      context.emit("ReduceMean", [squared!, axes], { attrs: { keepdims: 0n } })[0]!,
    ];
  },
  evaluate([x], _, [out]) {
    const share = 1 / countOf(x!.shape);
    const means = new Float64Array(out!.shape[0]!);
    const variances = new Float64Array(means.length);
    forEachElement(x!.shape, (channel, at) => (means[channel]! += x!.data[at]! * share));
    forEachElement(
      x!.shape,
      (channel, at) => (variances[channel]! += (x!.data[at]! - means[channel]!) ** 2 * share),
    );
    return [means, variances].map((data): RefArray => ({ shape: out!.shape, data }));
  },
  // Statistics of a channel need all of its images.
  place: (_, [place]) =>
    place!.kind === "sharded" && place!.axis === 1
      ? { inputs: [place!], outputs: [sharded(0, place!.blocks), sharded(0, place!.blocks)] }
      : undefined,
  macs: null,
  traits: {},
});

/** scale[c] * x + shift[c]. */
export const channelAffineOp: OpDefinition<NoAttrs> = defineOp<NoAttrs>({
  name: "channelAffine",
  infer(inputs) {
    requireFloat("channelAffine", inputs);
    const [x, ...vectors] = inputs;
    if (x!.shape.length !== 4 || vectors.some(({ shape }) => shape.length !== 1 || shape[0] !== x!.shape[1]))
      throw shapeError(
        "channelAffine",
        "takes [n,c,h,w] with a scale and a shift of [c]",
        inputs,
        "Give one scale and one shift a channel.",
      );
    return [{ shape: x!.shape, dtype: "float32" }];
  },
  vjp: ({ grad, inputs: [x, scale], needs }) => [
    needs[0] ? mul(grad, reshape(scale!, [1, scale!.size, 1, 1])) : null,
    needs[1] ? sum(mul(grad, x!), [0, 2, 3]) : null,
    needs[2] ? sum(grad, [0, 2, 3]) : null,
  ],
  // Batch normalisation at inference with statistics of 0 and 1 does just this, in one pass, but on one thread; so does a
  // convolution of every channel alone.
  lower(context, inputs, { inputs: [, spec] }) {
    const c = spec!.shape;
    const [x, scale, shift] = inputs as [string, string, string];
    if (context.processor === "cpu" && context.threads > 1 && !context.isFixed(scale)) {
      const kernels = reshaped(context, scale, [c[0]!, 1, 1, 1]);
      return context.emit("Conv", [x, kernels, shift], { attrs: { group: BigInt(c[0]!) } });
    }
    const zeros = context.floats(c, new Float32Array(c[0]!));
    const ones = context.floats(c, new Float32Array(c[0]!).fill(1));
    return context.emit("BatchNormalization", [...inputs, zeros, ones], { attrs: { epsilon: 0 } });
  },
  evaluate([x, scale, shift]) {
    const data = new Float64Array(x!.data.length);
    forEachElement(
      x!.shape,
      (channel, at) => (data[at] = scale!.data[channel]! * x!.data[at]! + shift!.data[channel]!),
    );
    return [{ shape: x!.shape, data }];
  },
  // Images sharded along the batch, what every channel is multiplied by and gets added replicated.
  place: (_, places) =>
    places[0]!.kind === "sharded" &&
    places[0]!.axis === 0 &&
    places.slice(1).every(({ kind }) => kind === "replicated")
      ? { inputs: places, outputs: [places[0]!] }
      : undefined,
  macs: null,
  traits: { cheap: true },
});

/** Mean and biased variance [c] of the channels of x [n,c,h,w], over batch and space. @throws GraphError for other ranks. */
export function channelMoments(x: Tensor): { readonly mean: Tensor; readonly variance: Tensor } {
  const [mean, variance] = apply(channelMomentsOp, [x], {});
  return { mean: mean!, variance: variance! };
}

/** scale * x + shift with scale and shift of [c] for x [n,c,h,w]. @throws GraphError when the shapes do not fit. */
export function channelAffine(x: Tensor, scale: Tensor, shift: Tensor): Tensor {
  return apply1(channelAffineOp, [x, scale, shift], {});
}
