/** @module `subband upscale`: enlarges pictures, with a local model as what pictures look like. */
import { type Command, InvalidArgumentError } from "commander";
import type { Context } from "./context.ts";
import { addExamples } from "./options.ts";
import { restoreAll } from "./restore.ts";
import {
  addSamplingOptions,
  checkSampling,
  posteriorOptions,
  sampledResult,
  type SamplingFlags,
  sigmaOf,
} from "./sampling-options.ts";

/** Options of the command. */
interface UpscaleFlags extends SamplingFlags {
  readonly factor: number;
}

/** Adds the command. */
export function register(program: Command, context: Context): void {
  const command = addSamplingOptions(
    program.command("upscale").description("enlarge a picture, or every picture of a folder"),
    0,
  )
    .requiredOption("--factor <n>", "2, 4 or 8", parseFactor)
    .action(async (input: string, flags: UpscaleFlags) => upscale(context, input, flags));
  addExamples(command, [
    "subband upscale small.png --factor 4 --out large.png",
    "subband upscale small.png --factor 2 --samples 8 --uncertainty map.png",
  ]);
}

function parseFactor(text: string): number {
  if (!["2", "4", "8"].includes(text.trim())) throw new InvalidArgumentError("Known: 2, 4, 8.");
  return Number(text);
}

async function upscale(context: Context, input: string, flags: UpscaleFlags): Promise<void> {
  const { upscalePicture } = await import("../restoration/upscale-picture.ts");
  await checkSampling(input, flags);
  await restoreAll(context, input, flags, {
    verb: "upscale",
    suffix: `${flags.factor}x`,
    async restore(picture, denoiser, onShare) {
      const sigma = await sigmaOf(flags, picture);
      const options = posteriorOptions(flags, onShare);
      const found = await upscalePicture(denoiser, picture, flags.factor, sigma, options);
      return { ...(await sampledResult(flags, sigma, found.picture, found.deviation)), before: found.cubic };
    },
  });
}
