/** @module `subband sample` of a local model: the low-pass band, then details given it, and what both cost. */
import { join } from "node:path";
import { unknownName, UserError } from "onnxgrad/errors";
import { node } from "onnxgrad/node";
import { releasedSynthesis } from "../diffusion/ascent/multi-scale.ts";
import { samplerPlan, samplers } from "../diffusion/samplers/samplers.ts";
import { modelPath } from "../restoration/model-source.ts";
import { levelsOf } from "../systems/parts/local/model.ts";
import { compileLocalSampler, requireSampleSize } from "../systems/parts/local/sampler.ts";
import { DETAIL_ASCENT, type LowPassSampling, sampleLocal } from "../systems/parts/local/sampling.ts";
import { loadModel, type RunOfModel } from "../training/model-file.ts";
import { weightsNamed } from "../loop/weights.ts";
import type { Context } from "./context.ts";
import { bestLine, formatCount } from "./format.ts";
import type { Size } from "./options.ts";
import { withFolders } from "./output-folders.ts";
import { formatTable } from "./output.ts";
import { createProgress } from "./progress.ts";
import { planSampleFiles, writeSamples } from "./sample-files.ts";
import type { SampleFlags } from "./sample.ts";
import { shownPath } from "./standard-streams.ts";

/** What a sampling of a local model gave and cost. */
export interface LocalOutcome {
  readonly run: string;
  readonly n: number;
  readonly size: Size;
  readonly seed: number;
  readonly sampler: string;
  /** Of the sampler; null for stochastic ascent, which stops by itself. */
  readonly steps: number | null;
  /** Which network drew the low-pass band. */
  readonly lowPass: "blind" | "edm-low";
  readonly levels: number;
  /** Null where the ascent does not depend on it. */
  readonly beta: number | null;
  readonly detailsBeta: number | null;
  readonly weights: string;
  readonly best: RunOfModel["best"];
  /** Network calls an image, on average: on the low-pass band, and for the details. */
  readonly nfeLow: number;
  readonly nfeDetail: number;
  readonly converged: boolean;
  readonly batch: number;
  readonly msPerImage: number;
  readonly compileMs: number;
  readonly grid: string;
  readonly each: string | null;
}

const STEPS = 20;
const ASCENT = "ascent";

/**
 * Draws images from a local model and writes them.
 * @throws UserError `sample/option`, `sample/size`; `unknown/sampler`; what `loadModel` and `sampleLocal` throw.
 */
export async function sampleLocalModel(
  context: Context,
  { run, n, seed, batch: most, each, threads, ...flags }: SampleFlags & { readonly run: string },
): Promise<LocalOutcome> {
  const { sampler = "dpmpp2m" } = flags;
  const low = lowPassSampling(sampler, flags);
  const loaded = loadModel(modelPath(run), weightsNamed(flags.weights ?? "last"));
  const { model } = loaded;
  if (loaded.run === undefined && flags.weights !== undefined)
    throw new UserError(
      "sample/option",
      `--weights: "${run}" is a model, which has but one set. Leave it out.`,
    );
  const prior = flags.blind === true || sampler === ASCENT ? undefined : loaded.run?.prior;
  const size = flags.size ?? loaded.run?.image;
  if (size === undefined)
    throw new UserError(
      "sample/size",
      `"${run}" does not tell the size of the images that it was trained on. Give --size, such as ${40 * 2 ** levelsOf(model)}.`,
    );
  const { height, width } = size;
  requireSampleSize(model, prior, { height, width });
  const levels = model.kind === "pyramid" ? levelsOf(model) : 0;
  if (levels === 0 && flags.detailsBeta !== undefined)
    throw new UserError(
      "sample/option",
      "--details-beta: this model draws whole images, no details. Leave it out.",
    );
  const details = {
    ...DETAIL_ASCENT,
    ...(flags.detailsBeta === undefined ? {} : { beta: flags.detailsBeta }),
  };
  const { out: grid = gridOf(run, loaded.run !== undefined) } = flags;
  const shape = { channels: model.channels, height, width };
  const files = planSampleFiles(context, modelPath(run), { grid, each }, n, shape);

  const progress = createProgress(context);
  const draw = async (): Promise<LocalOutcome> => {
    if (loaded.run?.warning !== undefined) progress.note(`warning: ${loaded.run.warning}`);
    const batch = Math.min(n, most);
    const began = performance.now();
    const backend = node(threads === undefined ? {} : { threads });
    const compiled = await compileLocalSampler(backend, model, prior, { batch, height, width });
    const compileMs = performance.now() - began;
    const started = performance.now();
    const { data, nfeLow, nfeDetail, converged } = await sampleLocal(compiled, {
      ...{ seed, count: n, low, details, detailNoise: loaded.run?.detailNoise },
      onProgress: (done) =>
        progress.update({
          label: "sample",
          done: Math.floor(done),
          total: n,
          unit: "images",
          fraction: done / n,
        }),
    });
    const msPerImage = (performance.now() - started) / n;
    await compiled.dispose();
    if (!converged)
      progress.note(
        "warning: some images did not reach the noise level at which ascent stops; they are as it left them",
      );
    await writeSamples(context, { grid, each }, { data, n, ...shape });
    return {
      ...{ run, n, seed, sampler, levels, nfeLow, nfeDetail, converged, batch, msPerImage, compileMs, grid },
      size: { width, height },
      steps: "steps" in low ? low.steps : null,
      lowPass: prior === undefined ? "blind" : "edm-low",
      beta: "ascent" in low ? (low.ascent.beta ?? releasedSynthesis.low!.beta!) : null,
      detailsBeta: levels === 0 ? null : details.beta!,
      weights: loaded.run?.weights ?? "last",
      best: loaded.run?.best ?? {},
      each: each ?? null,
    };
  };
  return withFolders(files, draw).finally(() => progress.finish());
}

/** The method of the low-pass band that was asked for. */
function lowPassSampling(
  sampler: string,
  { steps, beta }: Pick<SampleFlags, "steps" | "beta">,
): LowPassSampling {
  if (sampler === ASCENT) {
    if (steps !== undefined)
      throw new UserError("sample/option", "--steps: ascent takes as many as it needs. Leave it out.");
    return { ascent: beta === undefined ? {} : { beta } };
  }
  if (beta !== undefined)
    throw new UserError(
      "sample/option",
      `--beta: sampler ${sampler} has no such option. It belongs to --sampler ${ASCENT}.`,
    );
  // Refuses an unknown one, and suggests among all that there are.
  if (!Object.hasOwn(samplers, sampler))
    throw unknownName("sampler", sampler, [...Object.keys(samplers), ASCENT]);
  samplerPlan(sampler, steps ?? STEPS);
  return { sampler, steps: steps ?? STEPS };
}

/** In the run; beside a model, whose folder holds nothing else. */
function gridOf(path: string, isRun: boolean): string {
  return isRun ? join(path, "grid.png") : `${path.replace(/\.safetensors$|\/+$/, "")}-grid.png`;
}

/** The outcome for people. */
export function localLines(outcome: LocalOutcome): string[] {
  const { n, seed, size, sampler, steps, lowPass, levels, beta, detailsBeta, weights, best } = outcome;
  const { nfeLow, nfeDetail, msPerImage, batch, grid, each } = outcome;
  const calls = (nfe: number): string => String(Math.round(nfe));
  const method = steps === null ? `stochastic ascent, beta ${beta}` : `${sampler}, ${steps} steps`;
  const network = lowPass === "blind" ? "the blind network" : "its own diffusion (edm-low)";
  return formatTable([
    ["images", `${formatCount(n)} of ${size.width} x ${size.height}, seed ${seed}`],
    [levels === 0 ? "image" : "low-pass band", `${method}, on ${network}`],
    ...(levels === 0
      ? []
      : [
          [
            "details",
            `stochastic ascent, beta ${detailsBeta}, ${levels} ${levels === 1 ? "level" : "levels"}`,
          ] as const,
        ]),
    ...(weights === "last" ? [] : [["best weights", bestLine(best)] as const]),
    ["network calls", `${calls(nfeLow)} + ${calls(nfeDetail)} an image (low-pass band + details)`],
    ["time", `${msPerImage.toFixed(1)} ms an image at batch ${batch}`],
    ["grid", shownPath(grid)],
    ...(each === null ? [] : [["each", each] as const]),
  ]);
}
