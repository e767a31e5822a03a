/** @module Score-based diffusion on pixels (Song et al. 2021; Karras et al. 2022): one network, no wavelets. */
import { drawBand } from "../parts/band-diffusion.ts";
import type { DiffusedBand } from "../parts/diffused-band.ts";
import { diffusionStage } from "../parts/diffusion-stage.ts";
import { processNamed, sideOf } from "../parts/processes.ts";
import { drawBySampler } from "../parts/steps.ts";
import { unet } from "../parts/unet.ts";
import type { System } from "../system.ts";
import type { SgmConfig } from "./config.ts";

/** Standard deviation of pixels in [-1, 1] that EDM reckons with (Karras et al. 2022, table 1). */
const DEVIATION = 0.5;

/** The system of a configuration. */
export function sgm({ channels, height, width, formulation, network, ...training }: SgmConfig): System {
  const image = { channels, height, width };
  const pixels: DiffusedBand = {
    name: "denoiser",
    stage: "image",
    extents: [channels, height, width],
    network: unet(network),
    ...processNamed(formulation, DEVIATION, "quadratic", sideOf([height, width])),
    prepare: (clean) => ({ clean }),
  };
  return {
    image,
    pyramid: { levels: 0 },
    stages: [diffusionStage(pixels, { ...training, image, share: 1 })],
    draw: drawBySampler({ sampler: formulation === "ou" ? "ddpm" : "dpmpp2m", steps: 16 }, (chosen) => [
      drawBand(pixels, chosen, { name: "image", gives: pixels.extents, level: 0, finish: (x) => x }),
    ]),
  };
}
