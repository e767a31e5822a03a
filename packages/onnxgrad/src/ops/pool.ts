/** @module Pooling and resizing of [n,c,h,w]: average and max pooling, nearest and bilinear resizing. */
import { GraphError } from "../errors.ts";
import { apply1, type Shape, sizeOf, type Tensor } from "../trace/tensor.ts";
import { add, mul, sub } from "./arithmetic.ts";
import { broadcastTo } from "./broadcast.ts";
import { cast, equal } from "./compare.ts";
import { defineOp, type OpDefinition, requireFloat, shapeError } from "./define-op.ts";
import { matmul } from "./matmul.ts";
import { mean } from "./reduce.ts";
import { matrixTranspose, reshape } from "./reshape.ts";
import { sliceRanges, unslice } from "./slice.ts";
import { constant } from "./source.ts";

interface PoolAttrs {
  readonly kernel: number;
  readonly stride: number;
}

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
  // Each window gives its gradient to the first element that reaches its maximum, in row-major order.
  vjp({ grad, inputs: [x], outputs: [y], attrs }) {
    let open: Tensor | undefined;
    let total: Tensor | undefined;
    for (let i = 0; i < attrs.kernel; i++)
      for (let j = 0; j < attrs.kernel; j++) {
        const ranges = tapRanges(x!.shape, attrs, y!.shape, i, j);
        const hit = cast(equal(sliceRanges(x!, ranges), y!), "float32");
        const first = open === undefined ? hit : mul(hit, open);
        const part = unslice(mul(grad, first), ranges, x!.shape);
        total = total === undefined ? part : add(total, part);
        open = open === undefined ? sub(1, first) : sub(open, first);
      }
    return [total!];
  },
  lower: (context, [x], { attrs: { kernel, stride } }) =>
    context.emit("MaxPool", [x!], {
      attrs: { kernel_shape: [BigInt(kernel), BigInt(kernel)], strides: [BigInt(stride), BigInt(stride)] },
    }),
  evaluate([x], { kernel, stride }, [out]) {
    const [h, w] = x!.shape.slice(2) as [number, number];
    const [oh, ow] = out!.shape.slice(2) as [number, number];
    const data = new Float64Array(sizeOf(out!.shape)).fill(-Infinity);
    data.forEach((_, at) => {
      const [plane, row, column] = [Math.floor(at / (oh * ow)), Math.floor(at / ow) % oh, at % ow];
      for (let i = 0; i < kernel; i++)
        for (let j = 0; j < kernel; j++)
          data[at] = Math.max(data[at]!, x!.data[(plane * h + row * stride + i) * w + column * stride + j]!);
    });
    return [{ shape: out!.shape, data }];
  },
});

/**
 * Max pooling with a square window and no padding (stride = window by default); ties give the gradient to the first.
 * @throws GraphError when the window does not fit.
 */
export function maxPool2d(x: Tensor, kernel: number, stride: number = kernel): Tensor {
  return apply1(maxPool2dOp, [x], { kernel, stride });
}

/**
 * Average pooling over non-overlapping kernel x kernel blocks.
 * @throws GraphError when the extents are not multiples of the kernel.
 */
export function avgPool2d(x: Tensor, kernel: number): Tensor {
  const [n, c, h, w] = requireMultiple("avgPool2d", x, kernel);
  const blocks = reshape(x, [n * c, h / kernel, kernel, w / kernel, kernel]);
  return reshape(mean(blocks, [2, 4]), [n, c, h / kernel, w / kernel]);
}

function requireMultiple(name: string, x: Tensor, kernel: number): [number, number, number, number] {
  const [n, c, h, w] = x.shape as [number, number, number, number];
  if (x.rank !== 4 || h % kernel !== 0 || w % kernel !== 0)
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
  const [n, c, h, w] = requireMultiple("upsampleNearest2d", x, 1);
  if (!Number.isInteger(factor) || factor < 1)
    throw shapeError("upsampleNearest2d", `factor ${factor} is no positive integer`, [x], "Use 1, 2, ...");
  const spread = broadcastTo(reshape(x, [n * c, h, 1, w, 1]), [n * c, h, factor, w, factor]);
  return reshape(spread, [n, c, h * factor, w * factor]);
}

/** How {@link resizeBilinear2d} places samples. */
export interface ResizeOptions {
  /** Put the corner samples of both grids on each other (PyTorch's align_corners); default false: half-pixel centres. */
  readonly alignCorners?: boolean;
}

/** Interpolation matrix [to, from] of linear resizing in one direction. */
export function linearResizeMatrix(from: number, to: number, alignCorners: boolean): Float64Array {
  const matrix = new Float64Array(to * from);
  for (let i = 0; i < to; i++) {
    const raw = alignCorners ? (to === 1 ? 0 : (i * (from - 1)) / (to - 1)) : ((i + 0.5) * from) / to - 0.5;
    const at = Math.min(Math.max(raw, 0), from - 1);
    const low = Math.floor(at);
    const high = Math.min(low + 1, from - 1);
    matrix[i * from + low]! += 1 - (at - low);
    matrix[i * from + high]! += at - low;
  }
  return matrix;
}

/**
 * Bilinear resizing of [n,c,h,w] to height x width, without antialiasing, as two matrix products (so that every
 * gradient is again one).
 * @throws GraphError unless x is [n,c,h,w] and the target is at least 1 x 1.
 */
export function resizeBilinear2d(
  x: Tensor,
  height: number,
  width: number,
  { alignCorners = false }: ResizeOptions = {},
): Tensor {
  if (x.rank !== 4 || height < 1 || width < 1)
    throw new GraphError(
      `resizeBilinear2d: takes [n,c,h,w] and a positive size, got [${x.shape.join(",")}] to ${height}x${width}.`,
    );
  const [, , h, w] = x.shape as [number, number, number, number];
  const columns = matrixTranspose(constant(linearResizeMatrix(w, width, alignCorners), [width, w]));
  const rows = constant(linearResizeMatrix(h, height, alignCorners), [height, h]);
  return matmul(rows, matmul(x, columns)); // [n, c, h, w] -> [n, c, h, width] -> [n, c, height, width]
}
