/** @module `subband denoise`: takes the noise out of pictures with a local model. */
import type { Command } from "commander";
import type { Context } from "./context.ts";
import { addExamples } from "./options.ts";
import { addRestoreOptions, parseSigma, restoreAll, type RestoreFlags } from "./restore.ts";

/** Options of the command. */
interface DenoiseFlags extends RestoreFlags {
  readonly sigma: number | "auto";
}

/** Adds the command. */
export function register(program: Command, context: Context): void {
  const command = addRestoreOptions(
    program
      .command("denoise")
      .description("take the noise out of a picture, or of every picture of a folder"),
  )
    .option(
      "--sigma <level>",
      "noise to take away at most, white being 1 (0.1, or 25/255); auto: all that the network finds, which needs no level",
      parseSigma,
      "auto",
    )
    .action(async (input: string, flags: DenoiseFlags) => denoise(context, input, flags));
  addExamples(command, [
    "subband denoise noisy.png --out clean.png",
    "subband denoise photos --out clean --model models/celeba",
    "subband denoise noisy.png --sigma 10/255 --compare original.png",
    "subband denoise - --out - < noisy.png > clean.png",
  ]);
}

async function denoise(context: Context, input: string, flags: DenoiseFlags): Promise<void> {
  const { denoisePicture } = await import("../restoration/denoise-picture.ts");
  const { estimateNoise } = await import("../restoration/noise-level.ts");
  const { sigma } = flags;
  await restoreAll(context, input, flags, {
    verb: "denoise",
    suffix: "denoised",
    async restore(picture, { denoiser }, onShare) {
      const found = estimateNoise(picture);
      const strength = sigma === "auto" || sigma >= found ? 1 : sigma / found;
      const more = sigma !== "auto" && sigma > 1.25 * found;
      return {
        picture: await denoisePicture(denoiser, picture, { strength, onShare }),
        rows: [
          [
            "noise",
            `${formatSigma(found)} estimated${strength < 1 ? `, ${Math.round(100 * strength)} % of it taken away` : ""}`,
          ],
        ],
        json: { estimatedSigma: found, strength },
        notes: more
          ? [
              `the noise was estimated as ${formatSigma(found)}, less than the ${formatSigma(sigma)} given: the network finds the ` +
                `level itself and cannot be told to take more.`,
            ]
          : [],
      };
    },
  });
}

/** `0.098 (25.0/255)`. */
export function formatSigma(sigma: number): string {
  return `${sigma.toFixed(3)} (${(255 * sigma).toFixed(1)}/255)`;
}
