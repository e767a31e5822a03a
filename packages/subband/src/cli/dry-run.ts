/** @module `subband train --dry-run`: what would be trained, what it costs to sample, and how much memory it takes. */
import { samplerCost } from "../diffusion/samplers/samplers.ts";
import { type NetworkCost, type SystemCost, systemCost } from "../systems/cost.ts";
import type { System } from "../systems/system.ts";
import { estimateMemory } from "../loop/memory.ts";
import { type RunConfig, systemOf } from "../training/run-config.ts";
import { planRun, type RunPlan, type TrainRequest } from "../training/train-run.ts";
import type { Context } from "./context.ts";
import { formatBytes, formatCount, stagesLine } from "./format.ts";
import { answer, formatTable, note } from "./output.ts";
import { createProgress, dataProgress } from "./progress.ts";

/** Prints what `request` would train, `verbose` with the whole configuration; the run directory is not touched. */
export async function dryRun(context: Context, request: TrainRequest, verbose: boolean): Promise<void> {
  const progress = createProgress(context);
  const plan = await planRun(request, {
    onData: dataProgress(progress),
    onWarning: (message) => progress.note(`warning: ${message}`),
  }).finally(() => progress.finish());
  const { config, seed, dataBytes, exists, leftovers } = plan;
  const system = systemOf(config);
  const cost = systemCost(system);
  const use = system.local ? denoisingUse(config, cost) : samplingUse(system, cost);
  const estimate = estimateMemory(system.stages);
  const memory = { ...estimate, images: dataBytes, process: process.memoryUsage.rss() };
  const total = Object.values(memory).reduce((a, b) => a + b, 0);

  if (exists) note(context, `${request.out} exists: this is its own configuration`);
  answer(context, {
    lines: [
      ...formatTable([
        ["budget", budgetLine(plan)],
        ...cost.networks.map((network) => [network.name, networkLine(network)] as const),
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
      networks: cost.networks,
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

function samplingUse({ draw }: System, cost: SystemCost): UseCost {
  const chosen = draw.choose({});
  const { sampler, steps } = chosen;
  const gmac = cost.gmacPerImage(samplerCost(sampler, steps!).nfe);
  return {
    row: ["sampling", `${gmac.toPrecision(4)} GMAC an image, ${sampler} in ${steps} steps`],
    json: { sampling: { sampler, steps, gmacPerImage: gmac } },
  };
}

function denoisingUse({ model: { height, width } }: RunConfig, cost: SystemCost): UseCost {
  const macs = (1e9 * cost.gmacPerImage(0)) / (height * width);
  return {
    row: ["denoising", `${(macs / 1000).toPrecision(4)} k multiply-accumulates a pixel`],
    json: { denoising: { macsPerPixel: macs } },
  };
}

function budgetLine({ config: { images, minutes, pace } }: RunPlan): string {
  const planned = stagesLine(images);
  if (minutes === undefined || pace === undefined) return planned;
  return `${minutes} minutes, shared by the clock${planned === "" ? "" : `; planned so far: ${planned}`}`;
}

function networkLine({ parameters, runs, gmac }: NetworkCost): string {
  const size = `${formatCount(parameters)} parameters`;
  if (runs === "in-training") return `${size}, in training only`;
  const cost = gmac.map((each) => each.toPrecision(3)).join(" + ");
  return `${size}, ${cost} GMAC ${runs === "each-step" ? "a call" : "an image"}`;
}
