/**
 * @module Convolution of bilinearly enlarged features that are never made. Interpolation treats all channels alike and a
 * tap of a kernel all pixels, so the two change places: every tap is applied to the pixels there are, and what the taps
 * gave is interpolated, shifted and added up by matrix products with constants. Twice as high and wide takes a quarter of
 * the network's products, forward and in both gradients.
 */
import type { Shape, Spec, Tensor } from "../trace/tensor.ts";
import { add } from "./arithmetic.ts";
import { conv2d } from "./conv.ts";
import { convGeometry, type ConvOptions, outputShape, requireBias } from "./conv-geometry.ts";
import { matmul } from "./matmul.ts";
import { matrixTranspose, reshape, transpose } from "./reshape.ts";
import { linearResizeMatrix, resizeBilinear2d, type ResizeOptions } from "./resize.ts";
import { constant } from "./source.ts";

/** Options of {@link resizeConv2d}. */
export interface ResizeConvOptions extends ResizeOptions, Pick<ConvOptions, "padding"> {
  /** [out]. */
  readonly bias?: Tensor;
}

/**
 * Taps reach into one direction: [to, from, taps], what output r takes of pixel i through tap k, which is what pixel
 * r + k - padding of the enlarged image takes of it, and nothing outside.
 */
interface Reach {
  readonly from: number;
  readonly to: number;
  readonly taps: number;
  at(r: number, i: number, k: number): number;
}

function reachOf(from: number, resized: number, taps: number, padding: number, alignCorners: boolean): Reach {
  const matrix = linearResizeMatrix(from, resized, alignCorners);
  return {
    from,
    to: resized + 2 * padding - taps + 1,
    taps,
    at(r, i, k) {
      const row = r + k - padding;
      return row < 0 || row >= resized ? 0 : matrix[row * from + i]!;
    },
  };
}

/** Along rows of the image: [to, from taps]. */
function rowsMatrix({ from, to, taps, at }: Reach): Tensor {
  const values = new Float64Array(to * from * taps);
  for (let r = 0, entry = 0; r < to; r++)
    for (let i = 0; i < from; i++) for (let k = 0; k < taps; k++) values[entry++] = at(r, i, k);
  return constant(values, [to, from * taps]);
}

/** Along its columns, for each of `kept` vertical taps alone: [kept to, from kept taps]. */
function columnsMatrix({ from, to, taps, at }: Reach, kept: number): Tensor {
  const values = new Float64Array(kept * to * from * kept * taps);
  for (let k = 0; k < kept; k++)
    for (let s = 0; s < to; s++)
      for (let j = 0; j < from; j++)
        for (let l = 0; l < taps; l++)
          values[(((k * to + s) * from + j) * kept + k) * taps + l] = at(s, j, l);
  return constant(values, [kept * to, from * kept * taps]);
}

/** Multiply-accumulates of resizing an image of `channels` channels. */
const resizing = (channels: number, rows: Reach, columns: Reach) =>
  channels * rows.from * columns.to * (columns.from + rows.to);

/** Whether the taps before the interpolation take fewer multiply-accumulates an image than after it. */
function isCheaper([out, c]: Shape, rows: Reach, columns: Reach): boolean {
  const [height, width] = [rows.to, columns.to];
  const taps = rows.taps * columns.taps;
  const after = resizing(c!, rows, columns) + height * width * taps * c! * out!;
  const products = rows.from * columns.from * taps * c! * out!;
  const along = rows.from * rows.taps ** 2 * width * columns.from * columns.taps * out!;
  const down = height * rows.from * rows.taps * width * out!;
  return products + along + down < after;
}

/**
 * conv2d(resizeBilinear2d(x, height, width), weight) of x [n,c,h,w] with weight [out,c,kh,kw] at stride 1, to
 * [n, out, height + 2 padding - kh + 1, width + 2 padding - kw + 1]. With U and V the interpolation along rows and columns,
 * and 0 outside,
 *
 *     y[r, s] = sum_{k,l} sum_{i,j} U[r + k - padding, i] V[s + l - padding, j] (weight[:, :, k, l] x[:, i, j]).
 *
 * Where that takes fewer products, enlarging above all, the innermost bracket is made first.
 * @throws GraphError when the channels or the kernel do not fit, or the size is less than 1 x 1.
 */
export function resizeConv2d(
  x: Tensor,
  weight: Tensor,
  height: number,
  width: number,
  { padding = 0, bias, alignCorners = false }: ResizeConvOptions = {},
): Tensor {
  const options = { padding, ...(bias && { bias }) };
  const direct = () => conv2d(resizeBilinear2d(x, height, width, { alignCorners }), weight, options);
  if (x.rank !== 4 || weight.rank !== 4 || height < 1 || width < 1) return direct();
  const [n, c, h, w] = x.shape as [number, number, number, number];
  if (h === height && w === width) return conv2d(x, weight, options);
  const [out, , kh, kw] = weight.shape as [number, number, number, number];
  const g = convGeometry({ padding });
  const enlarged: Spec = { shape: [n, c, height, width], dtype: x.dtype };
  const shape = outputShape("resizeConv2d", enlarged, weight, g);
  if (bias) requireBias("resizeConv2d", bias, shape, [enlarged, weight, bias]);
  const rows = reachOf(h, height, kh, g.padding[0], alignCorners);
  const columns = reachOf(w, width, kw, g.padding[1], alignCorners);
  if (!isCheaper(weight.shape, rows, columns)) return direct();
  if (kh * kw === 1 && Math.max(...g.padding) === 0)
    return resizeBilinear2d(conv2d(x, weight, options), height, width, { alignCorners });
  const pixels = reshape(transpose(x, [0, 2, 3, 1]), [n * h * w, c]);
  const taps = reshape(transpose(reshape(weight, [out, c, kh * kw]), [2, 0, 1]), [kh * kw * out, c]);
  const products = matmul(pixels, matrixTranspose(taps)); // [n i j, k l o]
  const along = matmul(columnsMatrix(columns, kh), reshape(products, [n * h, w * kh * kw, out])); // [n i, k s, o]
  const down = matmul(rowsMatrix(rows), reshape(along, [n, h * kh, shape[3]! * out])); // [n, r, s o]
  const last = reshape(down, [n, shape[2]!, shape[3]!, out]);
  return transpose(bias ? add(last, bias) : last, [0, 3, 1, 2]);
}
