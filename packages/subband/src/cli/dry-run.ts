/** @module `subband train --dry-run`: what would be trained, what it costs to sample, and how much memory it takes. */
import { samplerPlan } from "../diffusion/samplers/samplers.ts";
import { type NetworkCost, systemCost } from "../systems/cost.ts";
import { estimateMemory } from "../training/memory.ts";
import { samplingOf, systemOf } from "../training/run-config.ts";
import { planRun, type RunPlan, type TrainRequest } from "../training/train-run.ts";
import type { Context } from "./context.ts";
import { formatBytes, formatCount, stagesLine } from "./format.ts";
import { emit, formatTable, note } from "./output.ts";
import { createProgress, dataProgress } from "./progress.ts";

/** Prints what `request` would train; the run directory is not touched. */
export async function dryRun(context: Context, request: TrainRequest): Promise<void> {
  const progress = createProgress(context);
  const plan = await planRun(request, {
    onData: dataProgress(progress),
    onWarning: (message) => progress.note(`warning: ${message}`),
  }).finally(() => progress.finish());
  const { config, seed, dataBytes, exists } = plan;
  const system = systemOf(config);
  const cost = systemCost(system);
  const { sampler, steps } = samplingOf(config);
  const gmac = cost.gmacPerImage(samplerPlan(sampler, steps).nfe);
  const estimate = await estimateMemory(system.stages);
  const memory = { ...estimate, images: dataBytes, process: process.memoryUsage.rss() };
  const total = Object.values(memory).reduce((a, b) => a + b, 0);

  if (exists) note(context, `${request.out} exists: this is its own configuration`);
  emit(context, {
    lines: [
      JSON.stringify({ seed, ...config }, undefined, 2),
      "",
      ...formatTable([
        ["budget", budgetLine(request, plan)],
        ...cost.networks.map((network) => [network.name, networkLine(network)] as const),
        ["sampling", `${gmac.toPrecision(4)} GMAC an image, ${sampler} in ${steps} steps`],
        [
          "memory, estimated",
          `${formatBytes(total)}: ${Object.entries(memory)
            .map(([what, bytes]) => `${what} ${formatBytes(bytes)}`)
            .join(", ")}`,
        ],
      ]),
    ],
    json: {
      dryRun: true,
      run: request.out,
      exists,
      seed,
      config,
      networks: cost.networks,
      sampling: { sampler, steps, gmacPerImage: gmac },
      memoryEstimate: { ...memory, total },
    },
  });
}

function budgetLine(request: TrainRequest, { config: { images, minutes } }: RunPlan): string {
  if (Object.keys(images).length > 0) return stagesLine(images);
  if (minutes === undefined) return `${formatCount(request.images!)} images a stage`;
  return `${minutes} minutes, turned into images when the run begins`;
}

function networkLine({ parameters, runs, gmac }: NetworkCost): string {
  const size = `${formatCount(parameters)} parameters`;
  if (runs === "in-training") return `${size}, in training only`;
  const cost = gmac.map((each) => each.toPrecision(3)).join(" + ");
  return `${size}, ${cost} GMAC ${runs === "each-step" ? "a call" : "an image"}`;
}
