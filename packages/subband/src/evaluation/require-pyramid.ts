/** @module The ability that an evaluation asks for: bands, to be compared with those of the data. */
import { UserError } from "onnxgrad";
import type { Pyramid, System } from "../systems/system.ts";

/**
 * The pyramid of a system of `preset`.
 * @throws UserError `run/denoiser` for a denoiser, `run/no-bands` for any other system that makes no bands.
 */
export function requirePyramid(preset: string, { pyramid, local }: Partial<System>): Pyramid {
  if (pyramid !== undefined) return pyramid;
  if (local !== undefined)
    throw new UserError(
      "run/denoiser",
      `a run of preset ${preset} is a denoiser, which makes no bands to compare. Use subband denoise, or subband sample.`,
    );
  throw new UserError(
    "run/no-bands",
    `a run of preset ${preset} draws images without a pyramid, so there are no bands to compare. Use subband sample.`,
  );
}
