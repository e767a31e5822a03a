/**
 * @module The two oracles of a run that makes pictures band by band: real low bands with its own details, and its own low
 * bands with real details. Measured by any distance, they say which of the two is at fault.
 */
import { inSlices, UserError } from "onnxgrad";
import type { CompiledDraw } from "../../drawing/compile-draw.ts";
import type { ImageShape, Pyramid } from "../../systems/system.ts";
import { averagingBlocks, blockMeans, fromChain, lowStep, toChain } from "./low-bands.ts";

/** The run, and where its chain is cut. */
export interface OracleRequest {
  readonly image: ImageShape;
  readonly pyramid: Pyramid;
  /** Level of the low band that is exchanged; default the coarsest. Chains that give finer ones may be cut there. */
  readonly level?: number;
  readonly seed: number;
  /** Number of the first image, whose noise it takes; default 0. */
  readonly first?: number;
}

/**
 * The low bands of `real` pictures, [n, channels, height, width], with details drawn by the run, [n, ...]: an error that is left
 * is one of the details.
 * @throws UserError `run/no-bands` for a chain that makes no such low band.
 */
export async function drawDetails(
  drawing: CompiledDraw,
  real: Float32Array,
  { image, pyramid, level = pyramid.levels, seed, first = 0 }: OracleRequest,
): Promise<Float32Array> {
  const step = 1 + lowStep(drawing.steps, level);
  const given = toChain(await inSlices(averagingBlocks(real, image, level)), pyramid, level);
  const count = real.length / (image.channels * image.height * image.width);
  const { data } = await drawing.run({ seed, first, count, from: { step, given } });
  return data;
}

/**
 * `count` low bands drawn by the run, in the range of the image, [count, channels, height / 2^level, width / 2^level].
 * @throws UserError `run/no-bands` for a chain that makes no such low band.
 */
export async function drawLow(
  drawing: CompiledDraw,
  count: number,
  { pyramid, level = pyramid.levels, seed, first = 0 }: OracleRequest,
): Promise<Float32Array> {
  const { data } = await drawing.run({ seed, first, count, to: lowStep(drawing.steps, level) });
  return fromChain(data, pyramid, level);
}

/**
 * Low bands of level `level`, [n, ...], with the details of other pictures: `real`, [m, channels, height, width], of which low band
 * i takes number `of[i]`. With the nearest of the low bands of many real pictures, the error that is left is one of the
 * low bands, and of real details that fit the nearest one better.
 */
export function graft(
  low: Float32Array,
  real: Float32Array,
  of: ArrayLike<number>,
  { channels, height, width }: ImageShape,
  level: number,
): Float32Array {
  const size = channels * height * width;
  const side = 2 ** level;
  const count = of.length;
  if (low.length * side ** 2 !== count * size)
    throw new UserError(
      "evaluation/bands",
      `graft: ${low.length} values of low bands of level ${level}; expected those of ${count} pictures of ${channels} x ${height} x ${width}.`,
    );
  const images = new Float32Array(count * size);
  for (let i = 0; i < count; i++) images.set(real.subarray(of[i]! * size, (of[i]! + 1) * size), i * size);
  const own = blockMeans(images, { channels, height, width }, level);
  const columns = width / side;
  for (let i = 0; i < images.length; i++) {
    const block = Math.floor(Math.floor(i / width) / side) * columns + Math.floor((i % width) / side);
    images[i]! += low[block]! - own[block]!;
  }
  return images;
}
