/** @module `subband inpaint`: fills in the marked part of pictures, with a local model as what pictures look like. */
import type { Command } from "commander";
import type { Picture } from "../restoration/picture.ts";
import type { Context } from "./context.ts";
import { formatCount } from "./format.ts";
import { addExamples, parsePath } from "./options.ts";
import { addSamplingOptions, restoreSampled, type SamplingFlags } from "./sampling-options.ts";

/** Options of the command. */
interface InpaintFlags extends SamplingFlags {
  readonly mask: string;
}

/** Adds the command. */
export function register(program: Command, context: Context): void {
  const command = addSamplingOptions(
    program.command("inpaint").description("fill in the part of a picture that a mask marks"),
    0,
  )
    .requiredOption(
      "--mask <picture>",
      "of the same size: white is filled in, black is kept; with transparency, what is painted is filled in",
      parsePath,
    )
    .action(async (input: string, flags: InpaintFlags) => inpaint(context, input, flags));
  addExamples(command, [
    "subband inpaint scratched.png --mask scratches.png --out whole.png",
    "subband inpaint scratched.png --mask scratches.png --samples 8 --uncertainty map.png",
  ]);
}

async function inpaint(context: Context, input: string, flags: InpaintFlags): Promise<void> {
  const { inpaintPicture } = await import("../restoration/inpaint-picture.ts");
  const { readPicture } = await import("../restoration/picture.ts");
  let mask: Picture;
  await restoreSampled(context, input, flags, {
    verb: "inpaint",
    suffix: "inpainted",
    companion: {
      what: "--mask",
      path: flags.mask,
      async read(source) {
        mask = await readPicture(source, true);
      },
    },
    async draw(picture, { denoiser }, options) {
      const { filled, ...found } = await inpaintPicture(denoiser, picture, mask, options);
      return { ...found, rows: [["filled in", `${formatCount(filled)} pixels`]], json: { filled } };
    },
  });
}
