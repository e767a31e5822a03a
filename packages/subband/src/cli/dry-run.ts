/** @module `subband train --dry-run`: what would be trained, what it costs to sample, and how much memory it takes. */
import { full, inSlices, type NamedArray, State } from "onnxgrad";
import { type NetworkCost, networkCosts } from "../drawing/draw-cost.ts";
import type { DrawChoice } from "../systems/draw.ts";
import { macsPerPixel } from "../systems/parts/local/cost.ts";
import type { Stage } from "../systems/stage.ts";
import type { LocalCodec } from "../systems/system.ts";
import { estimatingMemory } from "../loop/memory.ts";
import { type RunConfig, systemOf } from "../training/run-config.ts";
import { previewDrawing } from "../training/preview.ts";
import { planRun, type RunPlan, type TrainRequest } from "../training/train-run.ts";
import type { Context } from "./context.ts";
import { formatBytes, formatCount, stagesLine } from "./format.ts";
import { answer, formatTable, note } from "./output.ts";
import { dataListeners, withProgress } from "./progress.ts";

/** Prints what `request` would train, `verbose` with the whole configuration; the run directory is not touched. */
export async function dryRun(context: Context, request: TrainRequest, verbose: boolean): Promise<void> {
  const plan = await withProgress(context, async (progress) => {
    const { onProgress: onData, onWarning } = dataListeners(progress);
    return planRun(request, { onData, onWarning });
  });
  const alone = process.memoryUsage.rss(); // before networks are traced, which takes memory that comes free again
  const { config, seed, dataBytes, exists, leftovers } = plan;
  const { stages, draw, local } = systemOf(config);
  const chosen = draw.choose({});
  const networks = networkCosts(stages, draw.steps(chosen));
  const use = local ? denoisingUse(local, stages) : samplingUse(chosen, networks);
  const estimate = await inSlices(estimatingMemory(stages, local ? undefined : previewDrawing(draw)));
  const memory = { ...estimate, images: dataBytes, process: alone };
  const total = Object.values(memory).reduce((a, b) => a + b, 0);

  if (exists) note(context, `${request.out} exists: this is its own configuration`);
  answer(context, {
    lines: [
      ...formatTable([
        ["budget", budgetLine(plan)],
        ...networks.map((network) => [network.name, networkLine(network, local)] as const),
        use.row,
        [
          "memory, estimated",
          `${formatBytes(total)}: ${Object.entries(memory)
            .map(([what, bytes]) => `${what} ${formatBytes(bytes)}`)
            .join(", ")}`,
        ],
        ["configuration", verbose ? "" : `${outline(config, seed)}; all of it: --verbose`],
      ]),
      ...(verbose ? JSON.stringify({ seed, ...config }, undefined, 2).split("\n") : []),
    ],
    json: {
      dryRun: true,
      run: request.out,
      exists,
      seed,
      config,
      skipped: leftovers.skipped,
      skippedFiles: leftovers.skippedNames,
      networks,
      ...use.json,
      memoryEstimate: { ...memory, total },
    },
  });
}

/** `"preset": "wmgm", "data": "faces", ...`: what most ask about, named as in the configuration. */
function outline({ preset, options, data, model }: RunConfig, seed: number): string {
  const { channels, height, width } = model;
  const said = { preset, data: data.name, size: `${width}x${height}`, channels, ...options, seed };
  return Object.entries(said)
    .map(([name, value]) => `"${name}": ${JSON.stringify(value)}`)
    .join(", ");
}

/** What using the trained model costs, as a row and for programs. */
interface UseCost {
  readonly row: readonly [what: string, cost: string];
  readonly json: Readonly<Record<string, unknown>>;
}

function samplingUse(chosen: DrawChoice, networks: readonly NetworkCost[]): UseCost {
  const gmac = networks
    .flatMap(({ steps }) => steps)
    .reduce((total, { calls, gmac: each }) => total + calls * each, 0);
  return {
    row: ["sampling", `${gmac.toPrecision(4)} GMAC an image, ${chosen.sampler} in ${chosen.steps} steps`],
    json: { sampling: { ...chosen, gmacPerImage: gmac } },
  };
}

function denoisingUse(local: LocalCodec, stages: readonly Stage[]): UseCost {
  const macs = macsPerPixel(local.model(new Map(stages.flatMap(shapesOf))));
  return {
    row: ["denoising", `${(macs / 1000).toPrecision(4)} k multiply-accumulates a pixel`],
    json: { denoising: { macsPerPixel: macs } },
  };
}

/** Arrays as a checkpoint of the stage names them; only their shapes mean anything, but a model asks for deviations > 0. */
function shapesOf({ name, layout }: Stage): (readonly [string, NamedArray])[] {
  return [...new State(layout()).tensors()].map(([key, { shape }]) => [`${name}.${key}`, full(shape, 1)]);
}

function budgetLine({ config: { images, minutes, pace } }: RunPlan): string {
  const planned = stagesLine(images);
  if (minutes === undefined || pace === undefined) return planned;
  return `${minutes} minutes, shared by the clock${planned === "" ? "" : `; planned so far: ${planned}`}`;
}

function networkLine({ parameters, steps }: NetworkCost, local: LocalCodec | undefined): string {
  const size = `${formatCount(parameters)} parameters`;
  if (steps.length === 0) return local ? size : `${size}, in training only`;
  const cost = steps.map(({ gmac }) => gmac.toPrecision(3)).join(" + ");
  return `${size}, ${cost} GMAC ${steps.some(({ calls }) => calls > 1) ? "a call" : "an image"}`;
}
