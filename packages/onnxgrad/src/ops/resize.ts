/** @module Bilinear resizing of [n,c,h,w]. */
import { GraphError } from "../errors.ts";
import type { Shape, Tensor } from "../trace/tensor.ts";
import { matmul } from "./matmul.ts";
import { matrixTranspose, reshape } from "./reshape.ts";
import { constant } from "./source.ts";

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

/** Pixels up to which one product with the whole image is faster than one along each direction... */
const WHOLE_IMAGE = 16;
/** ...unless its matrix has more elements than this. */
const WHOLE_MATRIX = 2 ** 18;

/** [a, b] and [c, d] to [a c, b d]. */
function kronecker(p: Float64Array, [a, b]: Shape, q: Float64Array, [c, d]: Shape): Float64Array {
  const made = new Float64Array(a! * b! * c! * d!);
  for (let i = 0; i < a!; i++)
    for (let j = 0; j < b!; j++)
      for (let k = 0; k < c!; k++)
        for (let l = 0; l < d!; l++)
          made[(i * c! + k) * b! * d! + j * d! + l] = p[i * b! + j]! * q[k * d! + l]!;
  return made;
}

/**
 * Bilinear resizing of [n,c,h,w] to height x width, without antialiasing, as matrix products (so that every gradient is
 * again one): one for small images, else one along each direction.
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
  return resizeByMatrices(
    x,
    linearResizeMatrix(h, height, alignCorners),
    linearResizeMatrix(w, width, alignCorners),
  );
}

/**
 * Every column of [n,c,h,w] by the matrix [height, h], then every row by [width, w]: any separable resizing. One product
 * for small images, else one along each direction.
 */
export function resizeByMatrices(x: Tensor, alongRows: Float64Array, alongColumns: Float64Array): Tensor {
  const [n, c, h, w] = x.shape as [number, number, number, number];
  const [height, width] = [alongRows.length / h, alongColumns.length / w];
  if (h * w <= WHOLE_IMAGE && height * width * h * w <= WHOLE_MATRIX) {
    const whole = kronecker(alongRows, [height, h], alongColumns, [width, w]); // [height width, h w]
    const pixels = matmul(
      reshape(x, [n * c, h * w]),
      matrixTranspose(constant(whole, [height * width, h * w])),
    );
    return reshape(pixels, [n, c, height, width]);
  }
  const columns = matrixTranspose(constant(alongColumns, [width, w]));
  const rows = constant(alongRows, [height, h]);
  return matmul(rows, matmul(x, columns)); // [n, c, h, w] -> [n, c, h, width] -> [n, c, height, width]
}
