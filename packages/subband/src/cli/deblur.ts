/** @module `subband deblur`: sharpens pictures that a known kernel has blurred. */
import type { Command } from "commander";
import type { BlurKernel } from "../diffusion/measurements/blur.ts";
import type { Context } from "./context.ts";
import { formatSigma } from "./denoise.ts";
import { addExamples, parsePath } from "./options.ts";
import { addSamplingOptions, restoreSampled, type SamplingFlags } from "./sampling-options.ts";

/** Options of the command. */
interface DeblurFlags extends SamplingFlags {
  readonly kernel: string;
}

/** Adds the command. */
export function register(program: Command, context: Context): void {
  const command = addSamplingOptions(
    program.command("deblur").description("sharpen a picture that a known kernel has blurred"),
    "auto",
  )
    .requiredOption(
      "--kernel <picture>",
      "the blur of a white point, of odd sides, in one colour; its sum counts as 1",
      parsePath,
    )
    .action(async (input: string, flags: DeblurFlags) => deblur(context, input, flags));
  addExamples(command, [
    "subband deblur shaken.png --kernel kernel.png --out sharp.png",
    "subband deblur shaken.png --kernel kernel.png --sigma 2/255 --samples 4",
  ]);
}

async function deblur(context: Context, input: string, flags: DeblurFlags): Promise<void> {
  const { kernelOf } = await import("../restoration/blur-kernel.ts");
  const { deblurPicture } = await import("../restoration/deblur-picture.ts");
  const { readPicture } = await import("../restoration/picture.ts");
  let kernel: BlurKernel;
  await restoreSampled(context, input, flags, {
    verb: "deblur",
    suffix: "deblurred",
    companion: {
      what: "--kernel",
      path: flags.kernel,
      async read(source) {
        kernel = kernelOf(await readPicture(source, true));
      },
    },
    async draw(picture, { denoiser }, options) {
      const found = await deblurPicture(denoiser, picture, kernel, options);
      const from = flags.sigma === "auto" ? "estimated" : "given";
      return { ...found, rows: [["noise", `${formatSigma(options.sigma)} ${from}`]] };
    },
  });
}
