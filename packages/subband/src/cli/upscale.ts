/** @module `subband upscale`: enlarges pictures, with a local model as what pictures look like. */
import { type Command, InvalidArgumentError, Option } from "commander";
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
  readonly method: Method;
}

/** Sampling under the picture as a measurement, or scale by scale with the picture as low-pass band. */
type Method = "measured" | "conditional";
const METHODS: readonly Method[] = ["measured", "conditional"];

/** Adds the command. */
export function register(program: Command, context: Context): void {
  const command = addSamplingOptions(
    program.command("upscale").description("enlarge a picture, or every picture of a folder"),
    0,
  )
    .requiredOption("--factor <n>", "2, 4 or 8", parseFactor)
    .addOption(
      new Option(
        "--method <name>",
        "measured: block means stay the picture's; conditional: details drawn level by level, by a model of preset local",
      )
        .choices(METHODS)
        .default("measured"),
    )
    .action(async (input: string, flags: UpscaleFlags) => upscale(context, input, flags));
  addExamples(command, [
    "subband upscale small.png --factor 4 --out large.png",
    "subband upscale small.png --factor 2 --samples 8 --uncertainty map.png",
    "subband upscale small.png --factor 4 --method conditional --model runs/local",
  ]);
}

function parseFactor(text: string): number {
  if (!["2", "4", "8"].includes(text.trim())) throw new InvalidArgumentError("Known: 2, 4, 8.");
  return Number(text);
}

async function upscale(context: Context, input: string, flags: UpscaleFlags): Promise<void> {
  const { upscalePicture } = await import("../restoration/upscale-picture.ts");
  await checkSampling(flags);
  if (flags.method === "conditional") return upscaleByDetails(context, input, flags);
  await restoreAll(context, input, flags, {
    verb: "upscale",
    suffix: `${flags.factor}x`,
    factor: flags.factor,
    map: flags.uncertainty,
    async restore(picture, { denoiser }, onShare) {
      const sigma = await sigmaOf(flags, picture);
      const options = posteriorOptions(flags, onShare);
      const found = await upscalePicture(denoiser, picture, flags.factor, { ...options, sigma });
      return { ...(await sampledResult(flags, sigma, found.picture, found.deviation)), before: found.cubic };
    },
  });
}

/** By the details' networks of a pyramid. */
async function upscaleByDetails(context: Context, input: string, flags: UpscaleFlags): Promise<void> {
  const { UserError } = await import("onnxgrad");
  const { upscaleConditional } = await import("../restoration/upscale-conditional.ts");
  if (flags.sigma !== 0)
    throw new UserError(
      "restoration/method",
      "--sigma: --method conditional takes the picture as it is. Denoise it first (subband denoise), or leave --method out.",
    );
  await restoreAll(context, input, flags, {
    verb: "upscale",
    suffix: `${flags.factor}x`,
    factor: flags.factor,
    map: flags.uncertainty,
    async restore(picture, { loaded: { model, run }, backend }, onShare) {
      const options = { ...posteriorOptions(flags, onShare), detailNoise: run?.local.detailNoise };
      const found = await upscaleConditional(backend, model, picture, flags.factor, options);
      const result = await sampledResult(flags, 0, found.picture, found.deviation);
      const { method } = flags;
      return { ...result, json: { ...result.json, method }, before: found.cubic };
    },
  });
}
