/**
 * @module The wavelet transforms as differentiable graph: Haar, which every system trains through, as one strided
 * convolution, and any other wavelet and boundary mode as two matrix products. Bands are stacked along channels.
 */
import {
  concat,
  constant,
  conv2d,
  convTranspose2d,
  GraphError,
  matmul,
  matrixTranspose,
  narrow,
  reshape,
  split,
  type Tensor,
  transpose,
} from "onnxgrad";
import type { BoundaryMode } from "./boundary-modes.ts";
import { dwt, idwt } from "./dwt.ts";
import { isHaar } from "./haar.ts";
import { type Wavelet, type WaveletLike, wavelet } from "./wavelets.ts";

/** One level of a transform of images [n, c, h, w]. */
export interface Bands {
  /** Low band (LL, PyWavelets' cA): [n, c, h', w']. */
  readonly low: Tensor;
  /**
   * Detail bands [n, 3c, h', w'], band by band: channel b * c + i is band b of image channel i, where the bands are
   * LH, HL, HH of the WMGM paper, which are PyWavelets' cH (high along the columns), cV (high along the rows), cD.
   */
  readonly detail: Tensor;
}

/** Rows LL, LH, HL, HH over a block [[a, b], [c, d]]: symmetric and orthogonal, so its own inverse. */
const HAAR = [
  [0.5, 0.5, 0.5, 0.5],
  [0.5, 0.5, -0.5, -0.5],
  [0.5, -0.5, 0.5, -0.5],
  [0.5, -0.5, -0.5, 0.5],
] as const;

/**
 * Up to this many channels one convolution over all of them, mostly with zeros, is fastest: on [64, 3, 32, 32] it takes
 * 0.4 ms against 0.5 a channel at a time, 0.55 by strided slices (whose gradient takes 5) and 0.9 by a 4 x 4 product.
 */
const DENSE_CHANNELS = 4;

/**
 * Orthonormal Haar analysis of every 2 x 2 block [[a, b], [c, d]] of x [n, c, h, w]: LL = (a+b+c+d)/2,
 * LH = (a+b-c-d)/2, HL = (a-b+c-d)/2, HH = (a-b-c+d)/2.
 * @throws GraphError when h or w is odd.
 */
export function haarAnalysis(x: Tensor): Bands {
  const [n, c, h, w] = x.shape as [number, number, number, number];
  if (x.rank !== 4 || h % 2 !== 0 || w % 2 !== 0)
    throw new GraphError(
      `haarAnalysis: [${x.shape.join(",")}] does not consist of 2 x 2 blocks. Takes [n,c,h,w] of even h and w: ` +
        `pad or crop to a multiple of 2^levels, or use dwt2Graph() with mode symmetric.`,
    );
  const dense = c <= DENSE_CHANNELS;
  const blocks = conv2d(dense ? x : reshape(x, [n * c, 1, h, w]), haarKernel(dense ? c : 1), { stride: 2 });
  return cutBands(dense ? blocks : swapMajor(blocks, [n, c, 4, h / 2, w / 2]), c);
}

/**
 * Inverts {@link haarAnalysis}, and is its adjoint: low [n, c, h, w] and detail [n, 3c, h, w] to [n, c, 2h, 2w].
 * @throws GraphError when the bands do not fit each other.
 */
export function haarSynthesis(low: Tensor, detail: Tensor): Tensor {
  requireBands("haarSynthesis", low, detail);
  const [n, c, h, w] = low.shape as [number, number, number, number];
  const bands = concat([low, detail], 1);
  if (c <= DENSE_CHANNELS) return convTranspose2d(bands, haarKernel(c), { stride: 2 });
  const blocks = reshape(swapMajor(bands, [n, 4, c, h, w]), [n * c, 4, h, w]);
  return reshape(convTranspose2d(blocks, haarKernel(1), { stride: 2 }), [n, c, 2 * h, 2 * w]);
}

/** Weight [4c, c, 2, 2] that makes all four bands of `channels` channels, band by band. */
function haarKernel(channels: number): Tensor {
  const values = new Float64Array(16 * channels * channels);
  HAAR.forEach((row, band) => {
    for (let i = 0; i < channels; i++) values.set(row, ((band * channels + i) * channels + i) * 4);
  });
  return constant(values, [4 * channels, channels, 2, 2]);
}

/** Exchanges the two channel axes of [n, p, q, h, w] and merges them: [n, q * p, h, w]. */
function swapMajor(x: Tensor, [n, p, q, h, w]: readonly [number, number, number, number, number]): Tensor {
  return reshape(transpose(reshape(x, [n, p, q, h * w]), [0, 2, 1, 3]), [n, q * p, h, w]);
}

function cutBands(bands: Tensor, channels: number): Bands {
  const [low, detail] = split(bands, [channels, 3 * channels], 1) as [Tensor, Tensor];
  return { low, detail };
}

function requireBands(name: string, low: Tensor, detail: Tensor): void {
  const [n, c, h, w] = low.shape;
  if (low.rank !== 4 || [n, 3 * c!, h, w].some((extent, axis) => extent !== detail.shape[axis]))
    throw new GraphError(
      `${name}: low [${low.shape.join(",")}] and detail [${detail.shape.join(",")}] do not belong together. ` +
        `Takes low [n,c,h,w] and detail [n,3c,h,w].`,
    );
}

/**
 * One level of the transform of x [n, c, h, w] with any wavelet and boundary mode; equals `dwt2` of the same arguments.
 * Even-sized Haar takes {@link haarAnalysis}; anything else is one matrix product a direction, which suits images of
 * up to a few hundred pixels.
 * @throws GraphError unless x is [n, c, h, w]; UserError for an unknown wavelet or mode.
 */
export function dwt2Graph(x: Tensor, name: WaveletLike, mode: BoundaryMode = "symmetric"): Bands {
  if (x.rank !== 4)
    throw new GraphError(
      `dwt2Graph: takes [n,c,h,w], got [${x.shape.join(",")}]. Add dimensions by reshape().`,
    );
  const bank = wavelet(name);
  const [, , h, w] = x.shape as [number, number, number, number];
  if (isHaar(bank) && h % 2 === 0 && w % 2 === 0) return haarAnalysis(x);
  const down = matrixTranspose(analysisMatrix(h, bank, mode));
  const quadrants = matmul(down, matmul(x, analysisMatrix(w, bank, mode))); // [n, c, 2h', 2w']
  const rows = quadrants.shape[2]! / 2;
  const across = quadrants.shape[3]! / 2;
  const quadrant = (i: number, j: number) =>
    narrow(narrow(quadrants, 2, i * rows, rows), 3, j * across, across);
  return { low: quadrant(0, 0), detail: concat([quadrant(1, 0), quadrant(0, 1), quadrant(1, 1)], 1) };
}

/**
 * Inverts {@link dwt2Graph}; equals `idwt2`. `shape` is the original [h, w], needed only where one of them was odd.
 * @throws GraphError when the bands do not fit each other; UserError as `idwt`.
 */
export function idwt2Graph(
  { low, detail }: Bands,
  name: WaveletLike,
  mode: BoundaryMode = "symmetric",
  shape?: readonly [height: number, width: number],
): Tensor {
  requireBands("idwt2Graph", low, detail);
  const bank = wavelet(name);
  const [, c, rows, across] = low.shape as [number, number, number, number];
  if (isHaar(bank) && (shape ?? [0, 0]).every((extent) => extent % 2 === 0))
    return haarSynthesis(low, detail);
  const [cH, cV, cD] = split(detail, [c, c, c], 1) as [Tensor, Tensor, Tensor];
  const quadrants = concat([concat([low, cV], 3), concat([cH, cD], 3)], 2); // [n, c, 2h', 2w']
  const down = matrixTranspose(synthesisMatrix(rows, shape?.[0], bank, mode));
  return matmul(down, matmul(quadrants, synthesisMatrix(across, shape?.[1], bank, mode)));
}

/** [n, 2 count]: a row vector of n samples times this is its low and its high coefficients, for every mode is linear. */
function analysisMatrix(n: number, bank: Wavelet, mode: BoundaryMode): Tensor {
  const [low, high] = dwt({ data: identity(n), shape: [n, n] }, bank, mode);
  const count = low.shape[1]!;
  const values = new Float64Array(2 * n * count);
  for (let row = 0; row < n; row++) {
    values.set(low.data.subarray(row * count, (row + 1) * count), 2 * row * count);
    values.set(high.data.subarray(row * count, (row + 1) * count), (2 * row + 1) * count);
  }
  return constant(values, [n, 2 * count]);
}

/** [2 count, n]: low and high coefficients in one row vector times this are the n samples. */
function synthesisMatrix(count: number, n: number | undefined, bank: Wavelet, mode: BoundaryMode): Tensor {
  const unit = { data: identity(count), shape: [count, count] };
  const zero = { data: new Float64Array(count * count), shape: [count, count] };
  const fromLow = idwt(unit, zero, bank, mode, n);
  const fromHigh = idwt(zero, unit, bank, mode, n);
  return constant([...fromLow.data, ...fromHigh.data], [2 * count, fromLow.shape[1]!]);
}

function identity(n: number): Float64Array {
  return Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0));
}
