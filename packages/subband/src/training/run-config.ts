/** @module The configuration kept in `run.json`: which system, on which data, for how long; validated when read back. */
import { unknownName } from "onnxgrad";
import { z } from "zod";
import type { BandScaling } from "../systems/band-scaling.ts";
import { wmgm } from "../systems/wmgm.ts";
import { resolveWmgmConfig, type WmgmConfig, type WmgmShape } from "../systems/wmgm-config.ts";
import type { System } from "../systems/system.ts";

/** What is known of the data of a run. */
export interface RunData {
  /** As given to --data. */
  readonly source: string;
  readonly name: string;
  /** Images after skipping. */
  readonly count: number;
  /** Fingerprint of the decoded pixels: resuming on other data is refused. */
  readonly fingerprint: string;
  readonly licence: string;
  readonly credit: string;
  /** Only the first so many images were looked at. */
  readonly limit?: number | undefined;
  /** Mirrored at random. */
  readonly flip: boolean;
}

/** Configuration of every preset's system, by name. */
interface Models {
  readonly wmgm: WmgmConfig;
}

/** Name of a system that can be trained. */
export type PresetName = keyof Models;

/** Configuration of a run of one preset. */
interface RunConfigOf<Name extends PresetName> {
  readonly preset: Name;
  readonly data: RunData;
  /** The budget that `images` was reckoned from, at the speed measured then; absent where images were asked for. */
  readonly minutes?: number | undefined;
  /** Images that each stage sees. */
  readonly images: Readonly<Record<string, number>>;
  readonly model: Models[Name];
}

/** A run's configuration. */
export type RunConfig = { [Name in PresetName]: RunConfigOf<Name> }[PresetName];

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

const Common = {
  data: z.strictObject({
    source: z.string(),
    name: z.string(),
    count: Count,
    fingerprint: z.string(),
    licence: z.string(),
    credit: z.string(),
    limit: Count.optional(),
    flip: z.boolean(),
  }),
  minutes: Positive.optional(),
  images: z.record(z.string(), Count),
};

/** The schema of a run's configuration: one member a preset. */
export const RunConfig: z.ZodType<RunConfig> = z.discriminatedUnion("preset", [
  z.strictObject({ preset: z.literal("wmgm"), ...Common, model: Wmgm }),
]);

/** A system that can be trained by name. */
export interface Preset<Model> {
  /** One phrase for help texts. */
  readonly summary: string;
  /** Fills in all defaults. @throws UserError `config/size`. */
  resolve(shape: WmgmShape, scaling: BandScaling): Model;
  /** The options that `model` was resolved from, or would be. */
  chosen(model: Model): Required<Pick<WmgmShape, "batch" | "lr" | "baseWidth">>;
  system(model: Model): System;
}

/** Every preset, the default first. */
export const presets: { readonly [Name in PresetName]: Preset<Models[Name]> } = {
  wmgm: {
    summary: "diffusion on the coarsest low band, one generator for all details",
    resolve: resolveWmgmConfig,
    chosen: ({ low }) => ({ batch: low.batch, lr: low.lr, baseWidth: low.width }),
    system: wmgm,
  },
};

/** The preset called `name`. @throws UserError `unknown/preset` with a suggestion. */
export function presetNamed(name: string): PresetName {
  if (!Object.hasOwn(presets, name)) throw unknownName("preset", name, Object.keys(presets));
  return name as PresetName;
}

/** The options that the model of a configuration was resolved from. */
export function chosenOptions({
  preset,
  model,
}: Pick<RunConfig, "preset" | "model">): ReturnType<Preset<never>["chosen"]> {
  return (presets[preset] as Preset<unknown>).chosen(model);
}

/** The system that a configuration describes. */
export function systemOf({ preset, model }: Pick<RunConfig, "preset" | "model">): System {
  return (presets[preset] as Preset<unknown>).system(model);
}
