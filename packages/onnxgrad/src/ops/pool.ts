/** @module Pooling of [n,c,h,w] and its adjoints: average and max pooling, repeated pixels. */
import { apply1, type Shape, sizeOf, type Spec, type Tensor } from "../trace/tensor.ts";
import { add, larger, maximum, mul, sub } from "./arithmetic.ts";
import { cast, equal } from "./compare.ts";
import { defineOp, inRange, type OpDefinition, requireFloat, shapeError } from "./define-op.ts";
import { emit1 } from "./emit.ts";
import { along } from "./placement.ts";
import { withNaNs } from "./reduce.ts";
import { sliceRanges, unslice } from "./slice.ts";
import { constant } from "./source.ts";

interface PoolAttrs {
  readonly kernel: number;
  readonly stride: number;
  /** Whether no element is known to be NaN, which saves looking for them. */
  readonly numbers?: boolean;
}

/** Images and channels are pooled alone. */
const isPooledAlone = (axis: number) => axis < 2;

const pooled = (n: number, { kernel, stride }: PoolAttrs) => Math.floor((n - kernel) / stride) + 1;

/** The strided slice of x that tap (i, j) of the window sees. */
function tapRanges(x: Shape, { kernel: _, stride }: PoolAttrs, out: Shape, i: number, j: number) {
  return x.map((count, axis) =>
    axis < 2 ? { start: 0, count, step: 1 } : { start: axis === 2 ? i : j, count: out[axis]!, step: stride },
  );
}

/** Largest element of each window, without padding. */
export const maxPool2dOp: OpDefinition<PoolAttrs> = defineOp<PoolAttrs>({
  name: "maxPool2d",
  infer([x], attrs) {
    requireFloat("maxPool2d", [x!]);
    const [n, c, h, w] = x!.shape;
    const counts = [attrs.kernel, attrs.stride].every((k) => Number.isInteger(k) && k > 0);
    if (!counts || x!.shape.length !== 4 || h! < attrs.kernel || w! < attrs.kernel)
      throw shapeError(
        "maxPool2d",
        `window ${attrs.kernel} with stride ${attrs.stride} does not fit`,
        [x!],
        "Takes [n,c,h,w] no smaller than the window.",
      );
    return [{ shape: [n!, c!, pooled(h!, attrs), pooled(w!, attrs)], dtype: "float32" }];
  },
  // Each window gives its gradient to the first element that reaches its maximum, in row-major order, or to its last NaN.
  vjp({ grad, inputs: [x], outputs: [y], attrs }) {
    const { kernel, stride } = attrs;
    const tiles = stride === kernel && x!.shape[2]! % kernel === 0 && x!.shape[3]! % kernel === 0;
    if (tiles) return [mul(upsampleNearest2d(grad, kernel), takenOfTiles(x!, y!, kernel))];
    const taps = Array.from({ length: kernel ** 2 }, (_, at) => {
      const ranges = tapRanges(x!.shape, attrs, y!.shape, Math.floor(at / kernel), at % kernel);
      return { ranges, claim: claims(sliceRanges(x!, ranges), y!, kernel ** 2 - at, at + 1) };
    });
    const best = taps.map(({ claim }) => claim).reduce(maximum);
    const parts = taps.map(({ ranges, claim }) =>
      unslice(mul(grad, cast(equal(claim, best), "float32")), ranges, x!.shape),
    );
    return [parts.reduce(add)];
  },
  // ONNX Runtime's kernel for CPUs finds a NaN or not, by where it stands in the window.
  lower(context, [x], { attrs: { kernel, stride, numbers } }) {
    const attrs = {
      kernel_shape: [BigInt(kernel), BigInt(kernel)],
      strides: [BigInt(stride), BigInt(stride)],
    };
    const found = emit1(context, "MaxPool", [x!], { attrs });
    if (numbers === true || context.processor !== "cpu") return [found];
    return [withNaNs(context, found, x!, (value) => emit1(context, "AveragePool", [value], { attrs }))];
  },
  evaluate([x], { kernel, stride }, [out]) {
    const [h, w] = x!.shape.slice(2) as [number, number];
    const [oh, ow] = out!.shape.slice(2) as [number, number];
    const data = new Float64Array(sizeOf(out!.shape)).fill(-Infinity);
    data.forEach((_, at) => {
      const [plane, row, column] = [Math.floor(at / (oh * ow)), Math.floor(at / ow) % oh, at % ow];
      for (let i = 0; i < kernel; i++)
        for (let j = 0; j < kernel; j++)
          data[at] = larger(x!.data[(plane * h + row * stride + i) * w + column * stride + j]!, data[at]!);
    });
    return [{ shape: out!.shape, data }];
  },
  place: along(isPooledAlone),
  macs: null,
  traits: {},
});

/** `early` at the elements of `x` that are the maximum `y` of their window, `late` at NaN, else 0. */
function claims(x: Tensor, y: Tensor, early: Tensor | number, late: Tensor | number): Tensor {
  const isMaximum = cast(equal(x, y), "float32");
  const isNumber = cast(equal(x, x), "float32");
  return add(mul(isMaximum, early), mul(sub(1, isNumber), late));
}

/**
 * 1 at the element of each kernel x kernel block of `x` that its gradient goes to, else 0; `y` are the maxima.
 * All of it runs over whole images; slices of every kernel-th pixel would be copied one by one.
 */
function takenOfTiles(x: Tensor, y: Tensor, kernel: number): Tensor {
  const [, , h, w] = x.shape as [number, number, number, number];
  const places = Float32Array.from(
    { length: h * w },
    (_, at) => (Math.floor(at / w) % kernel) * kernel + (at % kernel),
  );
  const [early, late] = [places.map((at) => kernel ** 2 - at), places.map((at) => at + 1)].map((order) =>
    constant(order, [1, 1, h, w]),
  );
  const claim = claims(x, upsampleNearest2d(y, kernel), early!, late!);
  const best = apply1(maxPool2dOp, [claim], { kernel, stride: kernel, numbers: true });
  return cast(equal(claim, upsampleNearest2d(best, kernel)), "float32");
}

/**
 * Max pooling with a square window and no padding (stride = window by default); ties give the gradient to the first. A window
 * that holds NaN gives NaN, and its gradient to the last one.
 * @throws GraphError when the window does not fit.
 */
export function maxPool2d(x: Tensor, kernel: number, stride: number = kernel): Tensor {
  return kernel === 1 && stride === 1 && x.rank === 4 ? x : apply1(maxPool2dOp, [x], { kernel, stride });
}

interface BlockAttrs {
  /** Side of the square blocks, pixels. */
  readonly kernel: number;
}

/** Calls `visit(index of the block, index of a pixel in it)` for every pixel of [n,c,h,w]. */
function forEachInBlock(fine: Shape, kernel: number, visit: (block: number, pixel: number) => void): void {
  const [n, c, h, w] = fine as [number, number, number, number];
  for (let plane = 0; plane < n * c; plane++)
    for (let row = 0; row < h; row++)
      for (let column = 0; column < w; column++)
        visit(
          (plane * (h / kernel) + Math.floor(row / kernel)) * (w / kernel) + Math.floor(column / kernel),
          (plane * h + row) * w + column,
        );
}

/** Mean of every kernel x kernel block; with {@link upsampleNearest2dOp} closed under differentiation. */
export const avgPool2dOp: OpDefinition<BlockAttrs> = defineOp<BlockAttrs>({
  name: "avgPool2d",
  infer([x], { kernel }) {
    requireFloat("avgPool2d", [x!]);
    const [n, c, h, w] = requireMultiple("avgPool2d", x!, kernel);
    return [{ shape: [n, c, h / kernel, w / kernel], dtype: "float32" }];
  },
  vjp: ({ grad, attrs: { kernel } }) => [mul(upsampleNearest2d(grad, kernel), 1 / kernel ** 2)],
  lower: (context, [x], { attrs: { kernel } }) =>
    context.emit("AveragePool", [x!], {
      attrs: { kernel_shape: [BigInt(kernel), BigInt(kernel)], strides: [BigInt(kernel), BigInt(kernel)] },
    }),
  evaluate([x], { kernel }, [out]) {
    const data = new Float64Array(sizeOf(out!.shape));
    forEachInBlock(x!.shape, kernel, (block, pixel) => (data[block]! += x!.data[pixel]!));
    return [{ shape: out!.shape, data: data.map((total) => inRange(total) / kernel ** 2) }];
  },
  place: along(isPooledAlone, true),
  macs: null,
  traits: {},
});

/** Every pixel as a kernel x kernel block. */
export const upsampleNearest2dOp: OpDefinition<BlockAttrs> = defineOp<BlockAttrs>({
  name: "upsampleNearest2d",
  infer([x], { kernel }) {
    requireFloat("upsampleNearest2d", [x!]);
    const [n, c, h, w] = requireMultiple("upsampleNearest2d", x!, 1);
    return [{ shape: [n, c, h * kernel, w * kernel], dtype: "float32" }];
  },
  vjp: ({ grad, attrs: { kernel } }) => [mul(avgPool2d(grad, kernel), kernel ** 2)],
  // Resize has a fast path for this; Expand along interleaved axes is several times slower.
  lower: (context, [x], { attrs: { kernel } }) =>
    context.emit("Resize", [x!, "", context.floats([4], [1, 1, kernel, kernel])], {
      attrs: { mode: "nearest", coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" },
    }),
  evaluate([x], { kernel }, [out]) {
    const data = new Float64Array(sizeOf(out!.shape));
    forEachInBlock(out!.shape, kernel, (block, pixel) => (data[pixel] = x!.data[block]!));
    return [{ shape: out!.shape, data }];
  },
  place: along(isPooledAlone, true),
  macs: null,
  traits: { cheap: true },
});

/**
 * Average pooling over non-overlapping kernel x kernel blocks.
 * @throws GraphError when the extents are not multiples of the kernel.
 */
export function avgPool2d(x: Tensor, kernel: number): Tensor {
  return kernel === 1 ? x : apply1(avgPool2dOp, [x], { kernel });
}

function requireMultiple(name: string, x: Spec, kernel: number): [number, number, number, number] {
  const [n, c, h, w] = x.shape as [number, number, number, number];
  if (x.shape.length !== 4 || h % kernel !== 0 || w % kernel !== 0)
    throw shapeError(
      name,
      `extents are not multiples of ${kernel}`,
      [x],
      "Takes [n,c,h,w]; pad or crop first.",
    );
  return [n, c, h, w];
}

/** Repeats every pixel factor x factor times. @throws GraphError unless x is [n,c,h,w]. */
export function upsampleNearest2d(x: Tensor, factor: number): Tensor {
  if (!Number.isInteger(factor) || factor < 1)
    throw shapeError("upsampleNearest2d", `factor ${factor} is no positive integer`, [x], "Use 1, 2, ...");
  return factor === 1 ? x : apply1(upsampleNearest2dOp, [x], { kernel: factor });
}
