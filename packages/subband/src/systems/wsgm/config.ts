/** @module Configuration of `wsgm`: plain data, resolved from size and levels. A run directory keeps it whole. */
import { UserError } from "onnxgrad";
import type { Chosen } from "../options.ts";
import { type DiffusionOptions, emaDecayOf } from "../parts/diffusion-choice.ts";
import type { ProcessName } from "../parts/processes.ts";
import { requireMultiple } from "../parts/require-multiple.ts";
import type { LevelMoments } from "../parts/standardised-bands.ts";
import { unetConfig, type UnetConfig, type UnetShape } from "../parts/unet.ts";
import type { ImageShape } from "../system.ts";

/** Resolved configuration of a `wsgm`. */
export interface WsgmConfig extends ImageShape {
  readonly formulation: ProcessName;
  /** Of the coarsest low band. */
  readonly low: UnetConfig;
  /** What is measured and learned of each level; index 0 is level 1, the finest. */
  readonly levels: readonly WsgmLevel[];
  /** Images a step. */
  readonly batch: number;
  /** Peak learning rate. */
  readonly lr: number;
  /** Decay of the parameter averages a step. */
  readonly emaDecay: number;
}

/** One level. */
export interface WsgmLevel {
  readonly moments: LevelMoments;
  /** Of its details, given its low band. */
  readonly details: UnetConfig;
}

/** Fills in all that was not chosen; `moments` are those of each level, the finest first. */
export function resolveWsgmConfig(
  { formulation, unet, batch, lr, width: features }: Chosen<DiffusionOptions>,
  { channels, height, width }: ImageShape,
  moments: readonly LevelMoments[],
): WsgmConfig {
  const band = (level: number, shape: Pick<UnetShape, "channels" | "conditioning" | "features">) =>
    unetConfig({ ...shape, unet, height: height / 2 ** level, width: width / 2 ** level });
  // Ours has details at half the width: what an image shows is decided by its low band, what it costs by its details.
  const detailed = unet === "improved" ? features : Math.max(8, features / 2);
  return {
    ...{ channels, height, width, formulation },
    low: band(moments.length, { channels, conditioning: 0, features }),
    levels: moments.map((each, i) => ({
      moments: each,
      details: band(i + 1, { channels: 3 * channels, conditioning: channels, features: detailed }),
    })),
    ...{ batch, lr, emaDecay: emaDecayOf(unet) },
  };
}

/** The released 2 levels, or 1 where that leaves less than 8 pixels or does not fit. */
export function defaultLevels({ height, width }: Omit<ImageShape, "channels">): number {
  return height % 4 === 0 && width % 4 === 0 && Math.min(height, width) >= 32 ? 2 : 1;
}

/** @throws UserError `config/size` unless the levels fit the size, `config/levels` for none. */
export function requireLevels({ height, width }: ImageShape, levels: number): void {
  if (levels === 0)
    throw new UserError(
      "config/levels",
      "levels: 0 leave wsgm no details to draw. Use --levels 1 or more, or --preset sgm.",
    );
  requireMultiple(height, width, levels);
}
