/** @module The configuration kept in `run.json`: which system, on which data, for how long; validated when read back. */
import { z } from "zod";
import { wmgm } from "../systems/wmgm.ts";
import type { System } from "../systems/system.ts";

const Count = z.int().positive();
const Positive = z.number().positive();
const Numbers = z.array(z.number());

const Scaling = z.strictObject({ lowMean: Numbers, lowStd: Numbers, detailRms: z.array(Numbers) });

const Wmgm = z.strictObject({
  channels: z.union([z.literal(1), z.literal(3)]),
  height: Count,
  width: Count,
  levels: z.int().min(0).max(8),
  low: z.strictObject({
    width: Count,
    multipliers: z.array(Count).min(1),
    blocks: Count,
    attention: z.array(z.int().nonnegative()),
    batch: Count,
    lr: Positive,
    emaDecay: z.number().min(0).max(1),
    logMean: z.number(),
    logStd: Positive,
  }),
  detail: z.strictObject({
    widths: z.array(Count).min(1),
    blocks: Count,
    noiseChannels: Count,
    criticWidths: z.array(Count).min(1),
    batch: Count,
    lr: z.strictObject({ score: Positive, generator: Positive, discriminator: Positive }),
    emaDecay: z.number().min(0).max(1),
    scoreShare: z.number().min(0).max(1),
    adversarial: z.number().nonnegative(),
    repulsion: z.number().min(0).max(1),
    r1Gamma: z.number().nonnegative(),
    r1Every: Count,
    augmentation: z.number().nonnegative(),
    samplingAugmentation: z.number().nonnegative(),
    patches: z.array(Count).min(1),
  }),
  lowShare: z.number().min(0).max(1),
  scaling: Scaling,
});

/** The schema of a run's configuration. */
export const RunConfig = z.strictObject({
  preset: z.literal("wmgm"),
  data: z.strictObject({
    /** As given to --data. */
    source: z.string(),
    name: z.string(),
    /** Images after skipping. */
    count: Count,
    /** Fingerprint of the decoded pixels: resuming on other data is refused. */
    fingerprint: z.string(),
    licence: z.string(),
    credit: z.string(),
    limit: Count.optional(),
    flip: z.boolean(),
  }),
  /** Images that each stage sees. */
  images: z.record(z.string(), Count),
  model: Wmgm,
});

/** A run's configuration. */
export type RunConfig = z.infer<typeof RunConfig>;

/** The system that a configuration describes. */
export function systemOf({ model }: Pick<RunConfig, "model">): System {
  return wmgm(model);
}
