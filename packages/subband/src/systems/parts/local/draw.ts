/**
 * @module How local models draw images (Kadkhodaie et al. 2023, algorithm 2): the coarsest low-pass band, by a diffusion
 * that was trained for it or by the blind network, then the details by stochastic ascent given the band. Images have any
 * extents that the model takes; image i depends on (seed, i) alone.
 */
import { UserError, unknownName } from "onnxgrad";
import { releasedSynthesis } from "../../../diffusion/ascent/multi-scale.ts";
import { samplerNamed, samplers } from "../../../diffusion/samplers/samplers.ts";
import { requireSteps } from "../../../diffusion/schedules/schedule.ts";
import { type Asked, type Extent, extent, type Option, share, toggle } from "../../options.ts";
import { SAMPLING } from "../options.ts";
import type { Arrays, Draw, DrawChoice, DrawStep } from "../../draw.ts";
import { openBlind } from "./blind-band.ts";
import { DETAIL_ASCENT, openDetails } from "./detail-ascent.ts";
import { drawEdmLow, type EdmLowConfig, multipleOf } from "./low-pass-prior.ts";
import { type LocalModel, requireCleanCondition, requirePyramid } from "./model.ts";

/** Options of drawing from a local model. */
export const LOCAL_DRAWING: {
  readonly sampler: Option<string>;
  readonly steps: Option<number>;
  readonly size: Option<Extent>;
  readonly beta: Option<number>;
  readonly detailsBeta: Option<number>;
  readonly blind: Option<boolean>;
} = {
  ...SAMPLING,
  size: extent("--size <pixels>", "size of the images (default: that of training)"),
  beta: share("--beta <b>", "of --sampler ascent; below 1 adds noise (default: 0.01)"),
  detailsBeta: share("--details-beta <b>", "of the details' ascent (default: 0.1)"),
  blind: toggle("--blind", "the blind network even where the run has a diffusion (--edm-low)"),
};

type Size = Pick<Extent, "height" | "width">;

/** What images are drawn from. */
export interface LocalSource {
  readonly channels: 1 | 3;
  /** Wavelet levels of the model, by whose extents images go. */
  readonly levels: number;
  /** Whether it has networks of details: a flat model and a U-Net draw whole images. */
  readonly hasDetails: boolean;
  /** Of the training images, where it is known. */
  readonly image?: Size | undefined;
  /** The diffusion of the low-pass band, where one was trained. */
  readonly prior?: EdmLowConfig | undefined;
  /** The strongest noise that the networks of details know, the finest level first; default 1/4 each. */
  readonly detailNoise?: readonly number[] | undefined;
  /** The model in the arrays of a checkpoint. */
  model(arrays: Arrays): LocalModel;
}

/** How images are drawn from a local model. */
export interface LocalChoice extends DrawChoice {
  readonly size: Size;
  /** Which network draws the low-pass band. */
  readonly lowPass: "blind" | "edm-low";
  /** Levels of details; 0: the band is the image. */
  readonly levels: number;
  /** Of the ascent of the band; null where a sampler draws it. */
  readonly beta: number | null;
  /** Of the ascent of the details; null where there are none. */
  readonly detailsBeta: number | null;
}

/** What may be asked of that. */
export type LocalAsked = Asked<typeof LOCAL_DRAWING>;

const ASCENT = "ascent";
const STEPS = 20;

/** The ability of a local model to draw. */
export function localDraw(source: LocalSource): Draw<LocalChoice, LocalAsked> {
  const { channels, hasDetails, prior } = source;
  const levels = hasDetails ? source.levels : 0;
  return {
    choose(asked) {
      const method = methodOf(asked);
      const lowPass =
        prior === undefined || asked.blind === true || method.steps === null ? "blind" : "edm-low";
      const size = sizeOf(source, asked, lowPass === "blind" ? 1 : multipleOf(prior!));
      if (levels === 0 && asked.detailsBeta !== undefined)
        throw new UserError(
          "sample/option",
          "--details-beta: this model draws whole images, no details. Leave it out.",
        );
      const detailsBeta = levels === 0 ? null : (asked.detailsBeta ?? DETAIL_ASCENT.beta!);
      return { ...method, size, lowPass, levels, detailsBeta };
    },
    steps({ sampler, steps, size, lowPass, beta, detailsBeta }) {
      const { height, width } = size;
      const band = [channels, height / 2 ** levels, width / 2 ** levels];
      const chosen = steps === null ? { ascent: { beta: beta! } } : { sampler, steps };
      const common = { name: "low", gives: band, level: levels };
      const low: DrawStep =
        lowPass === "edm-low"
          ? drawEdmLow(prior!, { sampler, steps: steps! }, common)
          : {
              ...{ kind: "host", ...common },
              open: async (backend, arrays, batch) =>
                openBlind(backend, cleanModel(source, arrays), batch, band, chosen),
            };
      if (levels === 0) return [low];
      return [
        low,
        {
          ...{ kind: "host", name: "details", gives: [channels, height, width], level: 0 },
          open: async (backend, arrays, batch) =>
            openDetails(
              backend,
              requirePyramid(cleanModel(source, arrays), "sampling"),
              { batch, height, width },
              { ...DETAIL_ASCENT, beta: detailsBeta! },
              source.detailNoise,
            ),
        },
      ];
    },
    describe({ sampler, steps, lowPass, beta, detailsBeta }) {
      const method = steps === null ? `stochastic ascent, beta ${beta}` : `${sampler}, ${steps} steps`;
      const network = lowPass === "blind" ? "the blind network" : "its own diffusion (edm-low)";
      const low = [levels === 0 ? "image" : "low-pass band", `${method}, on ${network}`] as const;
      if (levels === 0) return [low];
      const count = `${levels} ${levels === 1 ? "level" : "levels"}`;
      return [low, ["details", `stochastic ascent, beta ${detailsBeta}, ${count}`]];
    },
  };
}

/** @throws UserError `local/condition` for a model that sees noisy low-pass bands. */
function cleanModel(source: LocalSource, arrays: Arrays): LocalModel {
  const model = source.model(arrays);
  requireCleanCondition(model, "sampling");
  return model;
}

/** The method of the low-pass band that was asked for. */
function methodOf({
  sampler = "dpmpp2m",
  steps,
  beta,
}: LocalAsked): Pick<LocalChoice, "sampler" | "steps" | "beta"> {
  if (sampler === ASCENT) {
    if (steps !== undefined)
      throw new UserError("sample/option", "--steps: ascent takes as many as it needs. Leave it out.");
    return { sampler, steps: null, beta: beta ?? releasedSynthesis.low!.beta! };
  }
  if (!Object.hasOwn(samplers, sampler))
    throw unknownName("sampler", sampler, [ASCENT, ...Object.keys(samplers)]);
  if (beta !== undefined)
    throw new UserError(
      "sample/option",
      `--beta: sampler ${sampler} has no such option; it belongs to --sampler ascent. Leave it out.`,
    );
  samplerNamed(sampler);
  requireSteps(steps ?? STEPS);
  return { sampler, steps: steps ?? STEPS, beta: null };
}

/** @throws UserError `sample/size` for extents that the model cannot make; `factor` is what its band is a multiple of. */
function sizeOf({ levels, image }: LocalSource, asked: LocalAsked, factor: number): Size {
  const size = asked.size ?? image;
  if (size === undefined)
    throw new UserError(
      "sample/size",
      `this model does not tell the size of the images that it was trained on. Give --size, such as ${40 * 2 ** levels}.`,
    );
  const unit = 2 ** levels * factor;
  const { height, width } = size;
  if (height % unit === 0 && width % unit === 0) return { height, width };
  const near = (extent: number): number => Math.max(unit, Math.round(extent / unit) * unit);
  throw new UserError(
    "sample/size",
    `size: ${width}x${height}; this model makes images whose extents are multiples of ${unit}. Use --size ` +
      `${near(width)}x${near(height)}.`,
  );
}
