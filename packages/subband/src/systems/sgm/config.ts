/** @module Configuration of `sgm`: plain data, resolved from the size of the images. A run directory keeps it whole. */
import { UserError } from "onnxgrad";
import type { Chosen } from "../options.ts";
import { type DiffusionOptions, emaDecayOf } from "../parts/diffusion-choice.ts";
import type { ProcessName } from "../parts/processes.ts";
import { unetConfig, type UnetConfig } from "../parts/unet.ts";
import type { ImageShape } from "../system.ts";

/** Resolved configuration of an `sgm`. */
export interface SgmConfig extends ImageShape {
  readonly formulation: ProcessName;
  readonly network: UnetConfig;
  /** Images a step. */
  readonly batch: number;
  /** Peak learning rate. */
  readonly lr: number;
  /** Decay of the parameter average a step. */
  readonly emaDecay: number;
}

/** Fills in all that was not chosen. */
export function resolveSgmConfig(
  { formulation, unet, batch, lr, width: features }: Chosen<DiffusionOptions>,
  { channels, height, width }: ImageShape,
): SgmConfig {
  return {
    ...{ channels, height, width, formulation },
    network: unetConfig({ unet, channels, conditioning: 0, features, height, width }),
    ...{ batch, lr, emaDecay: emaDecayOf(unet) },
  };
}

/** @throws UserError `config/size` for odd sizes, which no U-Net can halve. */
export function requireEven({ height, width }: ImageShape): void {
  if (height % 2 === 0 && width % 2 === 0) return;
  const even = (n: number): number => n + (n % 2);
  throw new UserError(
    "config/size",
    `size: ${height}x${width} does not fit sgm, whose U-Net halves images: it takes even sizes. ` +
      `Use --size ${even(height)}x${even(width)}.`,
  );
}
