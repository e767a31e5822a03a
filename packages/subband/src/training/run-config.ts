/** @module The configuration kept in `run.json`: which system, on which data, for how long; validated when read back. */
import { unknownName } from "onnxgrad";
import { z } from "zod";
import type { ImageSource } from "../data/held-out.ts";
import { measureBandScaling } from "../systems/band-scaling.ts";
import type { System } from "../systems/system.ts";
import { wmgm } from "../systems/wmgm.ts";
import {
  defaultLevels,
  requireMultiple,
  resolveWmgmConfig,
  type WmgmConfig,
} from "../systems/wmgm-config.ts";
import { wmgmFaithful } from "../systems/wmgm-faithful.ts";
import {
  defaultFaithfulLevels,
  FAITHFUL_SAMPLING,
  requireFaithfulSize,
  resolveWmgmFaithfulConfig,
  type WmgmFaithfulConfig,
} from "../systems/wmgm-faithful-config.ts";
import { measureLowRange } from "../systems/wmgm-faithful-low.ts";

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
  /** Images that are never trained on, only judged by; absent in runs begun before there were any. */
  readonly heldOut?: number | undefined;
  /** Mirrored at random. */
  readonly flip: boolean;
}

/** Configuration of every preset's system, by name. */
interface Models {
  readonly wmgm: WmgmConfig;
  readonly "wmgm-faithful": WmgmFaithfulConfig;
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

const WmgmFaithful = z.strictObject({
  channels: z.union([z.literal(1), z.literal(3)]),
  height: Count,
  width: Count,
  levels: z.int().min(0).max(8),
  low: z.strictObject({
    width: Count,
    multipliers: z.array(Count).min(1),
    blocks: Count,
    attention: z.array(z.int().nonnegative()),
    timesteps: Count,
    betaMin: Positive,
    betaMax: Positive,
    batch: Count,
    lr: Positive,
    emaDecay: z.number().min(0).max(1),
  }),
  detail: z.strictObject({
    generatorWidth: Count.multipleOf(2),
    discriminatorWidth: Count,
    batch: Count,
    lr: z.strictObject({ generator: Positive, discriminator: Positive }),
    weightDecay: z.number().nonnegative(),
    weights: z.strictObject({
      adversarial: z.number().nonnegative(),
      reconstruction: z.number().nonnegative(),
      similarity: z.number().nonnegative(),
    }),
    discriminatorEvery: Count,
    passImages: Count,
    leastEpochs: Count,
    emaDecay: z.number().min(0).max(1),
    augmentation: z.number().nonnegative(),
  }),
  lowShare: z.number().min(0).max(1),
  range: z.strictObject({ least: z.number(), greatest: z.number() }),
  defects: z.strictObject({
    unscaledBands: z.boolean(),
    signedSimilarity: z.boolean(),
    boundedAdversary: z.boolean(),
    clipBeforeBackward: z.boolean(),
    eightBitLow: z.boolean(),
    scaleAfterScale: z.boolean(),
    sharedStatistics: z.boolean(),
    lastParameters: z.boolean(),
    cleanConditions: z.boolean(),
  }),
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
    heldOut: z.int().nonnegative().optional(),
    flip: z.boolean(),
  }),
  minutes: Positive.optional(),
  images: z.record(z.string(), Count),
};

/** The schema of a run's configuration: one member a preset. */
export const RunConfig: z.ZodType<RunConfig> = z.discriminatedUnion("preset", [
  z.strictObject({ preset: z.literal("wmgm"), ...Common, model: Wmgm }),
  z.strictObject({ preset: z.literal("wmgm-faithful"), ...Common, model: WmgmFaithful }),
]);

/** What the options of every preset come to; the rest is the preset's. */
export interface ModelOptions {
  readonly levels?: number | undefined;
  /** Images a step. */
  readonly batch?: number | undefined;
  readonly lr?: number | undefined;
  /** Feature channels of the networks at full resolution. */
  readonly baseWidth?: number | undefined;
}

/** A system that can be trained by name. */
export interface Preset<Model> {
  /** One phrase for help texts. */
  readonly summary: string;
  /** How samples are drawn unless asked otherwise. */
  readonly sampling: { readonly sampler: string; readonly steps: number };
  /** Fills in all defaults for the images to train on, and measures what it needs of them. @throws UserError `config/size`. */
  resolve(options: ModelOptions, dataset: ImageSource): Model;
  /** The options that `model` was resolved from, or would be. */
  chosen(model: Model): Required<Pick<ModelOptions, "batch" | "lr" | "baseWidth">>;
  system(model: Model): System;
}

/** Images whose bands are measured. */
const SCALING_IMAGES = 10_000;

/** Reads the images of a data set one at a time into the same array. */
function reader(dataset: ImageSource): (index: number) => Float32Array {
  const image = new Float32Array(dataset.channels * dataset.height * dataset.width);
  return (index) => {
    dataset.read(index, false, image, 0);
    return image;
  };
}

/** The options that were given. */
function given<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never;
}

/** Every preset, the default first. */
export const presets: { readonly [Name in PresetName]: Preset<Models[Name]> } = {
  wmgm: {
    summary: "diffusion on the coarsest low band, one generator for all details",
    sampling: { sampler: "dpmpp2m", steps: 8 },
    resolve(options, dataset) {
      const { channels, height, width } = dataset;
      const levels = options.levels ?? defaultLevels(height, width);
      requireMultiple(height, width, levels);
      const count = Math.min(dataset.count, SCALING_IMAGES);
      const shape = { channels, height, width, levels };
      const scaling = measureBandScaling({ count, ...shape }, reader(dataset));
      return resolveWmgmConfig({ ...given(options), ...shape }, scaling);
    },
    chosen: ({ low }) => ({ batch: low.batch, lr: low.lr, baseWidth: low.width }),
    system: wmgm,
  },
  "wmgm-faithful": {
    summary: "WMGM as released by its authors, defects included: a baseline",
    sampling: FAITHFUL_SAMPLING,
    resolve(options, dataset) {
      const { channels, height, width, count } = dataset;
      const levels = options.levels ?? defaultFaithfulLevels(height, width);
      const shape = { channels, height, width, levels };
      requireFaithfulSize(height, width, levels);
      // Over all images: the released normalisation goes by the extremes.
      const range = measureLowRange({ count, ...shape }, reader(dataset));
      return resolveWmgmFaithfulConfig({ ...options, ...shape }, { range, images: count });
    },
    chosen: ({ detail }) => ({
      batch: detail.batch,
      lr: detail.lr.generator,
      baseWidth: detail.generatorWidth,
    }),
    system: wmgmFaithful,
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

/** How samples of a run are drawn unless asked otherwise. */
export function samplingOf({ preset }: Pick<RunConfig, "preset">): Preset<never>["sampling"] {
  return presets[preset].sampling;
}

/** The system that a configuration describes. */
export function systemOf({ preset, model }: Pick<RunConfig, "preset" | "model">): System {
  return (presets[preset] as Preset<unknown>).system(model);
}
