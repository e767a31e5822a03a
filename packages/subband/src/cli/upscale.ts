/** @module `subband upscale`: enlarges pictures, with a local model as what pictures look like. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Context } from "./context.ts";
import { addExamples } from "./options.ts";
import { addSamplingOptions, restoreSampled, type Sampling, type SamplingFlags } from "./sampling-options.ts";

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
  const { factor, method } = flags;
  await restoreSampled(context, input, flags, {
    verb: "upscale",
    suffix: `${factor}x`,
    factor,
    draw: method === "conditional" ? await byDetails(flags) : await underMeasurements(factor),
  });
}

async function underMeasurements(factor: number): Promise<Sampling["draw"]> {
  const { upscalePicture } = await import("../restoration/upscale-picture.ts");
  return async (picture, { denoiser }, options) => {
    const { cubic: before, ...found } = await upscalePicture(denoiser, picture, factor, options);
    return { ...found, before };
  };
}

/** By the details' networks of a pyramid. */
async function byDetails({ factor, method, sigma: noise }: UpscaleFlags): Promise<Sampling["draw"]> {
  const { UserError } = await import("onnxgrad");
  const { upscaleConditional } = await import("../restoration/upscale-conditional.ts");
  if (noise !== 0)
    throw new UserError(
      "restoration/method",
      "--sigma: --method conditional takes the picture as it is. Denoise it first (subband denoise), or leave --method out.",
    );
  return async (picture, { loaded: { model, run }, backend }, { sigma: _, ...options }) => {
    const { cubic: before, ...found } = await upscaleConditional(backend, model, picture, factor, {
      ...options,
      detailNoise: run?.local.detailNoise,
    });
    return { ...found, before, json: { method } };
  };
}
