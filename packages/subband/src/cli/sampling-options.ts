/** @module What upscale, inpaint and deblur share: they draw samples of what a picture may have been, under options of theirs. */
import type { Command } from "commander";
import type { Picture } from "../restoration/picture.ts";
import type { PosteriorOptions } from "../restoration/sample-posterior.ts";
import type { Context } from "./context.ts";
import { formatValue } from "./format.ts";
import { parseCount, parsePath, parseSteps } from "./options.ts";
import type { OpenModel, Restoration, Restored } from "./restore-one.ts";
import { addRestoreOptions, parseSigma, restoreAll, type RestoreFlags } from "./restore.ts";

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

/** What is drawn of one picture, and what is told of it besides the samples. */
export interface Drawn extends Omit<Restored, "extra"> {
  /** Of every pixel over the samples; absent for one sample. */
  readonly deviation?: Float32Array | undefined;
}

/** A command that draws samples. */
export interface Sampling extends Omit<Restoration, "restore" | "map"> {
  draw(
    picture: Picture,
    model: OpenModel,
    options: PosteriorOptions & { readonly sigma: number },
  ): Promise<Drawn>;
}

/**
 * Draws samples for every picture of the input and tells about them, with the map of uncertainty where it was asked for.
 * @throws UserError `restoration/samples` for a map of one sample, before anything is read; what `restoreAll` throws.
 */
export async function restoreSampled(
  context: Context,
  input: string,
  flags: SamplingFlags,
  { draw, ...restoration }: Sampling,
): Promise<void> {
  const { seed, uncertainty, samples = uncertainty === undefined ? 1 : MAP_SAMPLES } = flags;
  if (uncertainty !== undefined && samples < 2) {
    const { UserError } = await import("onnxgrad");
    throw new UserError("restoration/samples", "--uncertainty needs --samples of 2 or more.");
  }
  await restoreAll(context, input, flags, {
    ...restoration,
    map: uncertainty,
    async restore(picture, model, onShare) {
      const sigma = await sigmaOf(flags, picture);
      const options = { seed, samples, sigma, ...(onShare !== undefined && { onShare }) };
      const { deviation, rows = [], json, ...drawn } = await draw(picture, model, options);
      const map = await mapOf(uncertainty, drawn.picture, deviation);
      return {
        ...drawn,
        ...(map && { extra: [map.file] }),
        rows: [...rows, ...(map?.rows ?? [])],
        json: { samples, seed, sigma, ...map?.json, ...json },
      };
    },
  });
}

/** The map of uncertainty at `path`, where one was asked for. */
async function mapOf(path: string | undefined, picture: Picture, deviation: Float32Array | undefined) {
  if (path === undefined || deviation === undefined) return undefined;
  const { uncertaintyMap } = await import("../restoration/restore-measured.ts");
  const { picture: map, white } = uncertaintyMap(deviation, picture.height, picture.width);
  return {
    file: { path, picture: map },
    rows: [["uncertainty", `${path}, white is a deviation of ${formatValue(white)}`]] as const,
    json: { uncertainty: path, uncertaintyWhite: white },
  };
}

/** The noise to reckon with: the level given, or what the picture seems to have. */
async function sigmaOf({ sigma }: SamplingFlags, picture: Picture): Promise<number> {
  if (sigma !== "auto") return sigma;
  const { estimateNoise } = await import("../restoration/noise-level.ts");
  return estimateNoise(picture);
}
