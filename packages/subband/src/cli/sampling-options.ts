/** @module Options and results that upscale, inpaint and deblur share: they draw samples of what a picture may have been. */
import type { Command } from "commander";
import type { Picture } from "../restoration/picture.ts";
import type { PosteriorOptions } from "../restoration/sample-posterior.ts";
import type { OnShare } from "../restoration/tiled-denoiser.ts";
import { formatValue } from "./format.ts";
import { parseCount, parsePath, parseSteps } from "./options.ts";
import type { Restored } from "./restore-one.ts";
import { addRestoreOptions, parseSigma, type RestoreFlags } from "./restore.ts";

/** Options of every command that samples. */
export interface SamplingFlags extends RestoreFlags {
  readonly seed: number;
  readonly samples?: number;
  readonly uncertainty?: string;
  readonly sigma: number | "auto";
}

/** Samples of an uncertainty map, when no number was asked for. */
const MAP_SAMPLES = 8;

/** Adds the options; `sigma` is the default noise of the picture. */
export function addSamplingOptions(command: Command, sigma: number | "auto"): Command {
  return addRestoreOptions(command)
    .option("--samples <n>", "samples to take the mean of (default: 1, or 8 for a map)", parseSteps)
    .option("--seed <n>", "seed of the samples", parseCount, 0)
    .option("--uncertainty <map>", "picture of the deviation of every pixel over the samples", parsePath)
    .option(
      "--sigma <level>",
      "noise of the picture, white being 1: 0.1, or 25/255, or auto",
      parseSigma,
      sigma,
    );
}

/** The samples to draw. */
export function posteriorOptions(flags: SamplingFlags, onShare: OnShare): PosteriorOptions {
  const { seed, uncertainty, samples = uncertainty === undefined ? 1 : MAP_SAMPLES } = flags;
  return { seed, samples, ...(onShare !== undefined && { onShare }) };
}

/** The result of a sampling command, with its map. */
export async function sampledResult(
  flags: SamplingFlags,
  sigma: number,
  picture: Picture,
  deviation: Float32Array | undefined,
): Promise<Restored> {
  const { samples } = posteriorOptions(flags, undefined);
  const told = { samples, seed: flags.seed, sigma };
  if (flags.uncertainty === undefined || deviation === undefined) return { picture, json: told };
  const { uncertaintyMap } = await import("../restoration/restore-measured.ts");
  const map = uncertaintyMap(deviation, picture.height, picture.width);
  return {
    picture,
    extra: [{ path: flags.uncertainty, picture: map.picture }],
    rows: [["uncertainty", `${flags.uncertainty}, white is a deviation of ${formatValue(map.white)}`]],
    json: { ...told, uncertainty: flags.uncertainty, uncertaintyWhite: map.white },
  };
}

/** Refuses a map of one sample, before anything is read. @throws UserError `restoration/samples`. */
export async function checkSampling(flags: SamplingFlags): Promise<void> {
  if (flags.uncertainty === undefined || posteriorOptions(flags, undefined).samples >= 2) return;
  const { UserError } = await import("onnxgrad");
  throw new UserError("restoration/samples", "--uncertainty needs --samples of 2 or more.");
}

/** The noise to reckon with: the level given, or what the picture seems to have. */
export async function sigmaOf(flags: SamplingFlags, picture: Picture): Promise<number> {
  if (flags.sigma !== "auto") return flags.sigma;
  const { estimateNoise } = await import("../restoration/noise-level.ts");
  return estimateNoise(picture);
}
