/** @module How much the details that a run draws vary over its noise input when the low band is held fixed. */
import type { CompiledDraw } from "../drawing/compile-draw.ts";
import type { ImageShape, Pyramid } from "../systems/system.ts";
import { stackDetails } from "../wavelet/bands.ts";
import { planes } from "../wavelet/planes.ts";
import { type Pyramid2, wavedec2 } from "../wavelet/wavedec.ts";
import { conditionalSpread } from "./band-report.ts";
import { drawDetails } from "./pictures/oracles.ts";

/** Low bands whose details are drawn again, and draws of each. */
export const SPREAD_IMAGES = 64;
const SPREAD_DRAWS = 4;

/**
 * Standard deviation over the noise input from the coarsest low bands of real `images`, [n, channels, height, width], in units
 * of each level's root mean square; index 0 is level 1, the finest. Undefined for systems that have not measured those.
 */
export async function detailSpread(
  drawing: CompiledDraw,
  pyramid: Pyramid,
  images: Float32Array,
  image: ImageShape,
  seed: number,
): Promise<number[] | undefined> {
  const { levels, detailRms } = pyramid;
  if (levels === 0 || detailRms === undefined) return undefined;
  const { channels, height, width } = image;
  const count = images.length / (channels * height * width);
  const draws: Pyramid2<Float32Array>[] = [];
  for (let draw = 0; draw < SPREAD_DRAWS; draw++) {
    const drawn = await drawDetails(drawing, images, { image, pyramid, seed, first: draw * count });
    const shape = [count, channels, height, width];
    draws.push(wavedec2(planes(drawn, shape), "haar", "periodization", levels));
  }
  return detailRms.map((level, i) => {
    const rms = Math.sqrt(level.reduce((total, value) => total + value * value, 0) / level.length);
    // The cascade has the coarsest details first, orthonormal: 2^i times those in the range of the image.
    const details = draws.map(([, ...all]) => stackDetails(all[levels - 1 - i]!).data);
    return conditionalSpread(details) / 2 ** i / rms;
  });
}
