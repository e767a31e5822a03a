/** @module How much the details that a run draws vary over its noise input when the low band is held fixed. */
import type { CompiledDraw } from "../drawing/compile-draw.ts";
import type { ImageShape, Pyramid } from "../systems/system.ts";
import { splitBlocks } from "../wavelet/haar.ts";
import { conditionalSpread } from "./band-report.ts";

/** Low bands whose details are drawn again, and draws of each. */
export const SPREAD_IMAGES = 64;
const SPREAD_DRAWS = 4;

/**
 * Standard deviation over the noise input from the coarsest low bands of real `images`, [n, channels, height, width], in units
 * of each level's root mean square; index 0 is level 1, the finest. Undefined for systems that have not measured those.
 */
export async function detailSpread(
  drawing: CompiledDraw,
  { levels, detailRms }: Pyramid,
  images: Float32Array,
  image: ImageShape,
  seed: number,
): Promise<number[] | undefined> {
  if (levels === 0 || detailRms === undefined) return undefined;
  const count = images.length / (image.channels * image.height * image.width);
  const given = analyse(images, image, levels).at(-1)!.low;
  const step = 1 + drawing.steps.findIndex(({ level }) => level === levels);
  const draws: Float32Array[][] = []; // [draw][level - 1]
  for (let draw = 0; draw < SPREAD_DRAWS; draw++) {
    const { data } = await drawing.run({ seed, first: draw * count, count, from: { step, given } });
    draws.push(analyse(data, image, levels).map(({ details }) => details));
  }
  return detailRms.map((level, i) => {
    const rms = Math.sqrt(level.reduce((total, value) => total + value * value, 0) / level.length);
    return conditionalSpread(draws.map((details) => details[i]!)) / rms;
  });
}

/** Image-range pyramid of planar images: for each level from the finest, the low band and all details. */
function analyse(
  images: Float32Array,
  image: ImageShape,
  levels: number,
): { low: Float32Array; details: Float32Array }[] {
  let above = images;
  return Array.from({ length: levels }, (_, i) => {
    const size = above.length / 4;
    const low = new Float32Array(size);
    const details = new Float32Array(3 * size);
    const [cH, cV, cD] = [0, 1, 2].map((b) => details.subarray(b * size, (b + 1) * size)) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    splitBlocks(above, image.width / 2 ** (i + 1), low, cH, cV, cD);
    above = low.map((value) => value / 2);
    return { low: above, details };
  });
}
